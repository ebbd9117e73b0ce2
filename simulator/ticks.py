"""Ticks as text: what changed in a quote since it was last sent, for one subscription at a time.

This is the gateway's hot path. Messages are f-strings over fields already known to be plain, and a whole
step of them is joined and encoded once (simulator/wire.py). Sizes ride on price messages; a size that
moved alone is sent alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from simulator.model import OrderLeg, Tick
from simulator.wire import prefixed


@dataclass(frozen=True, slots=True)
class TickTypes:
    """The numbers under which one kind of data is sent."""

    bid: int
    ask: int
    last: int
    high: int
    low: int
    close: int
    open: int
    bid_size: int
    ask_size: int
    model: int
    halted: int


LIVE: Final = TickTypes(1, 2, 4, 6, 7, 9, 14, 0, 3, 13, 49)
DELAYED: Final = TickTypes(66, 67, 68, 72, 73, 75, 76, 69, 70, 83, 90)

#: What a client has seen before its first tick. NaN differs from every quote, so that the first one is
#: sent whole.
_NAN = float("nan")
_UNSEEN = Tick(-1, bid=_NAN, ask=_NAN)
_UNQUOTED = Tick(-1)


class QuoteLine:
    """One market-data subscription and the quote its client has seen last."""

    __slots__ = (
        "_price", "_seen", "_size", "_types", "con_ids", "is_delayed", "is_option", "legs", "req_id",
    )  # fmt: skip

    def __init__(
        self,
        req_id: int,
        con_ids: tuple[int, ...],
        security_type: str,
        legs: tuple[OrderLeg, ...] = (),
        delayed: bool = False,
    ) -> None:
        self.req_id = req_id
        self.is_delayed = delayed
        self._types = DELAYED if delayed else LIVE
        self.con_ids = con_ids
        self.is_option = security_type in {"OPT", "BAG"}
        self.legs = legs
        # An index has no sides to be missing; of everything else an absent side is told as such.
        self._seen = _UNQUOTED if security_type == "IND" else _UNSEEN
        self._price = f"1\x006\x00{req_id}\x00"
        self._size = f"2\x006\x00{req_id}\x00"

    def changes(self, ticks: Mapping[int, Tick], out: list[str]) -> None:
        """Append the messages that take the client from what it saw to `ticks`; nothing while a needed tick
        is missing.
        """
        new = combo_tick(self.legs, ticks) if self.legs else ticks.get(self.con_ids[0])
        old = self._seen
        if new is None or new is old:
            return
        self._seen = new
        self._sides(old, new, out)
        if new.last != old.last and new.last is not None:
            out.append(prefixed(f"{self._price}{self._types.last}\x00{new.last}\x000\x000\x00"))
        if (
            new.model_price != old.model_price
            or new.implied_volatility != old.implied_volatility
            or new.delta != old.delta
        ):
            out.append(_model(self.req_id, new, self._types.model))
        if new.high != old.high or new.low != old.low or new.close != old.close or new.open != old.open:
            self._session(old, new, out)
        if new.halted != old.halted:
            out.append(
                prefixed(f"45\x006\x00{self.req_id}\x00{self._types.halted}\x00{1 if new.halted else 0}\x00")
            )

    def _sides(self, old: Tick, new: Tick, out: list[str]) -> None:
        types = self._types
        if new.bid != old.bid:
            if new.bid is None:
                out.append(prefixed(f"{self._price}{types.bid}\x00-1\x000\x000\x00"))
            else:
                out.append(prefixed(f"{self._price}{types.bid}\x00{new.bid}\x00{new.bid_size}\x001\x00"))
        elif new.bid_size != old.bid_size and new.bid is not None:
            out.append(prefixed(f"{self._size}{types.bid_size}\x00{new.bid_size}\x00"))
        if new.ask != old.ask:
            if new.ask is None:
                out.append(prefixed(f"{self._price}{types.ask}\x00-1\x000\x000\x00"))
            else:
                out.append(prefixed(f"{self._price}{types.ask}\x00{new.ask}\x00{new.ask_size}\x001\x00"))
        elif new.ask_size != old.ask_size and new.ask is not None:
            out.append(prefixed(f"{self._size}{types.ask_size}\x00{new.ask_size}\x00"))

    def _session(self, old: Tick, new: Tick, out: list[str]) -> None:
        for kind, before, now in (
            (self._types.close, old.close, new.close),
            (self._types.open, old.open, new.open),
            (self._types.high, old.high, new.high),
            (self._types.low, old.low, new.low),
        ):
            if now is not None and now != before:
                out.append(prefixed(f"{self._price}{kind}\x00{now}\x000\x000\x00"))


def combo_tick(legs: Sequence[OrderLeg], ticks: Mapping[int, Tick]) -> Tick | None:
    """The net quote of a combo from its legs: what one unit can be sold and bought for at the top of book.

    A side is None when a leg lacks the side it needs; the size is the number of units the thinnest leg
    carries. None when a leg has no tick at all.
    """
    bid: float | None = 0.0
    ask: float | None = 0.0
    bid_units: list[int] = []
    ask_units: list[int] = []
    for leg in legs:
        tick = ticks.get(leg.con_id)
        if tick is None:
            return None
        bought = leg.action == "BUY"
        hit, hit_size = (tick.bid, tick.bid_size) if bought else (tick.ask, tick.ask_size)
        lift, lift_size = (tick.ask, tick.ask_size) if bought else (tick.bid, tick.bid_size)
        weight = leg.ratio if bought else -leg.ratio
        bid = None if bid is None or hit is None else bid + weight * hit
        ask = None if ask is None or lift is None else ask + weight * lift
        bid_units.append(hit_size // leg.ratio)
        ask_units.append(lift_size // leg.ratio)
    return Tick(
        0,
        bid=None if bid is None else round(bid, 6),
        ask=None if ask is None else round(ask, 6),
        bid_size=0 if bid is None else min(bid_units),
        ask_size=0 if ask is None else min(ask_units),
    )


def _model(req_id: int, tick: Tick, kind: int) -> str:
    """Message 21 on the venue's model: -1 and -2 stand for what is not known, as in the protocol."""
    volatility = -1 if tick.implied_volatility is None else tick.implied_volatility
    delta = -2 if tick.delta is None else tick.delta
    price = -1 if tick.model_price is None else tick.model_price
    gamma = -2 if tick.gamma is None else tick.gamma
    vega = -2 if tick.vega is None else tick.vega
    theta = -2 if tick.theta is None else tick.theta
    underlying = -1 if tick.underlying is None else tick.underlying
    return prefixed(
        f"21\x00{req_id}\x00{kind}\x000\x00{volatility}\x00{delta}\x00{price}\x000.0\x00{gamma}"
        f"\x00{vega}\x00{theta}\x00{underlying}\x00"
    )
