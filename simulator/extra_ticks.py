"""Ticks beside the quote of a line: its last trade's time, the price it is marked at, contracts open.

The time of the last trade comes by itself for stocks and futures; the mark is asked for with the generic
ticks 221 or 232, the open interest of an option with 101: both kinds are told, 0 for the other right. Other
generic ticks are taken and give nothing: the venue keeps no volumes.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from market.contract import Right
from market.sessions import MARKET_TZ
from simulator import replies
from simulator.account import mark_of
from simulator.model import Market, Tick
from simulator.open_interest import counted

_MARK_REQUESTS: Final = frozenset({"221", "232"})
_INTEREST_REQUEST: Final = "101"
_CALL_INTEREST, _PUT_INTEREST = 27, 28
_MARK, _LAST_TIMESTAMP, _DELAYED_TIMESTAMP = 37, 45, 88
_KNOWN: Final = frozenset({
    100, 101, 104, 105, 106, 162, 165, 221, 225, 232, 233, 236, 256, 258, 292, 293, 294, 295, 318, 375, 411,
    456, 460, 576, 577, 586, 587, 588, 595, 614, 619, 623,
})  # fmt: skip


def unknown_generic(generic_ticks: str) -> str:
    """The first entry of a generic tick list that is no generic tick; empty when all are.

    An entry may carry a provider after a colon, as news ticks do.
    """
    asked = (one.strip().partition(":")[0] for one in generic_ticks.split(",") if one.strip())
    return next((one for one in asked if one != "mdoff" and not _is_known(one)), "")


def _is_known(entry: str) -> bool:
    return entry.isascii() and entry.isdigit() and len(entry) < 6 and int(entry) in _KNOWN


class ExtraTicks:
    """What one line gets beside its quote."""

    __slots__ = (
        "_con_id",
        "_counted",
        "_delay_s",
        "_interest",
        "_interests",
        "_last",
        "_mark",
        "_marks",
        "_req_id",
        "_trades",
    )

    def __init__(
        self, req_id: int, con_id: int, security_type: str, generic_ticks: str, delay_s: float
    ) -> None:
        """`delay_s`: how far the line's quotes lie behind, 0 where they are live."""
        self._req_id = req_id
        self._con_id = con_id
        self._delay_s = delay_s
        self._trades = security_type in {"STK", "FUT"}
        asked = {one.strip() for one in generic_ticks.split(",")}
        self._marks = bool(asked & _MARK_REQUESTS) and security_type != "BAG"
        self._interests = _INTEREST_REQUEST in asked and security_type == "OPT"
        self._counted: date | None = None
        self._interest: int | None = None
        self._last: float | None = None
        self._mark: float | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing will ever come."""
        return not (self._trades or self._marks or self._interests)

    def interest(self, market: Market, out: list[str]) -> None:
        """Append the contracts open where they were asked for, once each day on which they are others."""
        if not self._interests:
            return
        day = market.now.astimezone(MARKET_TZ).date()
        if day == self._counted:
            return
        self._counted = day
        instrument = market.instrument(self._con_id)
        count = None if instrument is None else counted(market, instrument, day)
        if instrument is None or count is None or count == self._interest:
            return
        self._interest = count
        is_call = instrument.contract.right is Right.CALL
        out.append(replies.tick_size(self._req_id, _CALL_INTEREST, count if is_call else 0))
        out.append(replies.tick_size(self._req_id, _PUT_INTEREST, 0 if is_call else count))

    def changes(self, ticks: Mapping[int, Tick], epoch: float, out: list[str]) -> None:
        """Append what moved with `ticks`, quotes as they are sent at market time `epoch`."""
        tick = ticks.get(self._con_id)
        if tick is None:
            return
        if self._trades and tick.last is not None and tick.last != self._last:
            self._last = tick.last
            kind = _DELAYED_TIMESTAMP if self._delay_s else _LAST_TIMESTAMP
            out.append(replies.tick_string(self._req_id, kind, str(int(epoch - self._delay_s))))
        if self._marks and not self._delay_s:
            mark = mark_of(tick)
            if mark is not None and mark != self._mark:
                self._mark = mark
                out.append(replies.tick_price(self._req_id, _MARK, round(mark, 6), 0, 0))
