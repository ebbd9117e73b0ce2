"""The three long records of the protocol as tables: placeOrder, openOrder and completedOrder.

Each table is a row of field names with the few places where the row branches. One small reader and one
small writer walk all three, so that a field stands in one place only and an order can be echoed with
everything the venue does not interpret.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

Row = tuple[str, ...]
Record = dict[str, str | list[Row]]


class DecodeError(ValueError):
    """A request that cannot be read."""


class VersionMismatchError(DecodeError):
    """A request with fields left over: the client speaks another version than was agreed."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A count and that many rows of `columns`."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class When:
    """Items that are present only if `test(record so far, server version)` holds."""

    test: Callable[[Mapping[str, str | list[Row]], int], bool]
    items: "tuple[Item, ...]"


@dataclass(frozen=True, slots=True)
class Conditions:
    """A count, conditions of different lengths, and two closing fields if there are any."""


Item = str | Rows | When | Conditions


def since(version: int, *items: Item) -> When:
    """Items added to the protocol with `version`."""
    return When(lambda _record, agreed: agreed >= version, items)


def filled(name: str, *items: Item) -> When:
    """Items that follow only a non-empty field."""
    return When(lambda record, _agreed: bool(record[name]), items)


def flagged(name: str, *items: Item) -> When:
    """Items that follow only a set flag."""
    return When(lambda record, _agreed: record[name] not in {"", "0"}, items)


def of_type(*order_types: str, items: tuple[Item, ...]) -> When:
    """Items that follow only some order types."""
    return When(lambda record, _agreed: record["order_type"] in order_types, items)


def _is_bag(record: Mapping[str, str | list[Row]], _version: int) -> bool:
    return record["security_type"] == "BAG"


def _has_scale(record: Mapping[str, str | list[Row]], _version: int) -> bool:
    increment = record["scale_price_increment"]
    return isinstance(increment, str) and bool(increment) and 0.0 < float(increment) < 1e300


CONTRACT12: tuple[Item, ...] = (
    "con_id", "symbol", "security_type", "expiry", "strike", "right", "multiplier", "exchange",
    "primary_exchange", "currency", "local_symbol", "trading_class",
)  # fmt: skip
CONTRACT11: tuple[Item, ...] = tuple(name for name in CONTRACT12 if name != "primary_exchange")
LEG8 = ("con_id", "ratio", "action", "exchange", "open_close", "short_sale_slot", "location", "exempt_code")
TAG = ("tag", "value")

_LEGS: tuple[Item, ...] = (Rows("legs", LEG8), Rows("leg_prices", ("price",)), Rows("smart_combo", TAG))
_NEUTRAL: tuple[Item, ...] = (
    "neutral_con_id", "neutral_settling_firm", "neutral_clearing_account", "neutral_clearing_intent",
    "neutral_open_close", "neutral_short_sale", "neutral_short_sale_slot", "neutral_location",
)  # fmt: skip
_NEUTRAL_SHORT: tuple[Item, ...] = (
    "neutral_con_id", "neutral_short_sale", "neutral_short_sale_slot", "neutral_location",
)  # fmt: skip
_SCALE: tuple[Item, ...] = (
    "scale_init_level", "scale_subs_level", "scale_price_increment",
    When(_has_scale, (
        "scale_adjust_value", "scale_adjust_interval", "scale_profit_offset", "scale_auto_reset",
        "scale_init_position", "scale_init_fill", "scale_random_percent",
    )),
)  # fmt: skip
_HEDGED_BY: tuple[Item, ...] = (
    "neutral_flag", flagged("neutral_flag", "hedge_con_id", "hedge_delta", "hedge_price"),
)  # fmt: skip
_ALGO: tuple[Item, ...] = ("algo_strategy", filled("algo_strategy", Rows("algo_params", TAG)))
_BENCHMARK = of_type("PEG BENCH", "PEGBENCH", items=(
    "reference_con_id", "peg_decreases", "peg_change", "reference_change", "reference_exchange",
))  # fmt: skip
_MID_OFFSETS: tuple[Item, ...] = ("mid_offset_whole", "mid_offset_half")
_FIVE_OFFSETS = since(170, "min_trade_quantity", "min_compete_size", "compete_offset", *_MID_OFFSETS)

