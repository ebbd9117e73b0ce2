"""Every message the gateway sends, encoded.

Short messages are rows of one table: an id, a version where the dialect has one, and the names of the
fields, which also check the number of values. The long ones are built here from the venue's
nouns. All return text with its length prefix, ready to be joined with others into one write.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from market.contract import SecurityType
from simulator.model import Bar, Chain, Execution, Instrument, PositionLine
from simulator.wire import UNSET_DOUBLE, Value, message

NEW_YORK = ZoneInfo("America/New_York")
#: The zone name the broker prints; clients look it up as it stands.
ZONE_NAME = "US/Eastern"
#: How the date of a bar is printed, beside 1, a text.
EPOCH, DAILY = 2, 0
#: The contract id of every combo of USD options.
BAG_CON_ID = 28812380


@dataclass(frozen=True, slots=True)
class Reply:
    """A short message: `head` is its id and version, `fields` names what follows."""

    head: tuple[int, ...]
    fields: str

    def __call__(self, *values: Value) -> str:
        """The message. Raises ValueError when the number of values is not the number of fields."""
        if len(values) != _count(self.fields):
            raise ValueError(f"message {self.head[0]} has the fields {self.fields}, not {len(values)} values")
        return message(*self.head, *values)


@cache
def _count(fields: str) -> int:
    return len(fields.split())


managed_accounts = Reply((15, 1), "accounts")
next_valid_id = Reply((9, 1), "order_id")
current_time = Reply((49, 1), "epoch_s")
contract_details_end = Reply((52, 1), "req_id")
option_parameters_end = Reply((76,), "req_id")
tick_request_parameters = Reply((81,), "req_id min_tick bbo_exchange snapshot_permissions")
market_data_type = Reply((58, 1), "req_id kind")
tick_price = Reply((1, 6), "req_id kind price size attributes")
tick_size = Reply((2, 6), "req_id kind size")
tick_string = Reply((46, 6), "req_id kind text")
snapshot_end = Reply((57, 1), "req_id")
history_update = Reply((90,), "req_id count date open close high low average volume")
tick_by_tick_last = Reply((99,), "req_id kind epoch_s price size mask exchange conditions")
tick_by_tick_sides = Reply((99,), "req_id kind epoch_s bid ask bid_size ask_size mask")
tick_by_tick_middle = Reply((99,), "req_id kind epoch_s price")
option_computation = Reply(
    (21,), "req_id kind attribute volatility delta price dividend gamma vega theta underlying"
)
real_time_bar = Reply((50, 3), "req_id epoch_s open high low close volume average count")
head_timestamp = Reply((88,), "req_id text")
# An account has a hundred figures, most of which stand still: each is encoded once.
account_value = lru_cache(maxsize=1024)(Reply((6, 2), "key value currency account"))
account_time = Reply((8, 1), "hh_mm")
account_download_end = Reply((54, 1), "account")
account_summary = Reply((63, 1), "req_id account tag value currency")
account_summary_end = Reply((64, 1), "req_id")
account_update_multi = Reply((73, 1), "req_id account model key value currency")
account_update_multi_end = Reply((74, 1), "req_id")
position_end = Reply((62, 1), "")
pnl = Reply((94,), "req_id daily unrealised realised")
pnl_single = Reply((95,), "req_id position daily unrealised realised value")
open_order_end = Reply((53, 1), "")
executions_end = Reply((55, 1), "req_id")
completed_orders_end = Reply((102,), "")
order_bound = Reply((100,), "perm_id client_id order_id")
_error = Reply((4, 2), "req_id code text")
_error_with_reject = Reply((4, 2), "req_id code text advanced_reject")


def greeting(version: int, now: datetime) -> str:
    """The handshake's answer: two fields and no message id."""
    return message(version, f"{now.astimezone(NEW_YORK):%Y%m%d %H:%M:%S %Z}")


def error(version: int, req_id: int, code: int, text: str) -> str:
    """An error or a notice; `req_id` is -1 for the connection as a whole."""
    if version >= 166:
        return _error_with_reject(req_id, code, text, "")
    return _error(req_id, code, text)


