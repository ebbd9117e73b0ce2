"""How costs are shown: one line a structure, one a campaign of the hedge, and what it cost a condor."""

from collections.abc import Mapping
from typing import Any

from bot.control.output import say, table
from bot.review.costs import Costs

_STRUCTURE = (
    "structure",
    "layer",
    "campaign",
    "units",
    "paid",
    "received",
    "slippage",
    "fees",
    "net",
    "net bp",
)
_CAMPAIGN = ("campaign", "tranches", "paid", "slippage", "fees", "net", "net bp")


def show_costs(costs: Costs) -> None:
    """Print the tables; amounts in USD, basis points of the net asset value at each opening."""
    figures = costs.as_json()
    table(
        "What was traded and what it cost (USD; paid is negative where a credit was received)",
        _STRUCTURE,
        [_cells(row, ("structure", "layer", "campaign", "units")) for row in figures["structures"]],
    )
    if figures["campaigns"]:
        rows = [_cells(row, ("campaign", "tranches")) for row in figures["campaigns"]]
        table("The hedge by campaign", _CAMPAIGN, rows)
    per_condor = figures["hedge_cost_bps_per_condor"]
    closed = figures["condors_closed"]
    told = (
        "no condor has been closed" if per_condor is None else f"{per_condor:g} bp a condor, {closed} closed"
    )
    say([f"Net cost of the hedge: {told}"])


def _cells(row: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    amounts = [
        name for name in ("paid_usd", "received_usd", "slippage_usd", "fees_usd", "net_usd") if name in row
    ]
    cells = [str(row[name] if row[name] is not None else "") for name in names]
    cells += ["held" if row[name] is None else f"{row[name]:,.2f}" for name in amounts]
    bps = row["net_bps"]
    return (*cells, "" if bps is None else f"{bps:.2f}")
