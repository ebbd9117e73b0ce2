"""What the venue refuses, and in which of the broker's words.

Each function looks at one side of an order and returns a Refusal, or None when it finds nothing. Codes and
texts are those of the broker's published message list; where the list has only a heading, the cause is
spelled out. Nothing here changes state, so that a refused order leaves no trace.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Final

from market.contract import SecurityType
from simulator.good_till import good_till
from simulator.model import Instrument, OrderRequest

#: Working orders an account may have in one contract on one side.
ORDERS_PER_SIDE: Final = 20

ORDER_TYPES: Final = frozenset({"LMT", "MKT", "STP", "STP LMT"})
TIMES_IN_FORCE: Final = frozenset({"", "DAY", "GTC", "IOC", "FOK", "GTD"})
#: The one algorithm the paper exchange has: it looks after the time of the fill, not after its price.
ADAPTIVE: Final = "Adaptive"
_ADAPTIVE_PRIORITIES: Final = frozenset({"Urgent", "Normal", "Patient"})

_PER_LEG_PRICES = (
    "Combo per-leg prices are only supported for non-guaranteed smart combos with two legs"
    ' and the "IECOMBOPERLEGPRICE" feature enabled.'
)

Find = Callable[[int], Instrument | None]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code and its text."""

    code: int
    text: str


def refusal(request: OrderRequest, account_id: str, find: Find, now: datetime) -> Refusal | None:
    """The first thing wrong with the order by itself: form, contract, price. Margin and identity are judged
    elsewhere.
    """
    return (
        _account_refusal(request, account_id)
        or _form_refusal(request)
        or _time_refusal(request, now)
        or _algo_refusal(request)
        or _combo_refusal(request)
        or _contract_refusal(request, find, now)
        or _price_refusal(request, find)
    )


def modification_refusal(request: OrderRequest, original: OrderRequest, filled: float) -> Refusal | None:
    """Whether `request` may replace `original`: price, size, order type and time in force may change, nothing
    else.
    """
    same = (
        request.account == original.account
        and request.con_id == original.con_id
        and request.legs == original.legs
        and request.action == original.action
        and request.order_ref == original.order_ref
    )
    if not same:
        return Refusal(105, "Order being modified does not match original order.")
    if request.quantity <= filled:
        return Refusal(104, "Cannot modify a filled order.")
    return None


def price_increment(instruments: Sequence[Instrument], price: float) -> float:
    """Smallest step of a price: of a single instrument, or of the net price when there are several.

    Index options step 0.05 below 3 and 0.10 from 3, combos of them 0.05 at any price (cboe.com SPX
    specifications); VIX options 0.01 below 3 and 0.05 from 3, weeklies and combos 0.01 (Cboe notice of
    2022-11-29); VX 0.05, VXM and spreads 0.01 (CFE).
    """
    contract = instruments[0].contract
    if len(instruments) > 1:
        return 0.05 if contract.symbol == "SPX" else 0.01
    dear = abs(price) >= 3.0 - 1e-9
    match contract.security_type, contract.trading_class or contract.symbol:
        case SecurityType.OPTION, "SPX" | "SPXW":
            return 0.10 if dear else 0.05
        case SecurityType.OPTION, "VIX":
            return 0.05 if dear else 0.01
        case SecurityType.OPTION, "VIXW" | "XSP":
            return 0.01
        case SecurityType.FUTURE, "VX":
            return 0.05
        case (SecurityType.FUTURE, "VXM") | (SecurityType.STOCK, _):
            return 0.01
    return instruments[0].min_tick


def margin_refusal(equity_with_loan_usd: float, initial_margin_usd: float) -> Refusal:
    """The account cannot carry the order."""
    return rejected(
        "In order to obtain the desired position your Equity with Loan Value"
        f" [{equity_with_loan_usd:.2f} USD] must exceed the new total Initial Margin of"
        f" [{initial_margin_usd:.2f} USD]"
    )


def crowded_refusal(orders_on_side: int) -> Refusal | None:
    """Whether the account has too many working orders on this side of the contract already."""
    if orders_on_side < ORDERS_PER_SIDE:
        return None
    return rejected(f"No more than {ORDERS_PER_SIDE} working orders per contract and side are accepted")


def held_until(request: OrderRequest, opens: datetime) -> Refusal:
    """Not a refusal but a notice in the same form: the order waits for the open, a New York time."""
    name = f"{request.action} {request.quantity:g} {request.symbol} {request.security_type}"
    until = f"{opens:%Y-%m-%d %H:%M:%S} US/Eastern"
    warning = f"Warning: Your order will not be placed at the exchange until {until}"
    return Refusal(399, f"Order Message:\n{name}\n{warning}")


def untransmittable(request: OrderRequest) -> Refusal | None:
    """Whether the id can never be one of a client's orders: those begin with 1, the ids below are bound by
    hand.
    """
    if request.order_id >= 1:
        return None
    return Refusal(106, f"Can't transmit order ID:{request.order_id}")


def range_refusal(request: OrderRequest, middle: float | None, range_pct: float | None) -> Refusal | None:
    """Whether the limit lies farther from the middle of the market than the order presets allow."""
    if not middle or range_pct is None or request.limit_price is None:
        return None
    if abs(request.limit_price - middle) <= middle * range_pct / 100.0 + 1e-9:
        return None
    return Refusal(
        109,
        "Price is out of the range defined by the Percentage setting at order defaults frame."
        " The order will not be transmitted.",
    )


