"""Questions about a price or a volatility that is not the market's: answered with the market's own model.

Forward and discount factor of the option's expiry are read off the venue's model prices by parity at two
strikes, and the forward is moved with the price of the underlying that the client supposes.
"""

from datetime import timedelta

from market.contract import Contract, Right, SecurityType
from market.pricing import black76_greeks, black76_price, volatility_and_delta
from simulator import client_messages as ask
from simulator import replies
from simulator.classes import CLASSES
from simulator.instruments import contract_id, trading_ends
from simulator.model import Market
from simulator.peer import Peer
from simulator.reference import find_one

_YEAR = timedelta(365)
#: Number of the answer's tick type: the client's own question.
_CUSTOM = 53


def answer_option_price(peer: Peer, market: Market, request: ask.RequestOptionPrice) -> None:
    """The price at a volatility."""
    found = _terms(peer, market, request.req_id, request.query, request.underlying_price)
    if found is None:
        return
    if request.volatility <= 0.0:
        _invalid(peer, request.req_id, f"Invalid volatility {request.volatility:g}")
        return
    contract, forward, years, discount = found
    is_call = contract.right is Right.CALL
    price = float(black76_price(forward, contract.strike, years, request.volatility, discount, is_call))
    _tell(peer, request.req_id, found, request.volatility, price, request.underlying_price)


def answer_implied_volatility(peer: Peer, market: Market, request: ask.RequestImpliedVolatility) -> None:
    """The volatility behind a price; unset values where it has none."""
    found = _terms(peer, market, request.req_id, request.query, request.underlying_price)
    if found is None:
        return
    contract, forward, years, discount = found
    is_call = contract.right is Right.CALL
    solved = volatility_and_delta(request.option_price, forward, contract.strike, years, discount, is_call)
    volatility = None if solved is None else solved[0]
    _tell(peer, request.req_id, found, volatility, request.option_price, request.underlying_price)


_Terms = tuple[Contract, float, float, float]


def _terms(
    peer: Peer, market: Market, req_id: int, query: ask.ContractQuery, underlying: float
) -> _Terms | None:
    """The option, its forward, years left and discount factor; None after an error was sent."""
    instrument = find_one(market, query)
    if instrument is None or instrument.contract.security_type is not SecurityType.OPTION:
        peer.error(req_id, 200, "No security definition has been found for the request")
        return None
    if underlying <= 0.0:
        _invalid(peer, req_id, f"Invalid price of the underlying {underlying:g}")
        return None
    contract, ends = instrument.contract, trading_ends(instrument.contract)
    curve = _parity(market, contract)
    if curve is None or ends is None or ends <= market.now:
        _invalid(peer, req_id, "The option has no model price")
        return None
    forward, discount, spot = curve
    return contract, forward * underlying / spot, (ends - market.now) / _YEAR, discount


def _parity(market: Market, contract: Contract) -> tuple[float, float, float] | None:
    """Forward, discount factor and price of the underlying in the venue's model of the option's expiry."""
    far = _on_unit(contract, contract.strike * 1.2)
    name = contract.trading_class
    ids = [
        contract_id(SecurityType.OPTION, contract.symbol, name, contract.expiry, strike, right)
        for strike in (contract.strike, far)
        for right in (Right.CALL, Right.PUT)
    ]
    ticks = market.ticks(ids)
    prices = [tick.model_price for tick in ticks]
    spot = ticks[0].underlying
    if spot is None or any(price is None for price in prices):
        return None
    call, put, far_call, far_put = (price or 0.0 for price in prices)
    discount = ((call - put) - (far_call - far_put)) / (far - contract.strike)
    return contract.strike + (call - put) / discount, discount, spot


def _on_unit(contract: Contract, strike: float) -> float:
    """The nearest strike that the ids of the class can name, at least one step above the contract's."""
    unit = CLASSES[contract.trading_class].strike_unit
    return max(round(strike / unit), round(contract.strike / unit) + 1) * unit


def _tell(
    peer: Peer, req_id: int, terms: _Terms, volatility: float | None, price: float, underlying: float
) -> None:
    contract, forward, years, discount = terms
    if volatility is None:
        peer.write(replies.option_computation(req_id, _CUSTOM, 1, -1, -2, price, -1, -2, -2, -2, underlying))
        return
    greeks = black76_greeks(
        forward, contract.strike, years, volatility, discount, contract.right is Right.CALL
    )
    peer.write(
        replies.option_computation(
            req_id, _CUSTOM, 1, round(volatility, 6), round(float(greeks.delta), 6), round(price, 4), 0.0,
            round(float(greeks.gamma), 8), round(float(greeks.vega) / 100.0, 6),
            round(float(greeks.theta) / 365.0, 6), underlying,
        )
    )  # fmt: skip


def _invalid(peer: Peer, req_id: int, cause: str) -> None:
    peer.error(req_id, 321, f"Error validating request.-'bU' : cause - {cause}")
