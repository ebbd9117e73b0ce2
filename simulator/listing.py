"""Which contracts are listed in a session, and how they are found.

`Listing` holds what decides it: the range of the index over a year and the months of VX. All expiries of a
class share one ladder of strikes, and each strike announced for a class exists for every expiry; with sparse
chains, as at the real exchange, only every strike of 25 points (VIX: of 5) does, and of the others some.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zlib import crc32

from market.contract import Contract, Right, SecurityType
from market.sessions import (
    Product,
    is_session,
    option_expiry_instant,
    option_last_trade,
    spx_monthly_expiries,
    spxw_expiries,
    vix_expiries,
    vix_last_trade,
    vixw_expiries,
)
from simulator.classes import CLASSES, FIRST_SPXW, FIRST_VXM, settles_as
from simulator.instruments import UNDATED, contract_id, contract_of, future, instrument_of, option
from simulator.model import Chain, Instrument
from simulator.weekday_expiries import is_weekday_expiry, weekday_expiries_listed

_WEEKLY_HORIZON = timedelta(100)
_VIX_WEEKLY_HORIZON = timedelta(42)
_MONTHLY_HORIZON = timedelta(365)
_VIX_STRIKES = tuple(
    [n / 2.0 for n in range(10, 30)]
    + [float(n) for n in range(15, 50)]
    + [float(n) for n in range(50, 201, 5)]
)
#: Underlying -> option classes on it, in the order in which they are announced.
_OPTIONS_ON = {
    contract_id(SecurityType.INDEX, symbol): tuple(
        one.name for one in CLASSES.values() if one.underlying == symbol and not one.is_future
    )
    for symbol in ("SPX", "VIX", "XSP")
}


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed in one session. `spx_low`, `spx_high`: range of the index over the year before; the
    `ever_` pair over all sessions known. `vx`: settlement days of the listed VX contracts, ascending.
    """

    session: date
    spx_low: float
    spx_high: float
    ever_low: float
    ever_high: float
    vx: tuple[date, ...]
    sparse: bool = False

    def expiries(self, trading_class: str, now: datetime) -> tuple[date, ...]:
        """Settlement days of a class that are listed and alive at `now` (aware UTC), ascending."""
        return tuple(day for day in self._listed(trading_class) if _ends(trading_class, day) > now)

    def strikes(self, trading_class: str) -> tuple[float, ...]:
        """The ladder of a class: SPX every 5 points within 12 % of the year's range and every 25 as far as
        half.
        """
        return _ladder(trading_class, self.spx_low, self.spx_high)

    def chains(self, underlying_con_id: int, now: datetime) -> Sequence[Chain]:
        """Option chains on SPX, VIX or XSP; expiries as IBKR prints them, the last trading day."""
        classes = _OPTIONS_ON.get(underlying_con_id, ())
        found = []
        for name in classes:
            expiries = tuple(option_last_trade(name, day).date() for day in self.expiries(name, now))
            if expiries:
                found += [
                    Chain(exchange, underlying_con_id, name, 100, expiries, self.strikes(name))
                    for exchange in ("SMART", "CBOE")
                ]
        return found

    def instrument(self, con_id: int) -> Instrument | None:
        """The instrument with this id if it is listed or was, expired or not."""
        contract = contract_of(con_id)
        if contract is None or (contract.expiry is not None and not self._ever_listed(contract)):
            return None
        return _cached_instrument(con_id)

    def find(self, fields: dict[str, Any], now: datetime) -> Sequence[Instrument]:
        """Instruments alive at `now` that match all `fields` (see Market.find); with con_id also expired
        ones.

        An expiry given as a day matches the settlement day and the last trading day; (year, month) the
        contract month.
        """
        wanted = {name: value for name, value in fields.items() if value not in (None, "", 0)}
        con_id = wanted.pop("con_id", None)
        if con_id is not None:
            line = self.instrument(con_id)
            return [line] if line is not None and _matches(line, wanted) else []
        lines = (instrument_of(contract) for contract in self._candidates(wanted, now))
        return [line for line in lines if _matches(line, wanted)]

    def _candidates(self, wanted: dict[str, Any], now: datetime) -> Iterator[Contract]:
        kind, symbol = wanted.get("security_type"), wanted.get("symbol")
        for contract in UNDATED.values():
            if kind in (None, contract.security_type) and symbol in (None, contract.symbol):
                yield contract
        for name, one in CLASSES.items():
            dated = SecurityType.FUTURE if one.is_future else SecurityType.OPTION
            wrong_class = wanted.get("trading_class") not in (None, name)
            if kind not in (None, dated) or symbol not in (None, one.symbol) or wrong_class:
                continue
            for expiry in self.expiries(name, now):
                if not _expiry_matches(wanted.get("expiry"), name, expiry):
                    continue
                if one.is_future:
                    yield future(expiry, name)
                else:
                    yield from self._options(name, expiry, wanted.get("strike"), wanted.get("right"))

    def _options(
        self, name: str, expiry: date, strike: float | None, right: str | None
    ) -> Iterator[Contract]:
        ladder = self.strikes(name)
        for one in ladder if strike is None else [k for k in ladder if k == strike]:
            if self.sparse and not _in_sparse(name, expiry, one):
                continue
            for side in Right:
                if right is None or right[0] == side.value:
                    yield option(name, expiry, one, side)

    def _listed(self, trading_class: str) -> tuple[date, ...]:
        return _listed(trading_class, self.session, self.vx)

    def _ever_listed(self, contract: Contract) -> bool:
        expiry = contract.expiry
        if expiry is None or not is_session(expiry):
            return False
        name = contract.trading_class
        if expiry > self.session:
            if expiry not in self._listed(name):
                return False
        elif expiry not in _expired(name, expiry) and not (settles_as(name) == "VIX" and expiry in self.vx):
            return False
        if CLASSES[name].is_future:
            return name != "VXM" or expiry >= FIRST_VXM
        if self.sparse and not _in_sparse(name, expiry, contract.strike):
            return False
        return contract.strike in _strike_set(name, self.ever_low, self.ever_high)


