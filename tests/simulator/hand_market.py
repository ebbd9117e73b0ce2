"""A market whose book is set by hand, and the orders and contracts the venue's tests trade in it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from market.contract import Contract, Right, SecurityType
from market.sessions import Product, Segment, segment_at
from simulator.model import Bar, Chain, Instrument, OrderLeg, OrderRequest, Tick

ACCOUNT = "DU1234567"
SPX, VIX = 416904, 13455763

#: A Tuesday, half past ten in New York.
TUESDAY = datetime(2024, 2, 6, 15, 30, tzinfo=UTC)
EXPIRY = date(2024, 3, 15)
EXPIRY_CLOSE = datetime(2024, 3, 15, 20, 0, tzinfo=UTC)
VIX_EXPIRY = date(2024, 3, 20)
VIX_MORNING = datetime(2024, 3, 20, 13, 30, tzinfo=UTC)
VIX_LAST_TRADE = datetime(2024, 3, 19, 20, 15, tzinfo=UTC)

PUT_WING, SHORT_PUT, SHORT_CALL, CALL_WING = 1001, 1002, 1003, 1004
NAKED_CALL, FAR_PUT = 1005, 1006
VIX_CALL_20, VIX_CALL_25 = 2001, 2002
VX, VNQ = 3001, 4001


def _spxw(con_id: int, strike: float, right: Right) -> Contract:
    return Contract(SecurityType.OPTION, "SPX", "SPXW", EXPIRY, strike, right, multiplier=100, con_id=con_id)


def _vix(con_id: int, strike: float) -> Contract:
    return Contract(
        SecurityType.OPTION, "VIX", "VIX", VIX_EXPIRY, strike, Right.CALL, multiplier=100, con_id=con_id
    )


CONTRACTS: dict[int, Contract] = {
    contract.con_id: contract
    for contract in (
        Contract(SecurityType.INDEX, "SPX", exchange="CBOE", con_id=SPX),
        Contract(SecurityType.INDEX, "VIX", exchange="CBOE", con_id=VIX),
        _spxw(PUT_WING, 4700.0, Right.PUT),
        _spxw(SHORT_PUT, 4750.0, Right.PUT),
        _spxw(SHORT_CALL, 5150.0, Right.CALL),
        _spxw(CALL_WING, 5200.0, Right.CALL),
        _spxw(NAKED_CALL, 5100.0, Right.CALL),
        _spxw(FAR_PUT, 4600.0, Right.PUT),
        _vix(VIX_CALL_20, 20.0),
        _vix(VIX_CALL_25, 25.0),
        Contract(SecurityType.FUTURE, "VIX", "VX", VIX_EXPIRY, multiplier=1000, exchange="CFE", con_id=VX),
        Contract(SecurityType.STOCK, "VNQ", con_id=VNQ),
    )
}
_PRODUCTS = {
    SecurityType.OPTION: Product.INDEX_OPTION,
    SecurityType.FUTURE: Product.VIX_FUTURE,
    SecurityType.STOCK: Product.EQUITY,
    SecurityType.INDEX: Product.EQUITY,
}


class HandMarket:
    """Prices stay where the test puts them; settlement values appear at the instants the test names."""

    def __init__(self, now: datetime = TUESDAY) -> None:
        self._now = now
        self.book: dict[int, Tick] = {}
        self.settlements: dict[int, tuple[datetime, float]] = {}
        self.quote_calls = 0
        self.halted: set[str] = set()
        self.last(SPX, 4950.0)
        self.last(VIX, 14.0)

    @property
    def now(self) -> datetime:
        return self._now

    def quote(self, con_id: int, bid: float | None, ask: float | None, size: int = 100) -> None:
        sizes = (size if bid is not None else 0, size if ask is not None else 0)
        self.book[con_id] = Tick(con_id, bid, ask, *sizes)

    def last(self, con_id: int, price: float) -> None:
        self.book[con_id] = Tick(con_id, last=price)

    def condor(self, spread: float = 0.2, size: int = 100, shift: float = 0.0) -> None:
        """A book in which the condor is worth 12 points, each leg quoted `spread` wide."""
        for con_id, mid in ((PUT_WING, 14.0), (SHORT_PUT, 20.0), (SHORT_CALL, 11.0), (CALL_WING, 5.0)):
            level = mid + (shift if con_id in {SHORT_PUT, SHORT_CALL} else 0.0)
            self.quote(con_id, round(level - spread / 2, 6), round(level + spread / 2, 6), size)

    def settle_spx(self, value: float) -> None:
        for con_id, contract in CONTRACTS.items():
            if contract.trading_class == "SPXW":
                self.settlements[con_id] = (EXPIRY_CLOSE, value)

    def settle_vix(self, value: float) -> None:
        for con_id, contract in CONTRACTS.items():
            if contract.expiry == VIX_EXPIRY:
                self.settlements[con_id] = (VIX_MORNING, value)

    def advance(self, to: datetime) -> None:
        if to < self._now:
            raise ValueError("time does not go back")
        self._now = to

    def find(self, **fields: Any) -> Sequence[Instrument]:
        found = self.instrument(int(fields["con_id"]))
        return [] if found is None else [found]

    def instrument(self, con_id: int) -> Instrument | None:
        contract = CONTRACTS.get(con_id)
        if contract is None:
            return None
        last_trade, under = None, 0
        if contract.expiry == EXPIRY:
            last_trade, under = EXPIRY_CLOSE, SPX
        elif contract.expiry == VIX_EXPIRY:
            last_trade, under = VIX_LAST_TRADE, VIX
        return Instrument(contract, contract.describe(), contract.describe(), 0.05, (), under, "", last_trade)

    def chains(self, underlying_con_id: int) -> Sequence[Chain]:
        return []

    def ticks(self, con_ids: Iterable[int], age_s: float = 0.0) -> Sequence[Tick]:
        self.quote_calls += 1
        return [self.book.get(con_id, Tick(con_id)) for con_id in con_ids]

    def is_open(self, con_id: int) -> bool:
        instrument = self.instrument(con_id)
        if instrument is None or (instrument.last_trade is not None and self._now >= instrument.last_trade):
            return False
        segment = segment_at(_PRODUCTS[instrument.contract.security_type], self._now)
        return segment is not None and segment.segment is Segment.REGULAR

    def settlement(self, con_id: int) -> float | None:
        when, value = self.settlements.get(con_id, (None, 0.0))
        return value if when is not None and self._now >= when else None

    def next_settlement(self) -> datetime | None:
        return min((when for when, _ in self.settlements.values() if when > self._now), default=None)

    def bars(self, con_id: int, end: datetime, sessions: int, seconds: int = 0) -> Sequence[Bar]:
        return []

    def daily_rows(self, series: str, first: date = date.min) -> Sequence[tuple[date, Mapping[str, float]]]:
        return []

    def dump(self) -> dict[str, Any]:
        return {"now": self._now.isoformat()}

    def load(self, state: Mapping[str, Any]) -> None:
        self._now = datetime.fromisoformat(state["now"])


def single(con_id: int, action: str, quantity: float, limit: float | None, **fields: Any) -> OrderRequest:
    """An order in one contract, a limit order unless said otherwise."""
    kind = CONTRACTS[con_id].security_type.value if con_id in CONTRACTS else "OPT"
    return _request(con_id, kind, action, quantity, limit, **fields)


CONDOR_LEGS = (
    OrderLeg(PUT_WING, 1, "BUY"),
    OrderLeg(SHORT_PUT, 1, "SELL"),
    OrderLeg(SHORT_CALL, 1, "SELL"),
    OrderLeg(CALL_WING, 1, "BUY"),
)


def condor(action: str, quantity: float, limit: float | None, **fields: Any) -> OrderRequest:
    """An order in the short iron condor: its buyer is paid."""
    return _request(0, "BAG", action, quantity, limit, **{"legs": CONDOR_LEGS, **fields})


def _request(
    con_id: int, kind: str, action: str, quantity: float, limit: float | None, **fields: Any
) -> OrderRequest:
    values: dict[str, Any] = {
        "client_id": 7,
        "order_id": 1,
        "account": ACCOUNT,
        "con_id": con_id,
        "symbol": "SPX",
        "security_type": kind,
        "exchange": "SMART",
        "currency": "USD",
        "action": action,
        "quantity": quantity,
        "order_type": "MKT" if limit is None else "LMT",
        "limit_price": limit,
        "aux_price": None,
        "tif": "DAY",
        "order_ref": "test",
    }
    return OrderRequest(**{**values, **fields})