PLACE_ORDER: tuple[Item, ...] = (
    "order_id", *CONTRACT12, "sec_id_type", "sec_id",
    "action", "quantity", "order_type", "limit_price", "aux_price", "tif", "oca_group", "account",
    "open_close", "origin", "order_ref", "transmit", "parent_id", "block_order", "sweep_to_fill",
    "display_size", "trigger_method", "outside_rth", "hidden",
    When(_is_bag, _LEGS),
    "shares_allocation", "discretionary", "good_after_time", "good_till_date", "fa_group", "fa_method",
    "fa_percentage", "fa_profile", "model_code", "short_sale_slot", "location", "exempt_code", "oca_type",
    "rule_80a", "settling_firm", "all_or_none", "min_quantity", "percent_offset", "etrade_only",
    "firm_quote_only", "nbbo_price_cap", "auction_strategy", "starting_price", "stock_ref_price", "delta",
    "stock_range_lower", "stock_range_upper", "override_percentage", "volatility", "volatility_type",
    "neutral_order_type", "neutral_aux_price", filled("neutral_order_type", *_NEUTRAL),
    "continuous_update", "reference_price_type", "trail_stop_price", "trailing_percent", *_SCALE,
    "scale_table", "active_start", "active_stop", "hedge_type", filled("hedge_type", "hedge_param"),
    "opt_out_smart", "clearing_account", "clearing_intent", "not_held", *_HEDGED_BY, *_ALGO,
    "algo_id", "what_if", "misc_options", "solicited", "randomize_size", "randomize_price", _BENCHMARK,
    Conditions(),
    "adjusted_order_type", "trigger_price", "limit_offset", "adjusted_stop", "adjusted_stop_limit",
    "adjusted_trailing", "adjustable_unit", "ext_operator", "soft_dollar_name", "soft_dollar_value",
    "cash_quantity", "mifid_maker", "mifid_algo", "mifid_trader", "mifid_execution_algo",
    "no_auto_hedge_price", "oms_container", "discretionary_to_limit", "price_management",
    since(158, "duration"), since(160, "post_to_ats"), since(162, "auto_cancel_parent"), since(166,
    "error_override"),
    since(169, "manual_order_time"),
    since(
        170,
        When(lambda record, _agreed: record["exchange"] == "IBKRATS", ("min_trade_quantity",)),
        of_type("PEG BEST", "PEGBEST", items=(
            "min_compete_size", "compete_offset",
            When(lambda record, _agreed: record["compete_offset"] == "Infinite", _MID_OFFSETS),
        )),
        of_type("PEG MID", "PEGMID", items=_MID_OFFSETS),
    ),
)  # fmt: skip

OPEN_ORDER: tuple[Item, ...] = (
    "order_id", *CONTRACT11,
    "action", "quantity", "order_type", "limit_price", "aux_price", "tif", "oca_group", "account",
    "open_close", "origin", "order_ref", "client_id", "perm_id", "outside_rth", "hidden", "discretionary",
    "good_after_time", "shares_allocation", "fa_group", "fa_method", "fa_percentage", "fa_profile",
    "model_code", "good_till_date", "rule_80a", "percent_offset", "settling_firm", "short_sale_slot",
    "location", "exempt_code", "auction_strategy", "starting_price", "stock_ref_price", "delta",
    "stock_range_lower", "stock_range_upper", "display_size", "block_order", "sweep_to_fill",
    "all_or_none", "min_quantity", "oca_type", "etrade_only", "firm_quote_only", "nbbo_price_cap",
    "parent_id", "trigger_method", "volatility", "volatility_type",
    "neutral_order_type", "neutral_aux_price", filled("neutral_order_type", *_NEUTRAL),
    "continuous_update", "reference_price_type", "trail_stop_price", "trailing_percent", "basis_points",
    "basis_points_type", "legs_description", *_LEGS, *_SCALE,
    "hedge_type", filled("hedge_type", "hedge_param"),
    "opt_out_smart", "clearing_account", "clearing_intent", "not_held", *_HEDGED_BY, *_ALGO,
    "solicited", "what_if", "status", "init_margin_before", "maint_margin_before", "equity_before",
    "init_margin_change", "maint_margin_change", "equity_change", "init_margin_after",
    "maint_margin_after", "equity_after", "commission", "min_commission", "max_commission",
    "commission_currency", "warning", "randomize_size",
    "randomize_price", _BENCHMARK,
    Conditions(),
    "adjusted_order_type", "trigger_price", "trail_stop_price", "limit_offset", "adjusted_stop",
    "adjusted_stop_limit", "adjusted_trailing", "adjustable_unit", "soft_dollar_name", "soft_dollar_value",
    "soft_dollar_display", "cash_quantity", "no_auto_hedge_price", "oms_container",
    "discretionary_to_limit", "price_management",
    since(159, "duration"), since(160, "post_to_ats"), since(162, "auto_cancel_parent"), _FIVE_OFFSETS,
)  # fmt: skip

COMPLETED_ORDER: tuple[Item, ...] = (
    *CONTRACT11,
    "action", "quantity", "order_type", "limit_price", "aux_price", "tif", "oca_group", "account",
    "open_close", "origin", "order_ref", "perm_id", "outside_rth", "hidden", "discretionary",
    "good_after_time", "fa_group", "fa_method", "fa_percentage", "fa_profile", "model_code",
    "good_till_date", "rule_80a", "percent_offset", "settling_firm", "short_sale_slot", "location",
    "exempt_code", "starting_price", "stock_ref_price", "delta", "stock_range_lower", "stock_range_upper",
    "display_size", "sweep_to_fill", "all_or_none", "min_quantity", "oca_type", "trigger_method",
    "volatility", "volatility_type",
    "neutral_order_type", "neutral_aux_price", filled("neutral_order_type", *_NEUTRAL_SHORT),
    "continuous_update", "reference_price_type", "trail_stop_price", "trailing_percent",
    "legs_description",
    *_LEGS, *_SCALE,
    "hedge_type", filled("hedge_type", "hedge_param"),
    "clearing_account", "clearing_intent", "not_held", *_HEDGED_BY, *_ALGO,
    "solicited", "status", "randomize_size", "randomize_price", _BENCHMARK, Conditions(),
    "trail_stop_price", "limit_offset", "cash_quantity", "no_auto_hedge_price", "oms_container",
    "auto_cancel_date", "filled_quantity", "ref_futures_con_id", "auto_cancel_parent", "shareholder",
    "imbalance_only",
    "route_marketable_to_bbo", "parent_perm_id", "completed_time", "completed_status", _FIVE_OFFSETS,
)  # fmt: skip

