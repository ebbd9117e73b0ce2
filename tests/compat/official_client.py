"""The broker's official client as a recorder: every callback is kept, and a test waits for what it expects.

The library is absent from the project's own environment, so nothing here imports it at the top.
"""

import importlib
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
USUAL_PYTHON = ROOT / ".venv" / "bin" / "python"
ACCOUNT = "DU0000000"
ANSWER_S = 20.0

Told = tuple[str, tuple[Any, ...]]


@dataclass
class OfficialClient:
    """A connected client, what it was told so far, and the next order and request ids."""

    told: list[Told] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    client: Any = None
    next_id: int = 0
    reading: threading.Thread | None = None

    def connect(self, port: int, client_id: int) -> None:
        """Open the session and wait for the next valid id."""
        base = importlib.import_module("ibapi.wrapper").EWrapper
        names = [name for name, value in vars(base).items() if callable(value) and name[0] != "_"]
        wrapper = type("Recorder", (base,), {name: self._recorder(name) for name in names})()
        self.client = importlib.import_module("ibapi.client").EClient(wrapper)
        self.client.connect("127.0.0.1", port, client_id)
        self.reading = threading.Thread(target=self.client.run)
        self.reading.start()
        (self.next_id,) = self.wait("nextValidId")

    def disconnect(self) -> None:
        """Close the session and end its thread."""
        self.client.disconnect()
        if self.reading is not None:
            self.reading.join(ANSWER_S)

    def new_id(self) -> int:
        """An id for a request or an order."""
        self.next_id += 1
        return self.next_id - 1

    def all(self, name: str, *first: Any) -> list[tuple[Any, ...]]:
        """Every call of one callback whose first arguments are these."""
        with self.news:
            return [args for said, args in self.told if said == name and args[: len(first)] == first]

    def wait(
        self, name: str, *first: Any, until: Callable[[tuple[Any, ...]], bool] = lambda _: True
    ) -> tuple[Any, ...]:
        """The first such call, now or within a while. Fails with what was said instead."""

        def found() -> tuple[Any, ...] | None:
            return next((args for args in self.all(name, *first) if until(args)), None)

        with self.news:
            self.news.wait_for(lambda: found() is not None, ANSWER_S)
        args = found()
        assert args is not None, f"no {name}{first}, but {self.told[-20:]}"
        return args

    def details(self, contract: Any) -> list[Any]:
        """All contract details that match."""
        request_id = self.new_id()
        self.client.reqContractDetails(request_id, contract)
        self.wait("contractDetailsEnd", request_id)
        return [args[1] for args in self.all("contractDetails", request_id)]

    def _recorder(self, name: str) -> Callable[..., None]:
        def record(_wrapper: Any, *args: Any) -> None:
            with self.news:
                self.told.append((name, args))
                self.news.notify_all()

        return record


@contextmanager
def gateway() -> Iterator[int]:
    """`alvh gateway` as a process on a free port; it ends with its standard input."""
    command = [str(USUAL_PYTHON), "-m", "bot.control.cli", "gateway", "--port", "0", "--seed", "1"]
    command += ["--scenario", "calm", "--account", ACCOUNT, "--until-eof"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["port"]
        finally:
            process.communicate(timeout=ANSWER_S)


def contract(security_type: str, symbol: str, **fields: Any) -> Any:
    """A contract of the official client."""
    made = importlib.import_module("ibapi.contract").Contract()
    for name, value in {"secType": security_type, "symbol": symbol, "currency": "USD", **fields}.items():
        setattr(made, name, value)
    return made


def bag(legs: list[tuple[int, str]]) -> Any:
    """A combination of (contract id, action), each once."""
    made = contract("BAG", "SPX", exchange="SMART")
    made.comboLegs = []
    for con_id, action in legs:
        leg = importlib.import_module("ibapi.contract").ComboLeg()
        leg.conId, leg.ratio, leg.action, leg.exchange = con_id, 1, action, "SMART"
        made.comboLegs.append(leg)
    return made


def limit_order(limit: float, quantity: int, order_ref: str) -> Any:
    """A limit order that buys."""
    decimal = importlib.import_module("decimal").Decimal
    made = importlib.import_module("ibapi.order").Order()
    made.action, made.orderType, made.totalQuantity = "BUY", "LMT", decimal(quantity)
    made.lmtPrice, made.orderRef, made.account, made.tif = limit, order_ref, ACCOUNT, "DAY"
    return made


def order_cancel() -> Any:
    """What the official client wants beside the id of an order to be cancelled."""
    return importlib.import_module("ibapi.order_cancel").OrderCancel()
