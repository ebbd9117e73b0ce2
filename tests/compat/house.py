"""Gateways in a process of their own, opened and steered line by line.

The environments of the other clients lack what the gateway needs, so it always runs in the project's own.
As a program it reads a JSON list `[method, gateway, arguments]` a line and answers with a JSON value.
"""

import json
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"
#: Market seconds in a second: what the broker does every few seconds need not be waited for.
SPEED = 10.0
_PATIENCE_S = 60.0


class House:
    """The test's end of the process. `opening` names one of the gateways of `_openings`."""

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [str(PYTHON), "-m", "tests.compat.house"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=_PATIENCE_S)

    def port(self, opening: str) -> int:
        """The port of a gateway, which is opened when it is first asked for."""
        if opening not in self._ports:
            self._ports[opening] = self.tell("open", opening)
        return self._ports[opening]

    def tell(self, method: str, opening: str, **arguments: Any) -> Any:
        """Call a method of the gateway; what it gives."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps([method, opening, arguments]).encode() + b"\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
        assert not (isinstance(answer, dict) and "failed" in answer), answer
        return answer


def main() -> None:
    """Serve until standard input ends."""
    from simulator.running import RunningGateway

    gateways: dict[str, RunningGateway] = {}
    for line in sys.stdin:
        method, name, arguments = json.loads(line)
        answer: object
        try:
            if method == "open":
                gateways[name] = RunningGateway(_openings()[name])
                answer = gateways[name].port
            else:
                answer = _carry_out(gateways[name], method, arguments)
        except Exception as error:
            answer = {"failed": repr(error)}
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()
    for gateway in gateways.values():
        gateway.stop()


def _openings() -> dict[str, Any]:
    from simulator.api_settings import ApiSettings
    from simulator.box import Rights
    from simulator.entitlements import Entitlements
    from simulator.floor import HouseRules
    from simulator.running import Opening

    usual = Opening(speed=SPEED, rights=Rights(Entitlements(), ApiSettings(messages_per_s=50)))
    return {
        "usual": usual,
        "narrow": replace(
            usual,
            rights=Rights(
                Entitlements(
                    lines=2,
                    symbols_not_subscribed={"VVIX"},
                    symbols_without_api={"VIX9D"},
                    delayed_data=True,
                )
            ),
            # A cancel waits for the next step of the market, which a test can be faster than.
            rules=HouseRules(cancel_on_arrival=False),
            speed=0.0,
        ),
        "poor": replace(
            usual,
            rights=Rights(Entitlements(symbols_not_subscribed={"VVIX"})),
            rules=HouseRules(price_range_pct=5.0),
        ),
        "locked": replace(usual, rights=Rights(Entitlements(), ApiSettings(read_only=True))),
        "evening": replace(usual, at=datetime.fromisoformat("2026-03-02T18:00:00-05:00"), rights=Rights()),
    }


def _carry_out(gateway: Any, method: str, arguments: dict[str, Any]) -> object:
    if method == "farm":
        from simulator.notices import Farm

        which, works = Farm(arguments["farm"]), bool(arguments["works"])
        return gateway.call(lambda box: box.world.set_farm(which, works=works))
    if method == "compete":
        return gateway.call(lambda box: box.gateway.compete(bool(arguments["elsewhere"])))
    if method == "move_port":
        return gateway.call(lambda box: box.world.move_port(int(arguments["port"])))
    if method == "place_by_hand":
        return gateway.call(lambda box: _place_by_hand(box, **arguments))
    return getattr(gateway, method)(**arguments)


def _place_by_hand(box: Any, con_id: int, limit: float) -> None:
    from simulator.model import OrderRequest

    request = OrderRequest(
        client_id=0, order_id=0, account=box.gateway.venue.account_id, con_id=con_id, symbol="VNQ",
        security_type="STK", exchange="SMART", currency="USD", action="BUY", quantity=1.0, order_type="LMT",
        limit_price=limit, aux_price=None, tif="DAY", order_ref="by hand",
    )  # fmt: skip
    box.gateway.route(box.gateway.venue.by_hand.place(request))
    box.gateway.flush()


if __name__ == "__main__":
    main()
