"""The venue's security master: which contracts exist, what they are called and when they stop trading.

Nothing is stored. A contract id is a pure function of the contract's fields and can be read back into them,
so that an id handed out before a restart still names the same option after it, and an expired contract stays
findable. `Listing` holds what decides which contracts are listed in a session: the range of the index over a
year and the months of VX. All expiries of a class share one ladder of strikes: each strike announced for a
class exists for every expiry.
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
)
from simulator.model import Chain, Instrument

#: Rule id -> (from this price, step), as reqMarketRule reports them.
MARKET_RULES: dict[int, tuple[tuple[float, float], ...]] = {
    26: ((0.0, 0.01),),
    67: ((0.0, 0.05),),
    110: ((0.0, 0.05), (3.0, 0.10)),
    109: ((0.0, 0.01), (3.0, 0.05)),
}
#: The first session with week-end PM expiries of the index in this venue.
FIRST_SPXW = date(2010, 12, 1)

_SPX, _VIX = 416904, 13455763
_KNOWN_IDS = {"SPX": _SPX, "VIX": _VIX, "VIX3M": 300591602, "VIX9D": 329498498}
_INDEXES = {
    "SPX": ("CBOE", "S&P 500 Stock Index"),
    "VIX": ("CBOE", "Cboe Volatility Index"),
    "VVIX": ("CBOE", "Cboe VIX of VIX Index"),
    "VIX9D": ("CBOE", "Cboe 9-Day Volatility Index"),
    "VIX3M": ("CBOE", "Cboe 3-Month Volatility Index"),
    "TNX": ("CBOE", "Cboe 10-Year Treasury Yield Index"),
    "AD-NYSE": ("NYSE", "NYSE Advance-Decline"),
}
_STOCKS = {"VNQ": "Vanguard Real Estate ETF", "SPY": "SPDR S&P 500 ETF Trust"}
_MONTH_CODES = "FGHJKMNQUVXZ"

#: Packed ids: 2^30 + class (3 bits), settlement day (14), strike in units (12), right (1); below 2^31.
_PACKED_BASE = 1 << 30
_CLASSES = ("", "SPX", "SPXW", "VIX", "VX")
_FIRST_EXPIRY = date(2000, 1, 1)
_STRIKE_UNIT = {"SPX": 5.0, "SPXW": 5.0, "VIX": 0.5, "VX": 1.0}

_WEEKLY_HORIZON = timedelta(100)
_MONTHLY_HORIZON = timedelta(365)
_VIX_STRIKES = tuple(
    [n / 2.0 for n in range(10, 30)]
    + [float(n) for n in range(15, 50)]
    + [float(n) for n in range(50, 201, 5)]
)


@lru_cache(maxsize=65536)
def contract_id(
    security_type: SecurityType,
    symbol: str,
    trading_class: str = "",
    expiry: date | None = None,
    strike: float = 0.0,
    right: Right | None = None,
) -> int:
    """The id of the contract with these fields. Raises ValueError for what this venue's ids cannot name."""
    if expiry is None:
        if symbol in _KNOWN_IDS:
            return _KNOWN_IDS[symbol]
        return (1 << 29) + (crc32(f"{security_type.value}|{symbol}".encode()) & ((1 << 29) - 1))
    if trading_class not in _STRIKE_UNIT:
        raise ValueError(f"no such trading class: {trading_class!r}")
    days, units = (expiry - _FIRST_EXPIRY).days, strike / _STRIKE_UNIT[trading_class]
    if not 0 <= days < 1 << 14 or not 0 <= units < 1 << 12 or units != int(units):
        raise ValueError(f"no id for {trading_class} {expiry} {strike:g}")
    packed = _CLASSES.index(trading_class) << 27 | days << 13 | int(units) << 1 | (right is Right.CALL)
    return _PACKED_BASE + packed


