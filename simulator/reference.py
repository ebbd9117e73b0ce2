"""Answers about what exists: contract details, option chains, market rules, symbols."""

from datetime import date, datetime, timedelta
from functools import lru_cache

from market.contract import Right, SecurityType
from market.sessions import FIRST_DAY, LAST_DAY, Product, Segment, segments
from simulator import client_messages as ask
from simulator import replies
from simulator.instruments import MARKET_RULES
from simulator.model import Instrument, Market
from simulator.peer import Peer

_DAYS_OF_HOURS = 7


def answer_contract_details(peer: Peer, market: Market, request: ask.RequestContractDetails) -> None:
    """Every matching line, then the end marker; error 200 when nothing matches and 321 for a combo."""
    query = request.query
    if query.security_type == "BAG":
        peer.error(request.req_id, 321, _invalid("BAG isn't supported for contract data request."))
        return
    if not (query.con_id or query.symbol or query.local_symbol):
        peer.error(request.req_id, 321, _invalid("Please enter a local symbol, a symbol or a contract id"))
        return
    found = find_all(market, query, include_expired=request.include_expired)
    if not found:
        peer.error(request.req_id, 200, "No security definition has been found for the request")
        return
    today = market.now.astimezone(replies.NEW_YORK).date()
    for instrument in found:
        contract = instrument.contract
        underlying = market.instrument(instrument.underlying_con_id) if instrument.underlying_con_id else None
        exchange = query.exchange or contract.exchange
        hours = trading_hours(instrument, today)
        peer.write(
            replies.contract_details(peer.version, request.req_id, instrument, underlying, exchange, hours)
        )
    peer.write(replies.contract_details_end(request.req_id))


def find_all(market: Market, query: ask.ContractQuery, include_expired: bool = False) -> list[Instrument]:
    """Instruments a client's contract fields describe; empty when they describe none or make no sense.

    A day given as expiry is the day the broker prints, the last trading day.
    """
    fields: dict[str, object] = {}
    try:
        if query.security_type:
            fields["security_type"] = SecurityType(query.security_type)
        if query.right not in {"", "0", "?"}:
            fields["right"] = Right(query.right[:1].upper())
        if query.expiry:
            fields["expiry"] = _expiry(query.expiry)
    except ValueError:
        return []
    for name in ("con_id", "symbol", "strike", "local_symbol", "trading_class"):
        if value := getattr(query, name):
            fields[name] = value
    day = query.expiry[:8] if len(query.expiry) >= 8 else ""
    if query.con_id:
        fields = {"con_id": query.con_id}
        day = ""
    today = market.now.astimezone(replies.NEW_YORK).date()
    return [
        instrument
        for instrument in market.find(**fields)
        if (not day or replies.printed_expiry(instrument) == day)
        and _listed_on(instrument, query)
        and (include_expired or not _expired(instrument, today))
    ]


def find_one(market: Market, query: ask.ContractQuery) -> Instrument | None:
    """The one instrument a client means; None when it is unknown or ambiguous."""
    found = find_all(market, query)
    return found[0] if len(found) == 1 else None


def answer_option_parameters(peer: Peer, market: Market, request: ask.RequestOptionParameters) -> None:
    """The chains listed on an underlying; error 200 for an underlying that does not exist."""
    underlying = market.instrument(request.con_id)
    if underlying is None or (request.symbol and underlying.contract.symbol != request.symbol):
        peer.error(request.req_id, 200, "No security definition has been found for the request")
        return
    for chain in market.chains(request.con_id):
        peer.write(replies.option_parameters(request.req_id, chain))
    peer.write(replies.option_parameters_end(request.req_id))


def answer_market_rule(peer: Peer, request: ask.RequestMarketRule) -> None:
    """The steps of a rule."""
    steps = MARKET_RULES.get(request.rule_id)
    if steps is None:
        peer.error(-1, 321, _invalid(f"Invalid market rule id {request.rule_id}"))
    else:
        peer.write(replies.market_rule(request.rule_id, steps))


def answer_matching_symbols(peer: Peer, market: Market, request: ask.RequestMatchingSymbols) -> None:
    """Indices and stocks whose symbol is the pattern; this venue does not search names or beginnings."""
    pattern = request.pattern.strip().upper()
    found: list[tuple[Instrument, tuple[str, ...]]] = []
    for kind in (SecurityType.INDEX, SecurityType.STOCK):
        for instrument in market.find(symbol=pattern, security_type=kind) if pattern else ():
            has_options = bool(market.chains(instrument.contract.con_id))
            found.append((instrument, ("OPT",) if has_options else ()))
    peer.write(replies.symbol_samples(peer.version, request.req_id, found))


def trading_hours(instrument: Instrument, today: date) -> replies.Hours:
    """A week of hours from `today` in the broker's notation, New York time."""
    return _hours(_product(instrument), today)


@lru_cache(maxsize=64)
def _hours(product: Product, today: date) -> replies.Hours:
    trading: list[str] = []
    liquid: list[str] = []
    for offset in range(_DAYS_OF_HOURS):
        day = today + timedelta(offset)
        if not FIRST_DAY <= day <= LAST_DAY:
            continue
        every = segments(product, day)
        spans = [f"{hours.open:%Y%m%d:%H%M}-{hours.close:%Y%m%d:%H%M}" for hours in every]
        regular = [span for span, hours in zip(spans, every, strict=True) if hours.segment is Segment.REGULAR]
        trading += spans or [f"{day:%Y%m%d}:CLOSED"]
        liquid += regular or [f"{day:%Y%m%d}:CLOSED"]
    return replies.Hours(";".join(trading), ";".join(liquid))


def regular_spans(instrument: Instrument, end: datetime, count: int) -> list[tuple[datetime, datetime]]:
    """Opens and closes (New York) of the last `count` regular sessions that began by `end`, ascending."""
    product, day = _product(instrument), end.astimezone(replies.NEW_YORK).date()
    spans: list[tuple[datetime, datetime]] = []
    while len(spans) < count and day >= FIRST_DAY:
        spans += [
            (hours.open, hours.close)
            for hours in segments(product, day)
            if hours.segment is Segment.REGULAR and hours.open <= end
        ]
        day -= timedelta(1)
    return spans[::-1]


def _product(instrument: Instrument) -> Product:
    match instrument.contract.security_type:
        case SecurityType.OPTION:
            return Product.INDEX_OPTION
        case SecurityType.FUTURE:
            return Product.VIX_FUTURE
        case _:
            return Product.EQUITY


def _expiry(text: str) -> date | tuple[int, int]:
    if len(text) == 6:
        return int(text[:4]), int(text[4:])
    return date(int(text[:4]), int(text[4:6]), int(text[6:8]))


def _listed_on(instrument: Instrument, query: ask.ContractQuery) -> bool:
    contract = instrument.contract
    exchanges = {name for name, _ in instrument.market_rules} | {
        contract.exchange,
        instrument.primary_exchange,
    }
    multiplier = replies.printed_multiplier(instrument)
    return (
        (not query.exchange or query.exchange in exchanges)
        and (not query.currency or query.currency == contract.currency)
        and (not query.multiplier or query.multiplier == multiplier)
    )


def _expired(instrument: Instrument, today: date) -> bool:
    expiry = instrument.contract.expiry
    return expiry is not None and expiry < today


def _invalid(cause: str) -> str:
    return f"Error validating request.-'bE' : cause - {cause}"
