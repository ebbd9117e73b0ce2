"""A look to decide on: quotes, wishes and stand-in strategies whose answers a test puts in."""

from datetime import UTC, date, datetime

from bot.engine.state import EngineState, MarginAsk, Step
from bot.events import (
    Feed,
    PlaceOrder,
)
from market.contract import Combo
from market.quote import Quote
from strategies.base import Intent, Proposal
from strategies.hedge_budget import BudgetLedger
from strategies.vix_hedge import HedgeState, PendingEntry
from tests.bot.engine.desk import (
    NOW,
    SESSION,
    SPX,
    ready,
)
from tests.risk.book import condor, vix_spread

NEW_YORK_OPEN = datetime(2020, 2, 3, 14, 30, tzinfo=UTC)
INDEX = Quote(None, None, 3300.0, NOW)
ALIVE = dict.fromkeys(Feed, NOW)


def quoted(*combos: Combo, mid: float = 3.0) -> dict[int, Quote]:
    """Quotes of every leg: shorts dearer than wings, so that a condor takes a credit."""
    quotes = {}
    for combo in combos:
        for leg in combo.legs:
            middle = mid + (3.0 if leg.signed_ratio < 0 else 0.0)
            if leg.contract.symbol == "VIX":
                middle = mid - (1.0 if leg.signed_ratio < 0 else 0.0)
            quotes[leg.contract.con_id] = Quote(middle - 0.05, middle + 0.05, None, NOW)
    return quotes


def wish(
    structure_id: str = "condor-2020-W06-1",
    combo: Combo | None = None,
    intent: Intent = Intent.OPEN,
    quantity: int = 1,
    limit: float = -6.0,
    strategy: str = "iron_condor",
    reserves: bool = False,
    tick: float = 0.05,
) -> Proposal:
    """A proposal at one price."""
    combo = combo if combo is not None else condor()
    return Proposal(
        strategy,
        structure_id,
        intent,
        combo,
        quantity,
        limit,
        limit,
        combo.max_loss(limit),
        "because",
        reserves,
        tick=tick,
    )


HEDGE = wish("near-term-2020-01-31", vix_spread(), strategy="near_term", limit=1.0, reserves=True, tick=0.01)
FIRED = HedgeState(
    ledger=BudgetLedger(date(2020, 1, 31), 1e6),
    pending=(PendingEntry("L1", "near-term-2020-01-31", date(2020, 1, 31), SESSION, 0.1),),
)


def told(*structures: str, combo: Combo | None = None, usd: float = 1000.0) -> dict[str, MarginAsk]:
    """The broker's figures for the opening of these structures, just told."""
    combo = combo if combo is not None else condor()
    return {name: MarginAsk(f"{name}@1", combo, 1000, NOW, NOW, usd) for name in structures}


TOLD = told("condor-2020-W06-1", "condor-2020-W06-2")


def looking(**changes: object) -> EngineState:
    """A ready engine with live feeds, quotes of a condor and a hedge, and the condor's margin."""
    quotes = {**quoted(condor(), vix_spread()), SPX.con_id: INDEX}
    return ready(
        **{"alive": ALIVE, "quotes": quotes, "feeds_asked": {Feed.INDEX: NOW}, "margins": TOLD, **changes}
    )


def placed(done: Step) -> list[PlaceOrder]:
    """Orders sent."""
    return [command for command in done.commands if isinstance(command, PlaceOrder)]
