"""What a journal amounts to: sessions, structures, orders, fills, fires and the account before and after."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.journal.segments import Record, read_records
from market.rounding import round_price
from strategies import iron_condor
from strategies.hedge_state import LAYER_OF


@dataclass(slots=True)
class Trade:
    """One structure as the decisions and fills of a journal tell it."""

    structure_id: str
    strategy: str
    opened: str = ""
    closed: str = ""
    units_opened: int = 0
    units_closed: int = 0
    reason: str = ""
    prices: dict[str, dict[str, tuple[int, float]]] = field(default_factory=dict)
    """By verb and order reference: units so far, and their average price in points."""

    @property
    def entry(self) -> str:
        """Average price of what was opened."""
        return _average(self.prices.get("open", {}))

    @property
    def exit(self) -> str:
        """Average price of what was closed."""
        return _average(self.prices.get("close", {}))


@dataclass(slots=True)
class Summary:
    """Counts over a whole journal."""

    sessions: set[str] = field(default_factory=set)
    orders: int = 0
    fills: int = 0
    decisions: int = 0
    nav_start_usd: float | None = None
    nav_end_usd: float | None = None
    fires: list[dict[str, Any]] = field(default_factory=list)
    hedge_orders: list[dict[str, Any]] = field(default_factory=list)
    trades: dict[str, Trade] = field(default_factory=dict)
    filled: dict[str, int] = field(default_factory=dict)  # units by order reference
    intents: dict[str, str] = field(default_factory=dict)  # open or close by order reference

    def opened(self, strategy: str) -> int:
        """Structures of a strategy of which something was bought."""
        return sum(trade.strategy == strategy and trade.units_opened > 0 for trade in self.trades.values())

    def closed(self, strategy: str) -> int:
        """Structures of a strategy that were closed in full."""
        return sum(
            trade.strategy == strategy and 0 < trade.units_opened <= trade.units_closed
            for trade in self.trades.values()
        )

    def as_json(self) -> dict[str, Any]:
        """The figures under their published names."""
        return {
            "sessions": len(self.sessions),
            "condors_opened": self.opened(iron_condor.STRATEGY),
            "condors_closed": self.closed(iron_condor.STRATEGY),
            "hedge_tranches_opened": sum(self.opened(strategy) for strategy in LAYER_OF),
            "orders": self.orders,
            "fills": self.fills,
            "decisions": self.decisions,
            "nav_start_usd": self.nav_start_usd,
            "nav_end_usd": self.nav_end_usd,
            "fires": self.fires,
            "hedge_orders": self.hedge_orders,
        }


def summarise(journal: Path) -> Summary:
    """Walk a journal once. Raises JournalError on a record that does not read."""
    summary = Summary()
    for record in read_records(journal):
        reader = _READERS.get(record.kind)
        if reader is not None:
            reader(summary, record)
    return summary


def _average(fills: dict[str, tuple[int, float]]) -> str:
    """Average price over several orders, each weighed by its units; empty without a priced fill."""
    units = sum(count for count, _ in fills.values())
    return f"{round_price(sum(count * price for count, price in fills.values()) / units):g}" if units else ""


def _account(summary: Summary, record: Record) -> None:
    nav_usd = record.body["nav_usd"]
    summary.nav_end_usd = nav_usd
    if summary.nav_start_usd is None:
        summary.nav_start_usd = nav_usd


def _quotes(summary: Summary, record: Record) -> None:
    summary.sessions.add(record.time[:10])  # regular hours lie within one UTC day


def _placed(summary: Summary, _record: Record) -> None:
    summary.orders += 1


def _executed(summary: Summary, _record: Record) -> None:
    summary.fills += 1


def _decision(summary: Summary, record: Record) -> None:
    summary.decisions += 1
    body = record.body
    verb, strategy = body["verb"], body["strategy"]
    if verb == "fire":
        readings = {reading["name"]: reading["value"] for reading in body["readings"]}
        summary.fires.append({"layer": LAYER_OF[strategy], "date": body["session"], "readings": readings})
    if verb in ("open", "close"):
        _ordered(summary, body, verb)
    if verb == "book":
        _booked(summary, body)


def _ordered(summary: Summary, body: dict[str, Any], verb: str) -> None:
    summary.intents[body["order_ref"]] = verb
    trade = summary.trades.setdefault(body["structure_id"], Trade(body["structure_id"], body["strategy"]))
    if verb == "close":
        trade.reason = body["reason"]
    elif body["strategy"] in LAYER_OF:
        summary.hedge_orders.append(
            {
                "layer": LAYER_OF[body["strategy"]],
                "date": body["session"],
                "contracts": body["quantity"],
                "filled": 0,
                "order_ref": body["order_ref"],
            }
        )


def _booked(summary: Summary, body: dict[str, Any]) -> None:
    reference, units = body["order_ref"], body["quantity"]
    more = units - summary.filled.get(reference, 0)
    trade = summary.trades.get(body["structure_id"])
    if more <= 0 or trade is None or reference not in summary.intents:
        return
    summary.filled[reference] = units
    verb = "open" if summary.intents[reference] == "open" else "close"
    price = body["reason"].rpartition(" at ")
    if price[1]:  # before the legs make whole units there is no price of a unit
        trade.prices.setdefault(verb, {})[reference] = (units, float(price[2]))
    if verb == "open":
        trade.units_opened += more
        trade.opened = trade.opened or body["session"]
    else:
        trade.units_closed += more
        trade.closed = body["session"]
    for order in summary.hedge_orders:
        if order["order_ref"] == reference:
            order["filled"] = units


_READERS = {
    "AccountTaken": _account,
    "QuotesTaken": _quotes,
    "PlaceOrder": _placed,
    "Executed": _executed,
    "Decision": _decision,
}
