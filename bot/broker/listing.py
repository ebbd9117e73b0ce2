"""Which contracts exist: asking the broker for definitions and keeping exactly the ones that were meant."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from bot.broker.compat import RawContract
from bot.broker.contracts import from_client, is_settled, printed_expiry, to_client
from bot.broker.quotes import BREADTH_SYMBOL
from bot.errors import BrokerError
from bot.events import Alert, ListOptions
from market.contract import Contract, Right, SecurityType

INDEXES = (("SPX", "CBOE"), ("VIX", "CBOE"), ("VVIX", "CBOE"), (BREADTH_SYMBOL, "NYSE"))
# The REIT fund of the reserve layer's signal, and the notes that may stand in for its options.
SHARES = ("VNQ", "VXX", "UVXY")
FUTURES_NEEDED = 5
FUTURES_NAMED = 8  # as far as the reserve layer's window reaches
_MULTIPLIERS = {"VX": 1000, "VXM": 100}

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


async def name_all(
    definitions: Definitions, now: datetime, notify: Callable[[Alert], None]
) -> list[Contract]:
    """Indexes, futures and shares, in this order; what the broker does not know is left out.

    A missing index, or too few futures for the near-term layer, is told. Raises BrokerError on a name that
    means two indexes.
    """
    named: list[Contract] = []
    for symbol, exchange in INDEXES:
        index = await name_index(definitions, symbol, exchange)
        if index is None:
            notify(Alert("error", "contract_missing", f"the broker does not know {symbol}"))
        else:
            named.append(index)
    futures = await name_futures(definitions, now)
    if len(futures) < FUTURES_NEEDED:
        notify(Alert("warning", "contract_missing", f"{len(futures)} monthly VX futures are listed"))
    named += [*futures, *await name_futures(definitions, now, "VXM")]
    for symbol in SHARES:
        share = await name_shares(definitions, symbol)
        if share is not None:
            named.append(share)
    return named


async def name_shares(definitions: Definitions, symbol: str) -> Contract | None:
    """The share with this symbol that is quoted in USD, or None."""
    wanted = to_client(Contract(SecurityType.STOCK, symbol))
    found = await definitions(wanted)
    return next((one for one in found if (one.symbol, one.currency) == (symbol, "USD")), None)


async def name_futures(definitions: Definitions, now: datetime, trading_class: str = "VX") -> list[Contract]:
    """The nearest monthly VX (or VXM) futures not yet settled at `now`, by final settlement day.

    Weekly futures and the small VXM share the symbol or the exchange: class and multiplier tell them apart.
    """
    symbol = "VIX" if trading_class == "VX" else trading_class  # the small one is its own symbol
    pattern = to_client(Contract(SecurityType.FUTURE, symbol, trading_class=trading_class, exchange="CFE"))
    dated = [
        (future.expiry, future.con_id, future)
        for future in await definitions(pattern)
        if future.trading_class == trading_class
        and future.multiplier == _MULTIPLIERS[trading_class]
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