def printed_expiry(instrument: Instrument) -> str:
    """The day printed as a contract's expiry, YYYYMMDD: its last trading day in New York, a Thursday for an
    AM-settled SPX option. Empty for what does not expire.
    """
    return _printed_day(instrument.last_trade or instrument.contract.expiry)


@lru_cache(maxsize=256)
def _printed_day(last_trade: date | None) -> str:
    if isinstance(last_trade, datetime):
        last_trade = last_trade.astimezone(NEW_YORK)
    return "" if last_trade is None else f"{last_trade:%Y%m%d}"


def printed_multiplier(instrument: Instrument) -> str:
    """The multiplier as the broker prints it: nothing for indices and stocks."""
    plain = instrument.contract.security_type in {SecurityType.INDEX, SecurityType.STOCK}
    return "" if plain else str(instrument.contract.multiplier)


def contract_fields(instrument: Instrument, exchange: str) -> tuple[Value, ...]:
    """The eleven contract fields of orders, executions and positions."""
    contract = instrument.contract
    return (
        contract.con_id,
        contract.symbol,
        contract.security_type.value,
        printed_expiry(instrument),
        float(contract.strike),
        "" if contract.right is None else contract.right.value,
        printed_multiplier(instrument),
        exchange,
        contract.currency,
        instrument.local_symbol,
        contract.trading_class or contract.symbol,
    )


def bag_fields(symbol: str, exchange: str, currency: str) -> tuple[Value, ...]:
    """The eleven contract fields of a combo."""
    return (BAG_CON_ID, symbol, "BAG", "", 0.0, "", "", exchange, currency, "", "COMB")


@dataclass(frozen=True, slots=True)
class Hours:
    """A week of hours in the broker's notation: all segments, and the regular ones only."""

    trading: str
    liquid: str


def contract_details(
    version: int,
    req_id: int,
    instrument: Instrument,
    underlying: Instrument | None,
    exchange: str,
    hours: Hours,
) -> str:
    """One line of the security master. `exchange` is the one the client asked for."""
    contract = instrument.contract
    derivative = contract.security_type in {SecurityType.OPTION, SecurityType.FUTURE}
    # The contract month is that of the settlement, also when the last trading day lies in the month before.
    month = f"{contract.expiry:%Y%m}" if contract.expiry is not None else ""
    head: list[Value] = [10, 8, req_id] if version < 164 else [10, req_id]
    fields = contract_fields(instrument, exchange)
    con_id, symbol, kind, expires, strike, right, multiplier, _, currency, local_symbol, class_name = fields
    values: list[Value] = [
        *head, symbol, kind, expires, strike, right, exchange, currency, local_symbol, class_name,
        class_name, con_id, instrument.min_tick, *([0] if version < 164 else []), multiplier,
        "ACTIVETIM,ALERT,COND,DAY,GTC,IOC,LMT,MKT,STP,STPLMT,WHATIF",
        ",".join([name for name, _ in instrument.market_rules]), 1, instrument.underlying_con_id,
        instrument.long_name, instrument.primary_exchange, month, "", "", "", ZONE_NAME,
        hours.trading, hours.liquid, "", 0, 0,
        2 if derivative else 1,
        underlying.contract.symbol if underlying is not None else "",
        underlying.contract.security_type.value if underlying is not None else "",
        ",".join([str(rule) for _, rule in instrument.market_rules]),
        expires, "COMMON" if contract.security_type is SecurityType.STOCK else "",
    ]  # fmt: skip
    if version == 163:
        values += [1]
    if version >= 164:
        values += [1, 1, 1]
    return message(*values)


def option_parameters(req_id: int, chain: Chain) -> str:
    """One class of a chain on one exchange."""
    return message(
        75, req_id, chain.exchange, chain.underlying_con_id, chain.trading_class, chain.multiplier,
        len(chain.expiries), *[f"{day:%Y%m%d}" for day in chain.expiries], len(chain.strikes), *chain.strikes,
    )  # fmt: skip


def market_rule(rule_id: int, steps: Sequence[tuple[float, float]]) -> str:
    """The price steps of a rule."""
    return message(93, rule_id, len(steps), *[value for step in steps for value in step])


