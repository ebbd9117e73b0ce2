"""Contracts, structures and a healthy context for the risk tests."""

import tomllib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from market.contract import Combo, Contract, Right, SecurityType, call_spread, iron_condor
from market.quote import Quote
from risk.context import LiveOrder, ReviewContext, ToldMargin
from risk.exposure import Stake
from risk.limits import RiskLimits
from risk.review import review
from risk.state import Cause, RiskState
from risk.verdict import Check

NOW = datetime(2020, 2, 3, 15, 0, tzinfo=UTC)
EXPIRY = date(2020, 3, 20)
LATER = date(2020, 3, 27)


def limits(**changes: float) -> RiskLimits:
    """The shipped limits."""
    with (Path(__file__).parents[2] / "config" / "rules.toml").open("rb") as file:
        rules = tomllib.load(file)
    return RiskLimits(**{**rules["risk"], "open_condors_max": rules["condor"]["open_max_count"], **changes})


def option(
    strike: float, right: Right, trading_class: str = "SPXW", expiry: date = EXPIRY, con_id: int | None = None
) -> Contract:
    """A listed option; its id follows from its terms."""
    symbol = "VIX" if trading_class == "VIX" else "SPX"
    if con_id is None:
        con_id = (
            int(strike * 2) * 10
            + (right is Right.PUT)
            + 100_000 * expiry.day
            + 10_000_000 * (symbol == "VIX")
        )
    return Contract(
        SecurityType.OPTION, symbol, trading_class, expiry, strike, right, multiplier=100, con_id=con_id
    )


def condor(
    low: float = 3050, put: float = 3100, call: float = 3500, high: float = 3550, expiry: date = EXPIRY
) -> Combo:
    """A short iron condor."""
    puts = (option(strike, Right.PUT, expiry=expiry) for strike in (low, put))
    calls = (option(strike, Right.CALL, expiry=expiry) for strike in (call, high))
    return iron_condor(*puts, *calls)


QUOTED = (condor(), condor(2950, 3000, 3600, 3650), condor(expiry=LATER))


def vix_spread(long: float = 25, short: float = 35) -> Combo:
    """A hedge tranche's combo."""
    return call_spread(option(long, Right.CALL, "VIX"), option(short, Right.CALL, "VIX"))


@dataclass(frozen=True)
class Trade:
    """A proposal as risk sees one."""

    combo: Combo
    quantity: int = 1
    limit: float = -12.0
    limit_worst: float = -11.8
    intent: str = "open"
    structure_id: str = "new"
    reserves: bool = False
    fees_per_unit_usd: float = 5.18
    adjusts: bool = False


def opening(**changes: object) -> Trade:
    """A condor to open at a credit of about twelve points."""
    return replace(Trade(condor()), **changes)  # type: ignore[arg-type]  # a test's own choice of fields


def hedge(**changes: object) -> Trade:
    """A hedge to buy at about two points."""
    trade = Trade(vix_spread(), 1, 2.0, 2.05, reserves=True, structure_id="hedge", fees_per_unit_usd=2.5)
    return replace(trade, **changes)  # type: ignore[arg-type]  # a test's own choice of fields


def closing(**changes: object) -> Trade:
    """The close of the condor that `healthy(stakes=(held(),))` holds."""
    trade = Trade(condor().reversed(), 2, 12.0, 12.2, intent="close", structure_id="held")
    return replace(trade, **changes)  # type: ignore[arg-type]  # a test's own choice of fields


def held(quantity: int = 2, price: float = -12.0, combo: Combo | None = None, name: str = "held") -> Stake:
    """An open structure."""
    return Stake(condor() if combo is None else combo, quantity, price, name)


def live(trade: Trade, **changes: object) -> LiveOrder:
    """A proposal's order at work."""
    order = LiveOrder(
        trade.structure_id,
        f"ref-{trade.structure_id}",
        trade.combo,
        trade.quantity,
        trade.limit_worst,
        trade.intent == "open",
        trade.fees_per_unit_usd,
    )
    return replace(order, **changes)  # type: ignore[arg-type]  # a test's own choice of fields


def quoted(*combos: Combo, mid: float = 12.0, half: float = 0.1) -> dict[int, Quote]:
    """Quotes in which a condor leans nowhere and the first leg of anything else carries its whole value.

    Half the spread of the combo is `half`.
    """
    quotes = {}
    for combo in combos:
        spread = [3.0, 1.0, 1.0, 1.0]
        if len(combo.legs) == 4:
            spread = [2.5, 2.5 + mid * 7 / 12, 1.0 + mid * 5 / 12, 1.0]
        elif combo.legs[0].contract.symbol == "SPX":
            spread[0] = 1.0 + mid
        for leg, centre in zip(combo.legs, spread, strict=False):
            side = half / len(combo.legs)
            quotes[leg.contract.con_id] = Quote(round(centre - side, 6), round(centre + side, 6), None, NOW)
    return quotes


def healthy(**changes: object) -> ReviewContext:
    """A context in which nothing stands in the way."""
    context = ReviewContext(
        now=NOW,
        account="DU1234567",
        allowed_account="DU1234567",
        state=RiskState(),
        order_ref="ref-1",
        quotes=quoted(*QUOTED, vix_spread()),
        feeds_alive={"option": NOW, "index": NOW, "future": NOW},
        nav_usd=1_000_000.0,
        nav_time=NOW - timedelta(seconds=5),
        nav_session_open_usd=1_000_000.0,
        nav_peak_usd=1_010_000.0,
        init_margin_usd=10_000.0,
        maint_margin_usd=10_000.0,
        cash_usd=900_000.0,
        index_levels={"SPX": 3300.0},
        told_margin=ToldMargin(1000, 0.0),
    )
    return replace(context, **changes)  # type: ignore[arg-type]  # a test's own choice of fields


LIMITS = limits()


def check(name: str, trade: Trade, context: ReviewContext) -> Check:
    """The one check of this name in the verdict."""
    (found,) = [one for one in review(trade, context, LIMITS).checks if one.name == name]
    return found


def refused(trade: Trade, context: ReviewContext) -> tuple[str, ...]:
    """Names of the checks that refuse."""
    return review(trade, context, LIMITS).refusals


def book(*stakes: Stake, **changes: object) -> ReviewContext:
    """A healthy context that holds these."""
    return healthy(stakes=stakes, **changes)


def reducing(cause: Cause) -> RiskState:
    """A state with one cause to reduce."""
    return RiskState().with_cause(cause, "seen")
