"""One client's view of the account: values, portfolio, positions and profit, asked for once or followed.

Values that moved are told after each change of a position and otherwise every three minutes, as the
broker does; profit and loss about once a second. A value that did not move is not told again.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from simulator import client_messages as ask
from simulator import replies
from simulator.model import PositionLine
from simulator.peer import Peer
from simulator.venue import Venue

_VALUES_EVERY_S: Final = 180.0
_PNL_EVERY_S: Final = 1.0
_SUMMARIES: Final = 2
_REPLACED: Final = "New account data requested from TWS.  API client has been unsubscribed from account data."
_FOLLOWED_ELSEWHERE: Final = (
    "Unable to subscribe to account as the following clients are subscribed to a different account:"
)

Figures = tuple[float, ...]
#: Other clients that follow an account: their ids and its name.
Others = Callable[[], Mapping[int, str]]


class AccountFeed:
    """Serves the account requests of one client."""

    def __init__(self, peer: Peer, venue: Venue, others: Others) -> None:
        self._peer = peer
        self._venue = venue
        self._others = others
        self._updates = False
        self.updates_of = ""  # the account as it was subscribed to; empty: to none
        self._positions = False
        self._told: dict[tuple[str, str], str] = {}
        self._told_portfolio: dict[int, PositionLine] = {}
        self._summaries: dict[int, tuple[frozenset[str], dict[tuple[str, str], str]]] = {}
        self._multis: dict[int, tuple[ask.RequestAccountUpdatesMulti, dict[tuple[str, str], str]]] = {}
        self._pnl: dict[int, Figures] = {}
        self._pnl_single: dict[int, tuple[int, Figures]] = {}
        self._values_at: datetime | None = None
        self._pnl_at: datetime | None = None

    def follow_updates(self, request: ask.RequestAccountUpdates) -> None:
        """Values and portfolio now, then changes; or stop. An account has one name at a time: `All` beside
        the account's own is another one, which replaces that of this client (2100) and is refused while
        another client follows it (2101).
        """
        if not self._is_ours(request.account, -1):
            return
        name = request.account or self._venue.account_id
        if request.subscribe:
            apart = [client_id for client_id, other in self._others().items() if other != name]
            if apart:
                who = ", ".join(str(client_id) for client_id in sorted(apart))
                self._peer.error(-1, 2101, f"{_FOLLOWED_ELSEWHERE}{who}")
                return
            if self.updates_of not in {"", name}:
                self._peer.error(-1, 2100, _REPLACED)
        self._updates = request.subscribe
        self.updates_of = name if request.subscribe else ""
        if not request.subscribe:
            return
        self._told.clear()
        self._told_portfolio.clear()
        self._tell_values()
        self._tell_portfolio(self._venue.positions())
        self._tell_time()
        self._peer.write(replies.account_download_end(self._venue.account_id))

    def follow_summary(self, request: ask.RequestAccountSummary) -> None:
        """Chosen values now, then changes. More than two at a time are refused."""
        if request.req_id not in self._summaries and len(self._summaries) >= _SUMMARIES:
            cause = "Maximum number of account summary requests exceeded"
            self._peer.error(request.req_id, 322, f"Error processing request.-'bE' : cause - {cause}")
            return
        self._summaries[request.req_id] = (frozenset(tag.strip() for tag in request.tags.split(",")), {})
        self._tell_summary(request.req_id)
        self._peer.write(replies.account_summary_end(request.req_id))

    def follow_multi(self, request: ask.RequestAccountUpdatesMulti) -> None:
        """Values under a request id now, then changes."""
        if self._is_ours(request.account, request.req_id):
            self._multis[request.req_id] = (request, {})
            self._tell_multi(request.req_id)
            self._peer.write(replies.account_update_multi_end(request.req_id))

    def follow_positions(self) -> None:
        """Positions now, then changes."""
        self._positions = True
        self._tell_positions(self._venue.positions())
        self._peer.write(replies.position_end())

    def stop(self, request: object) -> None:
        """Take a cancel message of any of the subscriptions; an unknown id is ignored, as the broker does."""
        match request:
            case ask.CancelAccountSummary(req_id):
                self._summaries.pop(req_id, None)
            case ask.CancelAccountUpdatesMulti(req_id):
                self._multis.pop(req_id, None)
            case ask.CancelPositions():
                self._positions = False
            case ask.CancelPnl(req_id):
                self._pnl.pop(req_id, None)
            case ask.CancelPnlSingle(req_id):
                self._pnl_single.pop(req_id, None)

    def follow_pnl(self, request: ask.RequestPnl) -> None:
        """Profit and loss of the account."""
        if self._is_ours(request.account, request.req_id):
            self._pnl[request.req_id] = ()
            self._tell_pnl()

    def follow_pnl_single(self, request: ask.RequestPnlSingle) -> None:
        """Profit and loss of one position."""
        if self._is_ours(request.account, request.req_id):
            self._pnl_single[request.req_id] = (request.con_id, ())
            self._tell_pnl_single()

    def changed(self, con_ids: Iterable[int]) -> None:
        """Positions of `con_ids` or account values moved."""
        wanted = set(con_ids)
        if wanted and (self._positions or self._updates):
            held = [line for line in self._venue.positions() if line.con_id in wanted]
            gone = sorted(wanted - {line.con_id for line in held})
            lines = [*held, *[PositionLine(con_id, 0.0, 0.0, None, None, None, 0.0) for con_id in gone]]
            if self._positions:
                self._tell_positions(lines)
            if self._updates:
                self._tell_portfolio(lines)
        self._tell_all_values()

    def tick(self, now: datetime) -> None:
        """Make the regular pushes that are due at market time `now`."""
        if (self._pnl or self._pnl_single) and _due(now, self._pnl_at, _PNL_EVERY_S):
            self._pnl_at = now
            self._tell_pnl()
            self._tell_pnl_single()
        if (self._updates or self._summaries or self._multis) and _due(now, self._values_at, _VALUES_EVERY_S):
            if self._values_at is not None:
                self._tell_all_values()
                if self._updates:
                    self._tell_portfolio(self._venue.positions())
            self._values_at = now

    def _is_ours(self, account: str, req_id: int) -> bool:
        if account in {"", "All", self._venue.account_id}:
            return True
        cause = f"Invalid account code '{account}'."
        self._peer.error(req_id, 321, f"Error validating request.-'bN' : cause - {cause}")
        return False

    def _tell_all_values(self) -> None:
        if self._updates:
            self._tell_values()
            self._tell_time()
        for req_id in self._summaries:
            self._tell_summary(req_id)
        for req_id in self._multis:
            self._tell_multi(req_id)

    def _tell_values(self) -> None:
        account = self._venue.account_id
        for key, value, currency in _moved(self._venue.account_values(), self._told):
            self._peer.write(replies.account_value(key, value, currency, account))

    def _tell_summary(self, req_id: int) -> None:
        tags, told = self._summaries[req_id]
        chosen = [row for row in self._venue.account_values() if row[0] in tags]
        for key, value, currency in _moved(chosen, told):
            self._peer.write(replies.account_summary(req_id, self._venue.account_id, key, value, currency))

    def _tell_multi(self, req_id: int) -> None:
        request, told = self._multis[req_id]
        account = self._venue.account_id
        rows = self._venue.account_values()
        if request.ledger_only:
            rows = [
                row
                for row in rows
                if row[0] == "NetLiquidation" or "Cash" in row[0] or row[0].endswith("PnL")
            ]
        for key, value, currency in _moved(rows, told):
            self._peer.write(
                replies.account_update_multi(req_id, account, request.model, key, value, currency)
            )

    def _tell_time(self) -> None:
        now = self._venue.market.now.astimezone(replies.NEW_YORK)
        self._peer.write(replies.account_time(f"{now:%H:%M}"))

    def _tell_positions(self, lines: Iterable[PositionLine]) -> None:
        for line in lines:
            instrument = self._venue.market.instrument(line.con_id)
            if instrument is not None:
                account = self._venue.account_id
                self._peer.write(replies.position(account, instrument, line.quantity, line.average_cost))

    def _tell_portfolio(self, lines: Iterable[PositionLine]) -> None:
        for line in lines:
            if self._told_portfolio.get(line.con_id) == line:
                continue
            self._told_portfolio[line.con_id] = line
            instrument = self._venue.market.instrument(line.con_id)
            if instrument is not None:
                self._peer.write(replies.portfolio_value(line, instrument, self._venue.account_id))

    def _tell_pnl(self) -> None:
        if not self._pnl:
            return
        figures = self._venue.pnl()
        for req_id, told in self._pnl.items():
            if told != figures:
                self._pnl[req_id] = figures
                self._peer.write(replies.pnl(req_id, *figures))

    def _tell_pnl_single(self) -> None:
        if not self._pnl_single:
            return
        lines = {line.con_id: line for line in self._venue.positions()}
        for req_id, (con_id, told) in self._pnl_single.items():
            line = lines.get(con_id)
            figures: Figures = (0.0, 0.0, 0.0, 0.0, 0.0)
            if line is not None:
                figures = (
                    line.quantity,
                    line.daily_pnl or 0.0,
                    line.unrealised_pnl or 0.0,
                    line.realised_pnl,
                    line.market_value or 0.0,
                )
            if told != figures:
                self._pnl_single[req_id] = (con_id, figures)
                self._peer.write(replies.pnl_single(req_id, *figures))


def _due(now: datetime, last: datetime | None, interval_s: float) -> bool:
    return last is None or (now - last).total_seconds() >= interval_s


def _moved(
    rows: Iterable[tuple[str, str, str]], told: dict[tuple[str, str], str]
) -> list[tuple[str, str, str]]:
    moved = []
    for key, value, currency in rows:
        if told.get((key, currency)) != value:
            told[key, currency] = value
            moved.append((key, value, currency))
    return moved