def notices(request: OrderRequest, held: int = 0) -> list[Refusal]:
    """What the broker remarks on an order it takes: a time in force filled in, an attribute ignored, a
    position turned over. `held`: contracts in the account, negative when short.
    """
    remarks = []
    closes = held * (1 if request.action == "BUY" else -1) < 0
    if closes and request.quantity > abs(held):
        remarks.append(Refusal(2137, "The closing order quantity is greater than your current position."))
    if not request.tif:
        remarks.append(Refusal(10349, "Order TIF was set to DAY based on order preset."))
    if request.outside_rth and request.security_type in {"OPT", "BAG"}:
        remarks.append(
            Refusal(
                2109,
                "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based on the order"
                " type and destination. PlaceOrder is now being processed.",
            )
        )
    return remarks


def rejected(reason: str) -> Refusal:
    """Code 201."""
    return Refusal(201, f"Order rejected - reason:{reason}")


def invalid(cause: str) -> Refusal:
    """Code 321."""
    return Refusal(321, f"Error validating request.-'bU' : cause - {cause}")


def _account_refusal(request: OrderRequest, account_id: str) -> Refusal | None:
    if not request.account:
        return Refusal(435, "You must specify an account.")
    return None if request.account == account_id else invalid(f"Invalid account code '{request.account}'")


def _form_refusal(request: OrderRequest) -> Refusal | None:
    if request.action not in {"BUY", "SELL"}:
        return invalid(f"Invalid order action '{request.action}'")
    if request.quantity == 0:
        return Refusal(434, "The order size cannot be zero.")
    if not isfinite(request.quantity) or request.quantity < 0:
        return invalid("The order size must be a positive number")
    if request.quantity != int(request.quantity):
        return Refusal(
            10243, "Fractional-sized order cannot be placed via API. Please use desktop version of TWS."
        )
    if not request.order_type:
        return Refusal(107, "Cannot transmit incomplete order.")
    if request.order_type not in ORDER_TYPES:
        return Refusal(387, "Unsupported order type for this exchange and security type.")
    if request.tif not in TIMES_IN_FORCE:
        return invalid(f"The time-in-force '{request.tif}' is invalid for this order")
    if "LMT" in request.order_type and not _is_price(request.limit_price):
        return invalid("A limit order needs a limit price")
    if "STP" in request.order_type and not _is_price(request.aux_price):
        return invalid("A stop order needs a stop price")
    return None


def _time_refusal(request: OrderRequest, now: datetime) -> Refusal | None:
    if request.tif != "GTD":
        return None
    until = good_till(request.good_till)
    if until is None:
        return invalid(f"A GTD order needs a date to be good till, not '{request.good_till}'")
    return None if until > now else Refusal(334, "Invalid Good Till Date order")


def _algo_refusal(request: OrderRequest) -> Refusal | None:
    if not request.algo:
        return None
    if request.algo != ADAPTIVE:
        return Refusal(439, "Order processing failed. Algorithm definition not found.")
    if request.legs or request.order_type not in {"LMT", "MKT"}:
        return Refusal(442, "Specified algorithm is not allowed for this order.")
    priority = dict(request.algo_params).get("adaptivePriority", "")
    if priority not in _ADAPTIVE_PRIORITIES:
        return Refusal(441, f"Algo attributes validation failed:adaptivePriority '{priority}'")
    return None


def _combo_refusal(request: OrderRequest) -> Refusal | None:
    if request.security_type != SecurityType.COMBO:
        return invalid("Only a combination has legs") if request.legs else None
    if len(request.legs) < 2:
        return invalid("A combination needs at least two legs")
    if len({leg.con_id for leg in request.legs}) != len(request.legs):
        return invalid("A contract stands in one leg of a combination only")
    if any(leg.ratio < 1 or leg.action not in {"BUY", "SELL"} for leg in request.legs):
        return invalid("Invalid action or ratio of a combination leg")
    if request.leg_prices:
        return Refusal(10058, _PER_LEG_PRICES)
    if ("NonGuaranteed", "1") in request.smart_combo:
        return invalid("Non-guaranteed combinations are not supported on this account")
    return None


def _contract_refusal(request: OrderRequest, find: Find, now: datetime) -> Refusal | None:
    found = [find(con_id) for con_id in _con_ids(request)]
    instruments = [instrument for instrument in found if instrument is not None]
    if len(instruments) != len(found):
        return Refusal(200, "No security definition has been found for the request")
    contracts = [instrument.contract for instrument in instruments]
    if any(contract.security_type is SecurityType.INDEX for contract in contracts):
        return rejected("The instrument is not available for trading")
    if any(instrument.last_trade is not None and now > instrument.last_trade for instrument in instruments):
        return rejected("The contract has expired")
    if len({(contract.symbol, contract.multiplier) for contract in contracts}) > 1:
        return invalid("All legs of a combination need the same underlying and multiplier")
    return None


def _price_refusal(request: OrderRequest, find: Find) -> Refusal | None:
    instruments = [instrument for con_id in _con_ids(request) if (instrument := find(con_id)) is not None]
    prices = [request.limit_price] if "LMT" in request.order_type else []
    prices += [request.aux_price] if "STP" in request.order_type else []
    for price in prices:
        if price is None:
            continue
        if not request.legs and price <= 0:
            return invalid("The price of a single contract must be positive")
        steps = price / price_increment(instruments, price)
        if abs(steps - round(steps)) > 1e-6:
            return Refusal(
                110, "The price does not conform to the minimum price variation for this contract."
            )
    return None


def _con_ids(request: OrderRequest) -> list[int]:
    return [leg.con_id for leg in request.legs] or [request.con_id]


def _is_price(price: float | None) -> bool:
    return price is not None and isfinite(price)
