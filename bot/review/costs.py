"""What trading cost: each structure, each campaign of the hedge, and the hedge per condor (METHOD 3.5).

Everything is read from decisions and commission reports of the journal: the cash and the slippage that a
booking tells, the net asset value at the opening, and the age of the campaign an opening belongs to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from bot.journal.segments import Record, read_records
from market.rounding import round_price, round_ratio
from market.sessions import session_offset
from strategies.hedge_state import LAYER_OF
from strategies.iron_condor import STRATEGY as CONDOR


@dataclass(slots=True)
class StructureCost:
    """One structure in USD: cash paid to open and received at the sale (negative: the other way), and costs.

    `fills_without_mid` are fills with no market to measure slippage against.
    """

    structure_id: str
    strategy: str
    campaign: str = ""
    nav_usd: float = 0.0
    opened_units: int = 0
    closed_units: int = 0
    paid_usd: float = 0.0
    received_usd: float = 0.0
    slippage_usd: float = 0.0
    fees_usd: float = 0.0
    fills_without_mid: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether all that was opened was closed by orders."""
        return 0 < self.opened_units <= self.closed_units

    @property
    def net_usd(self) -> float | None:
        """Result after fees; None while something is still held."""
        return round_price(self.received_usd - self.paid_usd - self.fees_usd) if self.is_closed else None

    def bps(self, amount_usd: float) -> float | None:
        """An amount in basis points of the net asset value at the opening."""
        return round_ratio(10_000 * amount_usd / self.nav_usd) if self.nav_usd > 0.0 else None


@dataclass(slots=True)
class Costs:
    """All structures of a journal that traded, in the order of their opening."""

    structures: dict[str, StructureCost] = field(default_factory=dict)
    nav_usd: float = 0.0
    orders: dict[str, tuple[str, str]] = field(default_factory=dict)  # reference -> structure, verb
    executions: dict[str, str] = field(default_factory=dict)  # execution -> order reference
    fees: dict[str, float] = field(default_factory=dict)  # execution -> USD

    @property
    def traded(self) -> list[StructureCost]:
        """Those of which something was bought or sold."""
        return [one for one in self.structures.values() if one.opened_units]

    def hedges(self) -> list[StructureCost]:
        """The tranches."""
        return [one for one in self.traded if one.strategy in LAYER_OF]

    def campaigns(self) -> dict[str, list[StructureCost]]:
        """The tranches by the session their campaign began."""
        found: dict[str, list[StructureCost]] = {}
        for one in self.hedges():
            found.setdefault(one.campaign, []).append(one)
        return found

    def hedge_cost_bps_per_condor(self) -> float | None:
        """Net loss of the closed tranches, each in its own net asset value, for each condor closed."""
        round_trips = sum(one.is_closed for one in self.traded if one.strategy == CONDOR)
        results = [(one.net_usd, one.nav_usd) for one in self.hedges() if one.nav_usd > 0.0]
        if not round_trips:
            return None
        lost = sum(-net / nav for net, nav in results if net is not None)
        return round_ratio(10_000 * lost / round_trips)

    def as_json(self) -> dict[str, Any]:
        """The figures under their published names."""
        return {
            "structures": [_row(one) for one in self.traded],
            "campaigns": [_total(name, ones) for name, ones in self.campaigns().items()],
            "condors_closed": sum(one.is_closed for one in self.traded if one.strategy == CONDOR),
            "hedge_cost_bps_per_condor": self.hedge_cost_bps_per_condor(),
        }


def costs_of(journal: Path) -> Costs:
    """Walk a journal once. Raises JournalError on a record that does not read."""
    costs = Costs()
    for record in read_records(journal):
        reader = _READERS.get(record.kind)
        if reader is not None:
            reader(costs, record)
    for execution, fee in costs.fees.items():
        structure_id, _ = costs.orders.get(costs.executions.get(execution, ""), ("", ""))
        if structure_id in costs.structures:
            costs.structures[structure_id].fees_usd = round_price(
                costs.structures[structure_id].fees_usd + fee
            )
    return costs


def _row(one: StructureCost) -> dict[str, Any]:
    net = one.net_usd
    return {
        "structure": one.structure_id,
        "layer": LAYER_OF.get(one.strategy, "condor"),
        "campaign": one.campaign or None,
        "units": one.opened_units,
        "closed_units": one.closed_units,
        "paid_usd": round_price(one.paid_usd),
        "received_usd": round_price(one.received_usd),
        "slippage_usd": round_price(one.slippage_usd),
        "slippage_bps": one.bps(one.slippage_usd),
        "fees_usd": one.fees_usd,
        "fees_bps": one.bps(one.fees_usd),
        "net_usd": net,
        "net_bps": None if net is None else one.bps(net),
        "fills_without_mid": one.fills_without_mid,
    }


def _total(name: str, ones: Iterable[StructureCost]) -> dict[str, Any]:
    rows = [_row(one) for one in ones]
    sums = {
        key: round_price(sum(row[key] for row in rows)) for key in ("paid_usd", "slippage_usd", "fees_usd")
    }
    nets = [row["net_usd"] for row in rows]
    bps = [row["net_bps"] for row in rows]
    done = None not in nets
    return {
        "campaign": name,
        "tranches": len(rows),
        **sums,
        "net_usd": round_price(sum(nets)) if done else None,
        "net_bps": round_ratio(sum(bps)) if done and None not in bps else None,
    }


def _account(costs: Costs, record: Record) -> None:
    costs.nav_usd = record.body["nav_usd"]


def _decision(costs: Costs, record: Record) -> None:
    body = record.body
    verb, structure_id = body["verb"], body["structure_id"]
    notes = dict(body["notes"])
    if verb in ("open", "close", "adjust"):
        costs.orders[body["order_ref"]] = (structure_id, verb)
        one = costs.structures.setdefault(structure_id, StructureCost(structure_id, body["strategy"]))
        if verb == "open" and not one.opened_units:
            one.nav_usd = costs.nav_usd
            if "campaign_age_sessions" in notes:
                began = session_offset(
                    date.fromisoformat(body["session"]), -int(notes["campaign_age_sessions"])
                )
                one.campaign = began.isoformat()
    elif verb == "book" and "paid_usd" in notes:
        known = costs.orders.get(body["order_ref"])
        if known is not None:
            _book(costs.structures[known[0]], known[1], notes)


def _book(one: StructureCost, verb: str, notes: dict[str, float]) -> None:
    """An adjustment moves cash and no units: the structure lives on with other legs."""
    units = int(notes["fill_units"])
    if verb == "open":
        one.opened_units += units
        one.paid_usd += notes["paid_usd"]
    else:
        one.closed_units += units if verb == "close" else 0
        one.received_usd -= notes["paid_usd"]
    if "slippage_usd" in notes:
        one.slippage_usd += notes["slippage_usd"]
    else:
        one.fills_without_mid += 1


def _executed(costs: Costs, record: Record) -> None:
    fill = record.body["fill"]
    costs.executions[fill["exec_id"]] = fill["order_ref"]


def _commission(costs: Costs, record: Record) -> None:
    costs.fees[record.body["exec_id"]] = record.body["commission_usd"]


def _reconciled(costs: Costs, record: Record) -> None:
    for executed in record.body["executions"]:
        costs.executions[executed["fill"]["exec_id"]] = executed["fill"]["order_ref"]
    for report in record.body.get("commissions", ()):
        costs.fees[report["exec_id"]] = report["commission_usd"]


_READERS = {
    "AccountTaken": _account,
    "CommissionReported": _commission,
    "Decision": _decision,
    "Executed": _executed,
    "Reconciled": _reconciled,
}
