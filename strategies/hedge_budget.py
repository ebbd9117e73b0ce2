"""The hedge's ledger: campaigns, the yearly cap, and what each layer has spent (METHOD 3.1).

A campaign opens with the first fire of any layer and fixes the layers' budgets on the net asset value of
that moment. It ends when every layer is flat and re-armed, or after its longest run of sessions; what was
not spent lapses. The yearly cap is a rolling one, so that two campaigns around New Year do not spend twice.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from market.records import replace
from market.rounding import round_price
from market.sessions import sessions_between
from strategies.rules import HedgeBudgetRules

YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Purchase:
    """Premium and fees paid for one tranche, in USD; it grows while the opening order fills."""

    structure_id: str
    layer: str
    session: date
    spent_usd: float
    con_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BudgetLedger:
    """The open campaign, if there is one, and every purchase of the last year, oldest first."""

    campaign: date | None = None
    campaign_nav_usd: float = 0.0
    purchases: tuple[Purchase, ...] = ()

    def spent_usd(self, layer: str) -> float:
        """What the layer has spent in this campaign."""
        if self.campaign is None:
            return 0.0
        return sum(
            one.spent_usd for one in self.purchases if one.layer == layer and one.session >= self.campaign
        )

    def year_spent_usd(self, session: date) -> float:
        """What all layers have spent in the year up to `session`."""
        return sum(one.spent_usd for one in self.purchases if one.session > session - YEAR)

    def left_usd(self, layer: str, session: date, nav_usd: float, rules: HedgeBudgetRules) -> float:
        """What the layer may still spend: the lesser of its campaign budget's and the year's remainder."""
        share = {"L1": rules.l1_fraction, "L2": rules.l2_fraction, "L3": rules.l3_fraction}[layer]
        campaign = share * rules.campaign_bps / 10_000 * self.campaign_nav_usd - self.spent_usd(layer)
        year = rules.year_bps / 10_000 * nav_usd - self.year_spent_usd(session)
        return max(round_price(min(campaign, year)), 0.0)

    def opened(self, session: date, nav_usd: float) -> "BudgetLedger":
        """The ledger after a fire: a campaign is open, the one that was or a new one."""
        if self.campaign is not None:
            return self
        return replace(self, campaign=session, campaign_nav_usd=round_price(nav_usd))

    def paid(self, purchase: Purchase) -> "BudgetLedger":
        """The ledger with what a tranche has cost so far; a tranche never costs less than it once did."""
        known = {one.structure_id: one for one in self.purchases}
        before = known.get(purchase.structure_id)
        if before is not None and before.spent_usd >= purchase.spent_usd:
            return self
        if before is not None:
            purchase = replace(purchase, session=before.session)
        known[purchase.structure_id] = purchase
        return replace(self, purchases=tuple(known.values()))

    def closed(self, session: date, flat: bool, armed: bool, rules: HedgeBudgetRules) -> "BudgetLedger":
        """The ledger after a close: the campaign may have ended, last year's purchases drop out."""
        recent = replace(self, purchases=tuple(one for one in self.purchases if one.session > session - YEAR))
        if recent.campaign is None:
            return recent
        age = sessions_between(recent.campaign, session)
        ended = (flat and armed) or age >= rules.campaign_sessions_max
        return replace(recent, campaign=None, campaign_nav_usd=0.0) if ended else recent