@lru_cache(maxsize=8192)
def _cached_instrument(con_id: int) -> Instrument | None:
    contract = contract_of(con_id)
    return None if contract is None else instrument_of(contract)


@lru_cache(maxsize=64)
def _listed(trading_class: str, session: date, vx: tuple[date, ...]) -> tuple[date, ...]:
    if trading_class == "VXM":
        return vx if session >= FIRST_VXM else ()
    if trading_class in ("VIX", "VX"):
        return vx
    if trading_class == "VIXW":
        return _weekly_vix(session, session + _VIX_WEEKLY_HORIZON)
    monthly = spx_monthly_expiries(session, session + _MONTHLY_HORIZON)
    if trading_class == "SPX":
        return monthly
    if session < FIRST_SPXW:
        return ()
    weekdays = weekday_expiries_listed(session) if trading_class == "SPXW" else ()
    return tuple(sorted({*spxw_expiries(session, session + _WEEKLY_HORIZON), *monthly, *weekdays}))


def _weekly_vix(first: date, last: date) -> tuple[date, ...]:
    try:
        return vixw_expiries(first, last)
    except ValueError:
        return ()  # the calendar ends before the Fridays behind these settlements


def _expired(trading_class: str, day: date) -> tuple[date, ...]:
    """The day itself if the class ever settled on it."""
    if trading_class == "VIXW":
        return _weekly_vix(day, day)
    if trading_class in ("VIX", "VX", "VXM"):
        return vix_expiries(day, day)
    if trading_class == "SPXW" and is_weekday_expiry(day):
        return (day,)
    return (spx_monthly_expiries if trading_class == "SPX" else spxw_expiries)(day, day)


@lru_cache(maxsize=16)
def _ladder(trading_class: str, low: float, high: float) -> tuple[float, ...]:
    if CLASSES[trading_class].underlying == "VIX":
        return _VIX_STRIKES
    near = range(int(low * 0.88 // 5), int(high * 1.12 // 5) + 1)
    far = range(int(low * 0.5 // 25) + 1, int(high * 1.5 // 25) + 1)
    ladder = tuple(sorted({5.0 * n for n in near} | {25.0 * n for n in far}))
    return tuple(strike / 10.0 for strike in ladder) if trading_class == "XSP" else ladder


@lru_cache(maxsize=16)
def _strike_set(trading_class: str, low: float, high: float) -> frozenset[float]:
    return frozenset(_ladder(trading_class, low, high))


def _in_sparse(trading_class: str, expiry: date, strike: float) -> bool:
    """Whether a sparse chain has the strike: every fifth step, and of the others two in three."""
    step = 5.0 if CLASSES[trading_class].underlying == "VIX" else 25.0 * CLASSES[trading_class].scale
    if strike % step == 0.0:
        return True
    return crc32(f"{trading_class}|{expiry.isoformat()}|{strike:g}".encode()) % 3 != 0


@lru_cache(maxsize=1024)
def _ends(trading_class: str, expiry: date) -> datetime:
    if CLASSES[trading_class].is_future:
        return vix_last_trade(expiry, Product.VIX_FUTURE).astimezone(UTC)
    return option_expiry_instant(trading_class, expiry).astimezone(UTC)


def _expiry_matches(wanted: Any, name: str, expiry: date) -> bool:
    if wanted is None or wanted == expiry:
        return True
    if isinstance(wanted, tuple):
        return wanted == (expiry.year, expiry.month)
    return not CLASSES[name].is_future and wanted == option_last_trade(name, expiry).date()


def _matches(line: Instrument, wanted: dict[str, Any]) -> bool:
    contract = line.contract
    for name, value in wanted.items():
        if name == "expiry":
            if contract.expiry is None or not _expiry_matches(value, contract.trading_class, contract.expiry):
                return False
        elif name == "right":
            if contract.right is None or str(value)[0] != contract.right.value:
                return False
        elif name == "exchange":
            if value not in [exchange for exchange, _ in line.market_rules]:
                return False
        elif name == "local_symbol":
            if value != line.local_symbol:
                return False
        elif name == "primary_exchange":
            if value != line.primary_exchange:
                return False
        elif getattr(contract, name) != value:
            return False
    return True