def contract_of(con_id: int) -> Contract | None:
    """The contract an id names, whether or not it is listed; None when it names nothing."""
    if con_id < _PACKED_BASE:
        return _UNDATED.get(con_id)
    packed = con_id - _PACKED_BASE
    code = packed >> 27
    if not 1 <= code < len(_CLASSES):
        return None
    name = _CLASSES[code]
    expiry = _FIRST_EXPIRY + timedelta(packed >> 13 & 0x3FFF)
    strike = (packed >> 1 & 0xFFF) * _STRIKE_UNIT[name]
    if name == "VX":
        return future(expiry) if packed & 0x1FFF == 0 else None
    return option(name, expiry, strike, Right.CALL if packed & 1 else Right.PUT) if strike > 0 else None


def option(trading_class: str, expiry: date, strike: float, right: Right) -> Contract:
    """An SPX, SPXW or VIX option of this venue, with its id."""
    symbol = "VIX" if trading_class == "VIX" else "SPX"
    con_id = contract_id(SecurityType.OPTION, symbol, trading_class, expiry, strike, right)
    return Contract(
        SecurityType.OPTION, symbol, trading_class, expiry, strike, right, multiplier=100, con_id=con_id
    )


def future(expiry: date) -> Contract:
    """The VX future that settles on `expiry`, with its id."""
    con_id = contract_id(SecurityType.FUTURE, "VIX", "VX", expiry)
    return Contract(SecurityType.FUTURE, "VIX", "VX", expiry, multiplier=1000, exchange="CFE", con_id=con_id)


def index(symbol: str) -> Contract:
    """An index of this venue, with its id. Raises KeyError for an unknown one."""
    exchange, _ = _INDEXES[symbol]
    con_id = contract_id(SecurityType.INDEX, symbol)
    return Contract(SecurityType.INDEX, symbol, symbol, exchange=exchange, con_id=con_id)


def stock(symbol: str) -> Contract:
    """A stock of this venue, with its id. Raises KeyError for an unknown one."""
    if symbol not in _STOCKS:
        raise KeyError(symbol)
    return Contract(SecurityType.STOCK, symbol, symbol, con_id=contract_id(SecurityType.STOCK, symbol))


_UNDATED = {contract.con_id: contract for contract in (*map(index, _INDEXES), *map(stock, _STOCKS))}


def instrument_of(contract: Contract) -> Instrument:
    """The security master's line for a contract of this venue."""
    expiry = contract.expiry
    if expiry is None:
        return _undated(contract)
    if contract.right is None:
        symbol = f"VX{_MONTH_CODES[expiry.month - 1]}{expiry.year % 10}"
        last = vix_last_trade(expiry, Product.VIX_FUTURE).astimezone(UTC)
        return Instrument(
            contract, symbol, "Cboe Volatility Index", 0.05, (("CFE", 67),), _VIX, last_trade=last
        )
    is_vix = contract.symbol == "VIX"
    rule, tick, underlying = (109, 0.01, _VIX) if is_vix else (110, 0.05, _SPX)
    local = (
        f"{contract.trading_class:<6}{expiry:%y%m%d}{contract.right.value}{round(contract.strike * 1000):08d}"
    )
    return Instrument(
        contract,
        local,
        _INDEXES[contract.symbol][1],
        tick,
        (("SMART", rule), ("CBOE", rule)),
        underlying,
        last_trade=option_last_trade(contract.trading_class, expiry).astimezone(UTC),
    )


