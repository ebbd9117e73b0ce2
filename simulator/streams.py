"""One client's streams beside market-data lines: five-second bars and single ticks.

Both are made of the quotes the market shows at each step. The venue has no tape of trades: a change of the
last price is a tick without a size, and a bar has no volume.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from market.contract import SecurityType
from simulator import client_messages as ask
from simulator import replies
from simulator.entitlements import Entitlements
from simulator.model import Instrument, Market, Tick
from simulator.peer import Peer
from simulator.reference import find_one

_BAR_S: Final = 5
#: Single-tick streams a client may have; the broker gives one for twenty lines.
_TICK_STREAMS_MAX: Final = 5


def _middle(tick: Tick) -> float | None:
    return None if tick.bid is None or tick.ask is None else round((tick.bid + tick.ask) / 2.0, 6)


def _sides(tick: Tick) -> tuple[float, ...] | None:
    if tick.bid is None or tick.ask is None:
        return None
    return tick.bid, tick.ask, tick.bid_size, tick.ask_size


_PRICES: Final[dict[str, Callable[[Tick], float | None]]] = {
    "TRADES": lambda tick: tick.last,
    "MIDPOINT": _middle,
    "BID": lambda tick: tick.bid,
    "ASK": lambda tick: tick.ask,
}
_TICK_KINDS: Final = {"Last": 1, "AllLast": 2, "BidAsk": 3, "MidPoint": 4}


@dataclass(slots=True)
class _BarLine:
    """A bar that grows: its beginning in whole fives of epoch seconds, and its prices."""

    con_id: int
    what: str
    starts: int = 0
    prices: tuple[float, float, float, float] | None = None  # open, high, low, close


@dataclass(slots=True)
class _TickLine:
    con_id: int
    kind: str
    ignore_size: bool
    told: tuple[object, ...] = ()


class StreamDesk:
    """Serves the streams of one client."""

    def __init__(self, peer: Peer, market: Market, entitlements: Entitlements) -> None:
        self._peer = peer
        self._market = market
        self._entitlements = entitlements
        self._bars: dict[int, _BarLine] = {}
        self._ticks: dict[int, _TickLine] = {}

    def follow_bars(self, request: ask.RequestRealTimeBars) -> None:
        """Five-second bars from the next whole five seconds on; error 420 for what cannot be had."""
        instrument = find_one(self._market, request.query)
        if instrument is None:
            self._unknown(request.req_id)
            return
        cause = ""
        if request.bar_size != _BAR_S:
            cause = f"bars have {_BAR_S} seconds, not {request.bar_size}"
        elif request.what not in _PRICES:
            cause = f"no {request.what} data are kept"
        elif not self._entitlements.live(instrument.contract.symbol):
            cause = "No market data permissions"
        elif request.req_id in self._bars:
            cause = "duplicate ticker id"
        if cause:
            self._peer.error(request.req_id, 420, f"Invalid Real-time Query:{cause}")
            return
        self._bars[request.req_id] = _BarLine(instrument.contract.con_id, request.what, self._five())

    def stop_bars(self, request: ask.CancelRealTimeBars) -> None:
        """No more bars; an unknown id is ignored."""
        self._bars.pop(request.req_id, None)

    def follow_ticks(self, request: ask.RequestTickByTick) -> None:
        """Single ticks from now on: 10189 for what has none, 10190 beyond the number of streams."""
        instrument = find_one(self._market, request.query)
        if instrument is None:
            self._unknown(request.req_id)
            return
        cause = self._without_ticks(request, instrument)
        if cause:
            self._peer.error(request.req_id, 10189, f"Failed to request tick-by-tick data.{cause}")
        elif request.req_id in self._ticks:
            self._peer.error(request.req_id, 102, "Duplicate ticker ID.")
        elif len(self._ticks) >= _TICK_STREAMS_MAX:
            text = "Max number of tick-by-tick requests has been reached."
            self._peer.error(request.req_id, 10190, text)
        else:
            line = _TickLine(instrument.contract.con_id, request.kind, request.ignore_size)
            self._ticks[request.req_id] = line
            self._tell_ticks(self._quotes([line.con_id]), [request.req_id])

    def stop_ticks(self, request: ask.CancelTickByTick) -> None:
        """No more ticks; an unknown id is ignored."""
        self._ticks.pop(request.req_id, None)

    def publish(self) -> None:
        """Queue the bars that ended and the ticks that moved."""
        if not self._bars and not self._ticks:
            return
        wanted = [line.con_id for line in self._bars.values()]
        wanted += [line.con_id for line in self._ticks.values()]
        quotes = self._quotes(dict.fromkeys(wanted))
        self._tell_bars(quotes)
        self._tell_ticks(quotes, self._ticks)

    def _tell_bars(self, quotes: dict[int, Tick]) -> None:
        five = self._five()
        for req_id, line in self._bars.items():
            if line.starts < five:
                if line.prices is not None:
                    average = (line.prices[1] + line.prices[2]) / 2.0
                    self._peer.write(replies.real_time_bar(req_id, line.starts, *line.prices, 0, average, -1))
                line.starts, line.prices = five, None
            price = _PRICES[line.what](quotes[line.con_id])
            if price is None or not self._market.is_open(line.con_id):
                continue
            first, high, low, _ = line.prices or (price,) * 4
            line.prices = (first, max(high, price), min(low, price), price)

    def _tell_ticks(self, quotes: dict[int, Tick], req_ids: Iterable[int]) -> None:
        epoch = int(self._market.now.timestamp())
        for req_id in req_ids:
            line = self._ticks[req_id]
            tick, number = quotes[line.con_id], _TICK_KINDS[line.kind]
            values: tuple[float, ...] | None
            if line.kind == "BidAsk":
                values = _sides(tick)
            else:
                price = _middle(tick) if line.kind == "MidPoint" else tick.last
                values = None if price is None else (price,)
            moved = values if values is None or not line.ignore_size else values[:2]
            if values is None or moved == line.told:
                continue
            line.told = moved or ()
            self._peer.write(_tick(req_id, number, epoch, values))

    def _without_ticks(self, request: ask.RequestTickByTick, instrument: Instrument) -> str:
        contract = instrument.contract
        if request.kind not in _TICK_KINDS:
            return f"Unknown kind {request.kind!r}"
        if contract.security_type is SecurityType.OPTION:
            return "Options have none in real time"
        if request.number:
            return "No ticks of the past are kept"
        return "" if self._entitlements.live(contract.symbol) else "No market data permissions"

    def _quotes(self, con_ids: Iterable[int]) -> dict[int, Tick]:
        return {tick.con_id: tick for tick in self._market.ticks(con_ids)}

    def _five(self) -> int:
        return int(self._market.now.timestamp()) // _BAR_S * _BAR_S

    def _unknown(self, req_id: int) -> None:
        self._peer.error(req_id, 200, "No security definition has been found for the request")


def _tick(req_id: int, number: int, epoch: int, values: tuple[float, ...]) -> str:
    if number in {1, 2}:
        return replies.tick_by_tick_last(req_id, number, epoch, *values, 0, 0, "", "")
    if number == 3:
        return replies.tick_by_tick_sides(req_id, number, epoch, *values, 0)
    return replies.tick_by_tick_middle(req_id, number, epoch, *values)
