"""Which contracts exist: asking the broker for definitions and keeping exactly the ones that were meant."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from bot.broker.compat import RawContract
from bot.broker.contracts import from_client, is_settled, printed_expiry, to_client
from bot.broker.quotes import BREADTH_SYMBOL
from bot.errors import BrokerError
from bot.events import ListOptions
from market.contract import Contract, Right, SecurityType

INDEXES = (("SPX", "CBOE"), ("VIX", "CBOE"), ("VVIX", "CBOE"), (BREADTH_SYMBOL, "NYSE"))
FUTURES_NAMED = 5
_VX_CLASS, _VX_MULTIPLIER = "VX", 1000

# Definitions of everything that fits a client's contract, as our contracts; none when nothing does.
Definitions = Callable[[Any], Awaitable[list[Contract]]]


def described(rows: list[Any]) -> list[Contract]:
    """Our contracts for the rows of a contractDetails answer."""
    found = (from_client(row.contract) for row in rows)
    return [contract for contract in found if contract is not None]


async def name_index(definitions: Definitions, symbol: str, exchange: str) -> Contract | None:
    """The index with this symbol, or None. Raises BrokerError when the name is ambiguous."""
    wanted = to_client(Contract(SecurityType.INDEX, symbol, exchange=exchange))
    found = [contract for contract in await definitions(wanted) if contract.symbol == symbol]
    if len(found) > 1:
        raise BrokerError(f"{symbol} names {len(found)} contracts")
    return found[0] if found else None


async def name_futures(definitions: Definitions, now: datetime) -> list[Contract]:
    """The nearest monthly VX futures not yet settled at `now`, by final settlement day.

    Weekly futures and the small VXM share the symbol or the exchange: class and multiplier tell them apart.
    """
    pattern = to_client(Contract(SecurityType.FUTURE, "VIX", trading_class=_VX_CLASS, exchange="CFE"))
    dated = [
        (future.expiry, future.con_id, future)
        for future in await definitions(pattern)
        if future.trading_class == _VX_CLASS
        and future.multiplier == _VX_MULTIPLIER
        and future.expiry is not None
        and not is_settled(future, now)
    ]
    return [future for _, _, future in sorted(dated, key=lambda entry: entry[:2])][:FUTURES_NAMED]


async def options_of(definitions: Definitions, command: ListOptions) -> list[Contract]:
    """Every option of one class and expiry. Raises BrokerError when their multipliers differ."""
    pattern = RawContract(
        secType="OPT",
        symbol=command.symbol,
        exchange="SMART",
        currency="USD",
        tradingClass=command.trading_class,
    )
    # Which of two days the broker prints for an AM-settled class is not documented: the second is asked for
    # only when the first names nothing.
    for day in dict.fromkeys((printed_expiry(command.trading_class, command.expiry), command.expiry)):
        pattern.lastTradeDateOrContractMonth = f"{day:%Y%m%d}"
        found = [
            option
            for option in await definitions(pattern)
            if (option.trading_class, option.expiry) == (command.trading_class, command.expiry)
        ]
        if len({option.multiplier for option in found}) > 1:
            raise BrokerError(f"{command.trading_class} {command.expiry} is listed with several multipliers")
        if found:
            return found
    return []


def strike_rows(options: list[Contract]) -> tuple[tuple[float, int, int], ...]:
    """(strike, call con_id, put con_id) by ascending strike, 0 where a side is not listed."""
    rows: dict[float, list[int]] = {}
    for option in options:
        rows.setdefault(option.strike, [0, 0])[option.right is Right.PUT] = option.con_id
    return tuple((strike, rows[strike][0], rows[strike][1]) for strike in sorted(rows))