#: Columns after the type of a condition: price, time, margin, execution, volume, percent change.
_CONDITION_COLUMNS = {"1": 6, "3": 3, "4": 3, "5": 4, "6": 5, "7": 5}

#: What an order that arrived without its raw fields says where the client libraries want a number.
_ZEROES = (
    "origin", "parent_id", "block_order", "sweep_to_fill", "display_size", "trigger_method", "hidden",
    "discretionary", "short_sale_slot", "oca_type", "all_or_none", "etrade_only", "firm_quote_only",
    "auction_strategy", "continuous_update", "opt_out_smart", "not_held", "neutral_flag", "solicited",
    "randomize_size", "randomize_price", "no_auto_hedge_price", "oms_container", "discretionary_to_limit",
    "auto_cancel_parent", "imbalance_only", "route_marketable_to_bbo", "ref_futures_con_id",
    "parent_perm_id",
)  # fmt: skip
_DEFAULTS = dict.fromkeys(_ZEROES, "0") | {"exempt_code": "-1"}


def parse(items: Sequence[Item], fields: Sequence[str], version: int) -> Record:
    """Read `fields` by the table. Raises DecodeError when they end early and VersionMismatchError when some
    are left over.
    """
    cursor = iter(fields)
    record: Record = {}
    try:
        _parse(items, cursor, version, record)
    except StopIteration:
        raise DecodeError(f"the message ends after {len(fields)} fields") from None
    leftover = sum(1 for _ in cursor)
    if leftover:
        raise VersionMismatchError(f"{leftover} fields left over at version {version}")
    return record


def _parse(items: Sequence[Item], cursor: Iterator[str], version: int, record: Record) -> None:
    for item in items:
        if isinstance(item, str):
            record[item] = next(cursor)
        elif isinstance(item, Rows):
            rows = count(next(cursor))
            record[item.name] = [tuple([next(cursor) for _ in item.columns]) for _ in range(rows)]
        elif isinstance(item, When):
            if item.test(record, version):
                _parse(item.items, cursor, version, record)
        else:
            _parse_conditions(cursor, record)


def _parse_conditions(cursor: Iterator[str], record: Record) -> None:
    rows: list[Row] = []
    for _ in range(count(next(cursor))):
        kind = next(cursor)
        if kind not in _CONDITION_COLUMNS:
            raise DecodeError(f"unknown condition type {kind!r}")
        rows.append((kind, *[next(cursor) for _ in range(_CONDITION_COLUMNS[kind])]))
    record["conditions"] = rows
    if rows:
        record["conditions_ignore_rth"] = next(cursor)
        record["conditions_cancel"] = next(cursor)


def render(items: Sequence[Item], record: Record, version: int) -> list[str]:
    """Fields of the record in the table's order; a missing field is empty or the protocol's zero."""
    complete: Record = {**_DEFAULTS, **record}
    fields: list[str] = []
    _render(items, complete, version, fields)
    return fields


def _render(items: Sequence[Item], record: Record, version: int, fields: list[str]) -> None:
    for item in items:
        if isinstance(item, str):
            value = record.setdefault(item, "")
            fields.append(value if isinstance(value, str) else "")
        elif isinstance(item, Rows):
            rows = record.get(item.name, [])
            fields.append(str(len(rows)))
            fields.extend(field for row in rows for field in row)
        elif isinstance(item, When):
            if item.test(record, version):
                _render(item.items, record, version, fields)
        else:
            rows = record.get("conditions", [])
            fields.append(str(len(rows)))
            fields.extend(field for row in rows for field in row)
            if rows:
                _render(("conditions_ignore_rth", "conditions_cancel"), record, version, fields)


def count(field: str) -> int:
    """A row count. Raises DecodeError on anything but a small non-negative number."""
    if not (field.isascii() and field.isdigit()) or len(field) > 4:
        raise DecodeError(f"{field!r} is no count")
    return int(field)


@lru_cache(maxsize=64)
def echo(raw: tuple[str, ...]) -> Mapping[str, str | list[Row]]:
    """The record behind OrderRequest.raw, which is the agreed version followed by the fields after the
    message id.

    Empty when the order did not arrive over the wire.
    """
    return parse(PLACE_ORDER, raw[1:], int(raw[0])) if raw else {}
