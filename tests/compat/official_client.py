"""The broker's official client as a recorder: every callback is kept, and a test waits for what it expects.

The library is absent from the project's own environment, so nothing here imports it at the top.
"""

import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ANSWER_S = 20.0

Told = tuple[str, tuple[Any, ...]]


@dataclass
class OfficialClient:
    """A connected client, what it was told so far, and the next order and request ids."""

    told: list[Told] = field(default_factory=list)
    errors: list[tuple[int, int, str]] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    client: Any = None
    next_id: int = 0
    reading: threading.Thread | None = None

    def connect(self, port: int, client_id: int, host: str) -> None:
        """Open the session and wait for the next valid id, or for the end of the connection."""
        base = importlib.import_module("ibapi.wrapper").EWrapper
        names = [name for name, value in vars(base).items() if callable(value) and name[0] != "_"]
        wrapper = type("Recorder", (base,), {name: self._recorder(name) for name in names})()
        self.client = importlib.import_module("ibapi.client").EClient(wrapper)
        self.client.connect(host, port, client_id)
        self.reading = threading.Thread(target=self.client.run)
        self.reading.start()
        self.until(lambda: self.all("nextValidId") or self.all("connectionClosed"))
        if self.all("nextValidId"):
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

    def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something is true, and return it. Fails with what was said instead."""
        with self.news:
            found = self.news.wait_for(holds, ANSWER_S)
            assert found, f"waited in vain; told so far: {self.told[-20:]}"
            return found

    def wait(self, name: str, *first: Any) -> tuple[Any, ...]:
        """The first such call, now or within a while."""
        args: tuple[Any, ...] = self.until(lambda: self.all(name, *first))[0]
        return args

    def forget(self, name: str) -> None:
        """Drop the calls of one callback, so that the next ones answer the next request."""
        with self.news:
            self.told[:] = [one for one in self.told if one[0] != name]

    def pause(self, seconds: float) -> None:
        """Let the client's thread hear for a while."""
        with self.news:
            self.news.wait_for(lambda: False, seconds)

    def _recorder(self, name: str) -> Callable[..., None]:
        def record(_wrapper: Any, *args: Any) -> None:
            with self.news:
                self.told.append((name, args))
                if name == "error":
                    self.errors.append((args[0], args[2], args[3]))
                self.news.notify_all()

        return record


def contract(security_type: str, symbol: str, **fields: Any) -> Any:
    """A contract of the official client."""
    made = importlib.import_module("ibapi.contract").Contract()
    for name, value in {"secType": security_type, "symbol": symbol, "currency": "USD", **fields}.items():
        setattr(made, name, value)
    return made


def bag(legs: list[tuple[int, str]], symbol: str) -> Any:
    """A combination of (contract id, action), each once."""
    made = contract("BAG", symbol, exchange="SMART")
    made.comboLegs = []
    for con_id, action in legs:
        leg = importlib.import_module("ibapi.contract").ComboLeg()
        leg.conId, leg.ratio, leg.action, leg.exchange = con_id, 1, action, "SMART"
        made.comboLegs.append(leg)
    return made


def order_cancel() -> Any:
    """What the official client wants beside the id of an order to be cancelled."""
    return importlib.import_module("ibapi.order_cancel").OrderCancel()