def trading_ends(contract: Contract) -> datetime | None:
    """The instant (UTC) from which a dated contract is gone: VX at its last trade, options as they settle."""
    if contract.expiry is None:
        return None
    if contract.right is None:
        return vix_last_trade(contract.expiry, Product.VIX_FUTURE).astimezone(UTC)
    return option_expiry_instant(contract.trading_class, contract.expiry).astimezone(UTC)


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

    def expiries(self, trading_class: str, now: datetime) -> tuple[date, ...]:
        """Settlement days of a class that are listed and alive at `now` (aware UTC), ascending."""
        return tuple(day for day in self._listed(trading_class) if _ends(trading_class, day) > now)

    def strikes(self, trading_class: str) -> tuple[float, ...]:
        """The ladder of a class: SPX every 5 points within 12 % of the year's range and every 25 as far as
        half.
        """
        if trading_class == "VIX":
            return _VIX_STRIKES
        return _spx_ladder(self.spx_low, self.spx_high)

    def chains(self, underlying_con_id: int, now: datetime) -> Sequence[Chain]:
        """Option chains on SPX or VIX; expiries as IBKR prints them, the last trading day."""
        classes = {_SPX: ("SPX", "SPXW"), _VIX: ("VIX",)}.get(underlying_con_id, ())
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
        for contract in _UNDATED.values():
            if kind in (None, contract.security_type) and symbol in (None, contract.symbol):
                yield contract
        for name in ("SPX", "SPXW", "VIX", "VX"):
            dated = SecurityType.FUTURE if name == "VX" else SecurityType.OPTION
            wrong_class = wanted.get("trading_class") not in (None, name)
            if (
                kind not in (None, dated)
                or symbol not in (None, "VIX" if name[0] == "V" else "SPX")
                or wrong_class
            ):
                continue
            for expiry in self.expiries(name, now):
                if not _expiry_matches(wanted.get("expiry"), name, expiry):
                    continue
                if name == "VX":
                    yield future(expiry)
                else:
                    yield from self._options(name, expiry, wanted.get("strike"), wanted.get("right"))

    def _options(
        self, name: str, expiry: date, strike: float | None, right: str | None
    ) -> Iterator[Contract]:
        ladder = self.strikes(name)
        for one in ladder if strike is None else [k for k in ladder if k == strike]:
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
        elif name in ("VIX", "VX"):
            if expiry not in vix_expiries(expiry, expiry) and expiry not in self.vx:
                return False
        elif expiry not in (spx_monthly_expiries if name == "SPX" else spxw_expiries)(expiry, expiry):
            return False
        return name == "VX" or contract.strike in _strike_set(name, self.ever_low, self.ever_high)


def _undated(contract: Contract) -> Instrument:
    if contract.security_type is SecurityType.STOCK:
        rules, name = (("SMART", 26), ("ARCA", 26)), _STOCKS[contract.symbol]
        return Instrument(contract, contract.symbol, name, 0.01, rules, primary_exchange="ARCA")
    exchange, name = _INDEXES[contract.symbol]
    return Instrument(contract, contract.symbol, name, 0.01, ((exchange, 26),))


@lru_cache(maxsize=8192)
def _cached_instrument(con_id: int) -> Instrument | None:
    contract = contract_of(con_id)
    return None if contract is None else instrument_of(contract)


@lru_cache(maxsize=64)
def _listed(trading_class: str, session: date, vx: tuple[date, ...]) -> tuple[date, ...]:
    if trading_class in ("VIX", "VX"):
        return vx
    year = session + _MONTHLY_HORIZON
    monthly = spx_monthly_expiries(session, year)
    if trading_class == "SPX":
        return monthly
    if session < FIRST_SPXW:
        return ()
    return tuple(sorted({*spxw_expiries(session, session + _WEEKLY_HORIZON), *monthly}))


@lru_cache(maxsize=16)
def _spx_ladder(low: float, high: float) -> tuple[float, ...]:
    near = range(int(low * 0.88 // 5), int(high * 1.12 // 5) + 1)
    far = range(int(low * 0.5 // 25) + 1, int(high * 1.5 // 25) + 1)
    return tuple(sorted({5.0 * n for n in near} | {25.0 * n for n in far}))


@lru_cache(maxsize=16)
def _strike_set(name: str, low: float, high: float) -> frozenset[float]:
    return frozenset(_VIX_STRIKES if name == "VIX" else _spx_ladder(low, high))


@lru_cache(maxsize=1024)
def _ends(trading_class: str, expiry: date) -> datetime:
    if trading_class == "VX":
        return vix_last_trade(expiry, Product.VIX_FUTURE).astimezone(UTC)
    return option_expiry_instant(trading_class, expiry).astimezone(UTC)


def _expiry_matches(wanted: Any, name: str, expiry: date) -> bool:
    if wanted is None or wanted == expiry:
        return True
    if isinstance(wanted, tuple):
        return wanted == (expiry.year, expiry.month)
    return name != "VX" and wanted == option_last_trade(name, expiry).date()


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
