"""Our contracts and combos as the broker writes them, and back.

Two conventions meet here. We name an expiry by the day it settles; the broker prints the last trading day,
which for AM-settled classes (SPX, VIX, VIXW) is the session before. Whether it prints that day or the
settlement morning for a given class is not documented, so both forms are read and the calendar decides. And
we always buy a combo at a signed price, which is also the broker's convention for a BAG: the legs keep their
raw actions, the order is BUY, a credit is a negative limit. One leg makes a plain order of that leg's side
at a positive price.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from bot.broker.compat import ComboLeg, Order, RawContract
from bot.errors import BrokerError
from market.contract import Action, Combo, Contract, Right, SecurityType
from market.sessions import (
    AM_SETTLED,
    is_session,
    next_session,
    option_expiry_instant,
    previous_session,
    spx_monthly_expiry,
    vix_expiries,
    vix_last_trade,
    vixw_expiries,
)
from market.trading_hours import Product

_KINDS = {kind.value: kind for kind in SecurityType}
_RIGHTS = {"C": Right.CALL, "CALL": Right.CALL, "P": Right.PUT, "PUT": Right.PUT}


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What an order is, apart from its ids: the client's contract, side, units and signed limit."""

    contract: Any
    action: Action
    quantity: int
    limit: float


def printed_expiry(trading_class: str, settlement: date) -> date:
    """The day the broker prints for a contract that settles on `settlement`."""
    return previous_session(settlement) if trading_class in AM_SETTLED else settlement


def settlement_day(trading_class: str, printed: date) -> date:
    """The settlement day behind a printed expiry, in whichever of the two forms it was printed."""
    if trading_class not in AM_SETTLED | {"VX"} or not is_session(printed):
        return printed
    return printed if _settles_on(trading_class, printed) else next_session(printed)


def is_settled(contract: Contract, now: datetime) -> bool:
    """Whether the contract's settlement instant has come at the aware `now`; never for an undated one."""
    if contract.expiry is None:
        return False
    try:
        if contract.security_type is SecurityType.FUTURE:
            settles = vix_last_trade(contract.expiry, Product.VIX_FUTURE)
        else:
            settles = option_expiry_instant(contract.trading_class, contract.expiry)
    except ValueError:
        # A class or a day our calendar does not know: the day itself has to be over.
        return contract.expiry < now.date()
    return settles.astimezone(UTC) <= now.astimezone(UTC)


def from_client(raw: Any) -> Contract | None:
    """Our contract for the client's, or None for a combo or a kind we do not know.

    Raises BrokerError when a date, a strike or a multiplier cannot be read.
    """
    kind = _KINDS.get(raw.secType)
    if kind is None or kind is SecurityType.COMBO:
        return None
    try:
        printed = _day(raw.lastTradeDateOrContractMonth) if raw.lastTradeDateOrContractMonth else None
        multiplier = int(float(raw.multiplier or 1))
        strike = float(raw.strike or 0.0)
    except (ValueError, OverflowError) as error:
        raise BrokerError(f"the broker describes contract {raw.conId} unreadably: {error}") from error
    trading_class = raw.tradingClass or ""
    is_option = kind is SecurityType.OPTION
    return Contract(
        security_type=kind,
        symbol=raw.symbol,
        trading_class=trading_class if is_option or kind is SecurityType.FUTURE else "",
        expiry=settlement_day(trading_class, printed) if printed is not None else None,
        strike=strike if is_option else 0.0,
        right=_RIGHTS.get(raw.right) if is_option else None,
        multiplier=multiplier,
        exchange="SMART" if is_option or kind is SecurityType.STOCK else raw.exchange,
        currency=raw.currency or "USD",
        con_id=raw.conId,
    )


def to_client(contract: Contract) -> Any:
    """The client's contract for ours. A named contract goes by its id, an unnamed one by its terms."""
    if contract.con_id:
        return RawContract(
            conId=contract.con_id,
            secType=contract.security_type.value,
            symbol=contract.symbol,
            exchange=contract.exchange,
            currency=contract.currency,
        )
    raw = RawContract(
        secType=contract.security_type.value,
        symbol=contract.symbol,
        exchange=contract.exchange,
        currency=contract.currency,
        tradingClass=contract.trading_class,
    )
    if contract.expiry is not None:
        raw.lastTradeDateOrContractMonth = f"{printed_expiry(contract.trading_class, contract.expiry):%Y%m%d}"
    if contract.right is not None:
        raw.strike, raw.right, raw.multiplier = (
            contract.strike,
            contract.right.value,
            str(contract.multiplier),
        )
    return raw


def order_terms(combo: Combo, quantity: int, limit: float) -> OrderTerms:
    """A combo to be bought as an order: a BAG from two legs on, else a plain order of the leg's own side.

    The BAG is guaranteed and carries one overall price: no leg prices, nothing non-guaranteed. Raises
    BrokerError when a leg has no id yet, legs have different underlyings, the quantity is not positive, or a
    single leg's price would not be positive.
    """
    if quantity < 1:
        raise BrokerError(f"an order needs at least one unit, not {quantity}")
    if any(not leg.contract.con_id for leg in combo.legs):
        raise BrokerError("a leg without the broker's id cannot be ordered")
    if len(combo.legs) > 1:
        symbols = {(leg.contract.symbol, leg.contract.currency) for leg in combo.legs}
        if len(symbols) != 1:
            raise BrokerError("legs of a combo share one underlying")
        symbol, currency = symbols.pop()
        legs = [
            ComboLeg(
                conId=leg.contract.con_id,
                ratio=leg.ratio,
                action=leg.action.value,
                exchange=leg.contract.exchange,
            )
            for leg in combo.legs
        ]
        bag = RawContract(secType="BAG", symbol=symbol, exchange="SMART", currency=currency, comboLegs=legs)
        return OrderTerms(bag, Action.BUY, quantity, limit)
    leg = combo.legs[0]
    if leg.ratio != 1:
        raise BrokerError("an order of a single contract counts contracts: its ratio is 1")
    price = leg.action.sign * limit
    if price <= 0.0:
        raise BrokerError(f"a {leg.action} of one contract needs a positive price, not {price:g}")
    return OrderTerms(to_client(leg.contract), leg.action, quantity, price)


def order_to_client(terms: OrderTerms, *, order_id: int, client_id: int, account: str, order_ref: str) -> Any:
    """The client's order: a DAY limit order with the account and our reference spelled out."""
    return Order(
        orderId=order_id,
        clientId=client_id,
        action=terms.action.value,
        totalQuantity=float(terms.quantity),
        orderType="LMT",
        lmtPrice=terms.limit,
        tif="DAY",
        account=account,
        orderRef=order_ref,
        transmit=True,
    )


def _settles_on(trading_class: str, day: date) -> bool:
    if trading_class == "SPX":
        return day == spx_monthly_expiry(day.year, day.month)
    return day in (vixw_expiries if trading_class == "VIXW" else vix_expiries)(day, day)


def _day(text: str) -> date:
    # The broker may append the time of the last trade: `20200320 08:30 US/Central`.
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))
