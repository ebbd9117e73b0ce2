"""The venue's contracts: their ids, what they are called and when they stop trading.

Nothing is stored. A contract id is a pure function of the contract's fields and can be read back into them,
so that an id handed out before a restart still names the same option after it, and an expired contract stays
findable. Which of them are listed in a session is decided in `simulator/listing.py`.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zlib import crc32

from market.contract import Contract, Right, SecurityType
from market.sessions import (
    Product,
    option_expiry_instant,
    option_last_trade,
    vix_last_trade,
)
from simulator.classes import BY_CODE, CLASSES, CODES
from simulator.model import Instrument

#: Rule id -> (from this price, step), as reqMarketRule reports them.
MARKET_RULES: dict[int, tuple[tuple[float, float], ...]] = {
    26: ((0.0, 0.01),),
    67: ((0.0, 0.05),),
    110: ((0.0, 0.05), (3.0, 0.10)),
    109: ((0.0, 0.01), (3.0, 0.05)),
}

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
    "XSP": ("CBOE", "Mini-SPX Index"),
}
#: Symbol -> primary exchange and name.
_STOCKS = {
    "VNQ": ("ARCA", "Vanguard Real Estate ETF"),
    "SPY": ("ARCA", "SPDR S&P 500 ETF Trust"),
    "VXX": ("BATS", "iPath Series B S&P 500 VIX Short-Term Futures ETN"),
    "UVXY": ("BATS", "ProShares Ultra VIX Short-Term Futures ETF"),
}
_MONTH_CODES = "FGHJKMNQUVXZ"

#: Packed ids: 2^30 + class (3 bits), settlement day (14), strike in units (12), right (1); below 2^31.
_PACKED_BASE = 1 << 30
_FIRST_EXPIRY = date(2000, 1, 1)


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
    if trading_class not in CLASSES:
        raise ValueError(f"no such trading class: {trading_class!r}")
    days, units = (expiry - _FIRST_EXPIRY).days, strike / CLASSES[trading_class].strike_unit
    if not 0 <= days < 1 << 14 or not 0 <= units < 1 << 12 or units != int(units):
        raise ValueError(f"no id for {trading_class} {expiry} {strike:g}")
    packed = CODES[trading_class] << 27 | days << 13 | int(units) << 1 | (right is Right.CALL)
    return _PACKED_BASE + packed


@lru_cache(maxsize=8192)
def contract_of(con_id: int) -> Contract | None:
    """The contract an id names, whether or not it is listed; None when it names nothing."""
    if con_id < _PACKED_BASE:
        return UNDATED.get(con_id)
    packed = con_id - _PACKED_BASE
    one = BY_CODE.get(packed >> 27)
    if one is None:
        return None
    expiry = _FIRST_EXPIRY + timedelta(packed >> 13 & 0x3FFF)
    strike = (packed >> 1 & 0xFFF) * one.strike_unit
    if one.is_future:
        return future(expiry, one.name) if packed & 0x1FFF == 0 else None
    return option(one.name, expiry, strike, Right.CALL if packed & 1 else Right.PUT) if strike > 0 else None


def option(trading_class: str, expiry: date, strike: float, right: Right) -> Contract:
    """An option of one of the venue's classes, with its id."""
    one = CLASSES.get(trading_class)
    symbol = "" if one is None else one.symbol
    con_id = contract_id(SecurityType.OPTION, symbol, trading_class, expiry, strike, right)
    return Contract(
        SecurityType.OPTION, symbol, trading_class, expiry, strike, right, multiplier=100, con_id=con_id
    )


def future(expiry: date, trading_class: str = "VX") -> Contract:
    """The VX or VXM future that settles on `expiry`, with its id."""
    one = CLASSES[trading_class]
    con_id = contract_id(SecurityType.FUTURE, one.symbol, one.name, expiry)
    return Contract(
        SecurityType.FUTURE, one.symbol, one.name, expiry,
        multiplier=one.multiplier, exchange="CFE", con_id=con_id,
    )  # fmt: skip


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


UNDATED = {contract.con_id: contract for contract in (*map(index, _INDEXES), *map(stock, _STOCKS))}


def instrument_of(contract: Contract) -> Instrument:
    """The security master's line for a contract of this venue."""
    expiry = contract.expiry
    if expiry is None:
        return _undated(contract)
    one = CLASSES[contract.trading_class]
    underlying = contract_id(SecurityType.INDEX, one.underlying)
    name = _INDEXES[one.underlying][1]
    if contract.right is None:
        symbol = f"{one.name}{_MONTH_CODES[expiry.month - 1]}{expiry.year % 10}"
        last = vix_last_trade(expiry, Product.VIX_FUTURE).astimezone(UTC)
        rules = (("CFE", one.market_rule),)
        return Instrument(contract, symbol, name, one.min_tick, rules, underlying, last_trade=last)
    local = (
        f"{contract.trading_class:<6}{expiry:%y%m%d}{contract.right.value}{round(contract.strike * 1000):08d}"
    )
    return Instrument(
        contract,
        local,
        name,
        one.min_tick,
        (("SMART", one.market_rule), ("CBOE", one.market_rule)),
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


def _undated(contract: Contract) -> Instrument:
    if contract.security_type is SecurityType.STOCK:
        primary, name = _STOCKS[contract.symbol]
        rules = (("SMART", 26), (primary, 26))
        return Instrument(contract, contract.symbol, name, 0.01, rules, primary_exchange=primary)
    exchange, name = _INDEXES[contract.symbol]
    return Instrument(contract, contract.symbol, name, 0.01, ((exchange, 26),))