def symbol_samples(version: int, req_id: int, found: Sequence[tuple[Instrument, tuple[str, ...]]]) -> str:
    """Instruments that match a pattern, each with the kinds of derivatives listed on it."""
    values: list[Value] = [79, req_id, len(found)]
    for instrument, derivatives in found:
        contract = instrument.contract
        values += [contract.con_id, contract.symbol, contract.security_type.value]
        values += [instrument.primary_exchange, contract.currency, len(derivatives), *derivatives]
        values += [instrument.long_name, ""] if version >= 176 else []
    return message(*values)


def bar_date(bar: Bar, style: int) -> str:
    """The date of a bar: `DAILY` its New York session, EPOCH seconds, else its beginning as a text."""
    if style == DAILY:
        return f"{bar.time.astimezone(NEW_YORK):%Y%m%d}"
    return str(int(bar.time.timestamp())) if style == EPOCH else timestamp(bar.time)


def history(req_id: int, start: datetime, end: datetime, bars: Sequence[Bar], style: int = DAILY) -> str:
    """Bars, their dates in a `style`. The venue keeps no average price and no trade count: it prints the mid
    of the range and -1.
    """
    values: list[Value] = [17, req_id, timestamp(start), timestamp(end), len(bars)]
    for bar in bars:
        average = (bar.high + bar.low) / 2.0
        values += [bar_date(bar, style), bar.open, bar.high, bar.low, bar.close, bar.volume, average, -1]
    return message(*values)


def schedule(req_id: int, spans: Sequence[tuple[datetime, datetime]]) -> str:
    """Regular sessions as open, close and the day they belong to."""
    start, end = spans[0][0], spans[-1][1]
    values: list[Value] = [106, req_id, *map(_dashed, (start, end)), ZONE_NAME, len(spans)]
    for opens, closes in spans:
        values += [_dashed(opens), _dashed(closes), f"{closes.astimezone(NEW_YORK):%Y%m%d}"]
    return message(*values)


def _dashed(at: datetime) -> str:
    return f"{at.astimezone(NEW_YORK):%Y%m%d-%H:%M:%S}"


def timestamp(at: datetime) -> str:
    """`YYYYMMDD HH:MM:SS US/Eastern`."""
    return f"{at.astimezone(NEW_YORK):%Y%m%d %H:%M:%S} {ZONE_NAME}"


def naive_timestamp(at: datetime) -> str:
    """`YYYYMMDD  HH:MM:SS` with two blanks, in UTC, as head timestamps are printed."""
    return f"{at.astimezone(UTC):%Y%m%d  %H:%M:%S}"


def portfolio_value(line: PositionLine, instrument: Instrument, account: str) -> str:
    """A position with its value. The slot of the exchange carries the primary exchange here."""
    return message(
        7, 8, *contract_fields(instrument, instrument.primary_exchange), line.quantity, line.market_price
        or 0.0, line.market_value or 0.0, line.average_cost, line.unrealised_pnl or 0.0,
        line.realised_pnl, account, )  # fmt: skip


def position(account: str, instrument: Instrument, quantity: float, average_cost: float) -> str:
    """A position. The exchange is left empty, as the broker does."""
    return message(61, 3, account, *contract_fields(instrument, ""), quantity, average_cost)


def execution_details(req_id: int, execution: Execution, contract: Iterable[Value]) -> str:
    """A fill; `req_id` is -1 for a live one. Liquidity 2: removed, as every fill at the top of book does."""
    fill = execution
    return message(
        11, req_id, fill.order_id, *contract, fill.exec_id, timestamp(fill.time), fill.account,
        fill.exchange, fill.side, fill.quantity, fill.price, fill.perm_id, fill.client_id, 0,
        fill.cumulative, fill.average_price, fill.order_ref, "", "", "", 2,
    )  # fmt: skip


def commission_report(execution: Execution, currency: str) -> str:
    """What a fill cost. Opening fills have no realised result, which the broker prints as the largest
    double.
    """
    realised: Value = UNSET_DOUBLE if execution.realised_pnl is None else execution.realised_pnl
    return message(59, 1, execution.exec_id, execution.commission or 0.0, currency, realised, "", "")
