"""One client's market-data lines: what it may see, what it asked for, and the ticks it gets."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from simulator import client_messages as ask
from simulator import replies
from simulator.entitlements import Entitlements
from simulator.extra_ticks import ExtraTicks, unknown_generic
from simulator.model import Instrument, Market, Tick
from simulator.peer import Peer
from simulator.reference import find_all
from simulator.ticks import QuoteLine

_LIVE, _FROZEN, _DELAYED, _DELAYED_FROZEN = 1, 2, 3, 4
#: How far delayed quotes lie behind, in seconds.
DELAY_S: Final = 900.0


class MarketDataDesk:
    """Serves the market-data requests of one client."""

    def __init__(self, peer: Peer, market: Market, entitlements: Entitlements) -> None:
        self._peer = peer
        self._market = market
        self._entitlements = entitlements
        self._lines: dict[int, QuoteLine] = {}
        self._fresh: list[QuoteLine] = []
        self._extras: dict[int, ExtraTicks] = {}  # by request id, of the lines that have any
        self._kind = _LIVE
        self._watched: dict[bool, tuple[int, ...]] | None = None
        self._snapshots: dict[int, datetime] = {}  # request id -> when its end is due
        self._shown: dict[int, int] = {}  # lines that may freeze: request id -> kind of data told last

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
        instrument = self._instrument(request)
        symbol = "" if instrument is None else instrument.contract.symbol
        line = self._line(request, instrument, delayed=not self._entitlements.live(symbol))
        if line is None:
            self._peer.error(request.req_id, 200, "No security definition has been found for the request")
            return
        if self._entitlements.competing_session:
            self._peer.error(request.req_id, 10197, "No market data during competing live session")
            return
        if line.is_delayed and not self._admits_delayed(request.req_id, symbol):
            return
        kind = self._kind_of(line)
        if self._kind in {_FROZEN, _DELAYED_FROZEN}:
            self._shown[request.req_id] = kind
        self._peer.write(replies.market_data_type(request.req_id, kind))
        min_tick = 0.01 if instrument is None else instrument.min_tick
        self._peer.write(replies.tick_request_parameters(request.req_id, min_tick, "", 3))
        if request.snapshot or request.regulatory_snapshot:
            line.changes(self._ticks(line.con_ids, line.is_delayed), self._peer.outgoing)
            self._shown.pop(request.req_id, None)
            lasts = timedelta(seconds=self._entitlements.snapshot_s)
            self._snapshots[request.req_id] = self._market.now + lasts
            self.end_snapshots()
            return
        self._lines[request.req_id] = line
        extra = self._extra(request, line)
        if not extra.is_empty:
            self._extras[request.req_id] = extra
        self._fresh.append(line)
        self._watched = None

    def cancel(self, request: ask.CancelMarketData) -> None:
        """Close a line."""
        line = self._lines.pop(request.req_id, None)
        if self._snapshots.pop(request.req_id, None) is not None:
            return
        if line is None:
            self._peer.error(request.req_id, 300, f"Can't find EId with tickerId:{request.req_id}")
            return
        self._shown.pop(request.req_id, None)
        self._extras.pop(request.req_id, None)
        if line in self._fresh:
            self._fresh.remove(line)
        self._watched = None

    def forget(self) -> None:
        """Every line is gone, without a word; the client has to ask anew."""
        self._lines.clear()
        self._fresh.clear()
        self._shown.clear()
        self._extras.clear()
        self._snapshots.clear()
        self._watched = None

    def watched(self, options: bool) -> tuple[int, ...]:
        """Contract ids behind the live lines on options and combos, or behind all others; no duplicates."""
        if self._watched is None:
            self._watched = {
                kind: tuple(
                    dict.fromkeys(
                        con_id
                        for line in self._lines.values()
                        if line.is_option is kind and not line.is_delayed
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
        self._tell_kinds()
        out = self._peer.outgoing
        late: list[QuoteLine] = []
        for line in self._lines.values():
            if options if line.is_option else others:
                if line.is_delayed:
                    late.append(line)
                else:
                    line.changes(ticks, out)
        past: dict[int, Tick] = {}
        if late:
            past = self._ticks(dict.fromkeys(con_id for line in late for con_id in line.con_ids), True)
            for line in late:
                line.changes(past, out)
        for req_id in self._extras:
            line = self._lines[req_id]
            if options if line.is_option else others:
                self._tell_extras(req_id, past if line.is_delayed else ticks)

    def publish_first(self) -> None:
        """Queue the first ticks of lines opened since the last call, valued together."""
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, []
        for delayed in (False, True):
            lines = [line for line in fresh if line.is_delayed is delayed]
            if lines:
                con_ids = dict.fromkeys(con_id for line in lines for con_id in line.con_ids)
                ticks = self._ticks(con_ids, delayed)
                for line in lines:
                    line.changes(ticks, self._peer.outgoing)
                    if line.req_id in self._extras:
                        self._tell_extras(line.req_id, ticks)

    def end_snapshots(self) -> None:
        """Tell the end of snapshots that have lasted long enough."""
        for req_id in [one for one, due in self._snapshots.items() if due <= self._market.now]:
            del self._snapshots[req_id]
            self._peer.write(replies.snapshot_end(req_id))

    def interrupt(self) -> None:
        """Tell every line that another session of the user took the data."""
        for req_id in self._lines:
            self._peer.error(req_id, 10197, "No market data during competing live session")

    def _extra(self, request: ask.RequestMarketData, line: QuoteLine) -> ExtraTicks:
        kind = "BAG" if line.legs else "OPT"
        if not line.is_option:
            instrument = self._market.instrument(line.con_ids[0])
            kind = "" if instrument is None else instrument.contract.security_type.value
        delay_s = DELAY_S if line.is_delayed else 0.0
        return ExtraTicks(request.req_id, line.con_ids[0], kind, request.generic_ticks, delay_s)

    def _tell_extras(self, req_id: int, ticks: Mapping[int, Tick]) -> None:
        extra = self._extras[req_id]
        extra.changes(ticks, self._market.now.timestamp(), self._peer.outgoing)
        extra.interest(self._market, self._peer.outgoing)

    def _tell_kinds(self) -> None:
        """Say so when lines that may freeze do, or thaw."""
        for req_id, told in self._shown.items():
            kind = self._kind_of(self._lines[req_id])
            if kind != told:
                self._shown[req_id] = kind
                self._peer.write(replies.market_data_type(req_id, kind))

    def _kind_of(self, line: QuoteLine) -> int:
        may_freeze = self._kind in {_FROZEN, _DELAYED_FROZEN} or line.req_id in self._shown
        is_frozen = may_freeze and not self._market.is_open(line.con_ids[0])
        if line.is_delayed:
            return _DELAYED_FROZEN if is_frozen else _DELAYED
        return _FROZEN if is_frozen else _LIVE

    def _ticks(self, con_ids: Iterable[int], delayed: bool = False) -> dict[int, Tick]:
        ticks = self._market.ticks(con_ids, DELAY_S) if delayed else self._market.ticks(con_ids)
        return {tick.con_id: tick for tick in ticks}

    def _refusal(self, request: ask.RequestMarketData) -> tuple[int, str] | None:
        if request.req_id in self._lines or request.req_id in self._snapshots:
            return 102, "Duplicate ticker ID."
        unknown = unknown_generic(request.generic_ticks)
        if unknown:
            cause = f"Incorrect generic tick list of {request.generic_ticks}.  {unknown} is no generic tick"
            return 321, f"Error validating request.-'bQ' : cause - {cause}"
        if not request.snapshot and len(self._lines) >= self._entitlements.lines:
            return 101, "Max number of tickers has been reached."
        return None

    def _admits_delayed(self, req_id: int, symbol: str) -> bool:
        """Whether a line without live data goes on with delayed data; tells the client either way."""
        rights = self._entitlements
        if self._kind in {_DELAYED, _DELAYED_FROZEN}:
            if rights.delayed_data:
                text = "Requested market data is not subscribed. Displaying delayed market data."
                self._peer.error(req_id, 10167, text)
                return True
            text = "Requested market data is not subscribed. Delayed market data is not enabled."
            self._peer.error(req_id, 10186, text)
            return False
        remark = "Delayed market data is available." if rights.delayed_data else ""
        if symbol in rights.symbols_without_api:
            text = (
                "Requested market data requires additional subscription for API."
                f" See link in 'Market Data Connections' dialog for more details.{remark}"
            )
            self._peer.error(req_id, 10089, text)
        else:
            self._peer.error(req_id, 354, f"Requested market data is not subscribed.{remark}")
        return False

    def _instrument(self, request: ask.RequestMarketData) -> Instrument | None:
        """The instrument of the line, for a combo that of its first leg; None unless exactly one."""
        if request.query.security_type == "BAG":
            return self._market.instrument(request.legs[0].con_id) if request.legs else None
        found = find_all(self._market, request.query)
        return found[0] if len(found) == 1 else None

    def _line(
        self, request: ask.RequestMarketData, instrument: Instrument | None, delayed: bool
    ) -> QuoteLine | None:
        if instrument is None:
            return None
        if request.query.security_type == "BAG":
            legs = request.legs
            known = all(leg.ratio >= 1 and self._market.instrument(leg.con_id) is not None for leg in legs)
            con_ids = tuple([leg.con_id for leg in legs])
            return QuoteLine(request.req_id, con_ids, "BAG", legs, delayed) if known else None
        contract = instrument.contract
        kind = contract.security_type.value
        return QuoteLine(request.req_id, (contract.con_id,), kind, delayed=delayed)
