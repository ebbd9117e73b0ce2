"""One client's market-data lines: what it may see, what it asked for, and the ticks it gets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from simulator import client_messages as ask
from simulator import replies
from simulator.model import Market, Tick
from simulator.peer import Peer
from simulator.reference import find_all
from simulator.ticks import QuoteLine

_LIVE, _FROZEN = 1, 2


@dataclass(slots=True)
class Entitlements:
    """What the account may see. Faults and tests change it while the gateway runs."""

    lines: int = 100
    symbols_not_subscribed: set[str] = field(default_factory=set)
    competing_session: bool = False


class MarketDataDesk:
    """Serves the market-data requests of one client."""

    def __init__(self, peer: Peer, market: Market, entitlements: Entitlements) -> None:
        self._peer = peer
        self._market = market
        self._entitlements = entitlements
        self._lines: dict[int, QuoteLine] = {}
        self._fresh: list[QuoteLine] = []
        self._kind = _LIVE
        self._watched: dict[bool, tuple[int, ...]] | None = None

    def set_kind(self, request: ask.RequestMarketDataType) -> None:
        """Live, frozen, delayed: for later requests."""
        if request.kind in {1, 2, 3, 4}:
            self._kind = request.kind
        else:
            self._peer.error(-1, 321, f"Error validating request.-'cq' : cause - Invalid type {request.kind}")

    def subscribe(self, request: ask.RequestMarketData) -> None:
        """Open a line, or answer a snapshot when the step's first ticks are sent."""
        refusal = self._refusal(request)
        if refusal is not None:
            self._peer.error(request.req_id, *refusal)
            return
        line = self._line(request)
        if line is None:
            self._peer.error(request.req_id, 200, "No security definition has been found for the request")
            return
        con_id = line.con_ids[0]
        instrument = self._market.instrument(con_id)
        if instrument is not None and instrument.contract.symbol in self._entitlements.symbols_not_subscribed:
            self._peer.error(request.req_id, *self._not_subscribed())
            return
        if self._entitlements.competing_session:
            self._peer.error(request.req_id, 10197, "No market data during competing live session")
            return
        is_frozen = self._kind in {2, 4} and not self._market.is_open(con_id)
        self._peer.write(replies.market_data_type(request.req_id, _FROZEN if is_frozen else _LIVE))
        min_tick = 0.01 if instrument is None else instrument.min_tick
        self._peer.write(replies.tick_request_parameters(request.req_id, min_tick, "", 3))
        if request.snapshot or request.regulatory_snapshot:
            line.changes(self._ticks(line.con_ids), self._peer.outgoing)
            self._peer.write(replies.snapshot_end(request.req_id))
            return
        self._lines[request.req_id] = line
        self._fresh.append(line)
        self._watched = None

    def cancel(self, request: ask.CancelMarketData) -> None:
        """Close a line."""
        line = self._lines.pop(request.req_id, None)
        if line is None:
            self._peer.error(request.req_id, 300, f"Can't find EId with tickerId:{request.req_id}")
            return
        if line in self._fresh:
            self._fresh.remove(line)
        self._watched = None

    def watched(self, options: bool) -> tuple[int, ...]:
        """Contract ids behind the lines on options and combos, or behind all others; no duplicates."""
        if self._watched is None:
            self._watched = {
                kind: tuple(
                    dict.fromkeys(
                        con_id
                        for line in self._lines.values()
                        if line.is_option is kind
                        for con_id in line.con_ids
                    )
                )
                for kind in (True, False)
            }
        return self._watched[options]

    def publish(self, ticks: Mapping[int, Tick], options: bool, others: bool) -> None:
        """Queue what changed on the lines of the chosen kinds."""
        if self._entitlements.competing_session:
            return
        out = self._peer.outgoing
        for line in self._lines.values():
            if options if line.is_option else others:
                line.changes(ticks, out)

    def publish_first(self) -> None:
        """Queue the first ticks of lines opened since the last call, valued together."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        ticks = self._ticks(dict.fromkeys(con_id for line in fresh for con_id in line.con_ids))
        for line in fresh:
            line.changes(ticks, self._peer.outgoing)

    def interrupt(self) -> None:
        """Tell every line that another session of the user took the data."""
        for req_id in self._lines:
            self._peer.error(req_id, 10197, "No market data during competing live session")

    def _ticks(self, con_ids: Iterable[int]) -> dict[int, Tick]:
        return {tick.con_id: tick for tick in self._market.ticks(con_ids)}

    def _refusal(self, request: ask.RequestMarketData) -> tuple[int, str] | None:
        if request.req_id in self._lines:
            return 102, "Duplicate ticker ID."
        if not request.snapshot and len(self._lines) >= self._entitlements.lines:
            return 101, "Max number of tickers has been reached."
        return None

    def _not_subscribed(self) -> tuple[int, str]:
        if self._kind in {3, 4}:
            return 10186, "Requested market data is not subscribed. Delayed market data is not enabled."
        return 354, "Requested market data is not subscribed."

    def _line(self, request: ask.RequestMarketData) -> QuoteLine | None:
        query = request.query
        if query.security_type == "BAG":
            legs = request.legs
            known = all(leg.ratio >= 1 and self._market.instrument(leg.con_id) is not None for leg in legs)
            con_ids = tuple([leg.con_id for leg in legs])
            return QuoteLine(request.req_id, con_ids, "BAG", legs) if legs and known else None
        found = find_all(self._market, query)
        if len(found) != 1:
            return None
        contract = found[0].contract
        return QuoteLine(request.req_id, (contract.con_id,), contract.security_type.value)
