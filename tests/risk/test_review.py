"""A verdict sizes first and only downwards, and no sequence of approvals ever breaks a limit."""

from dataclasses import replace
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from market.contract import Combo, net_contracts
from risk.context import LiveOrder, ReviewContext
from risk.exposure import Stake, only_pays_premium, open_loss_usd, worst_losses, worst_option_counts
from risk.review import in_order_of_review, review
from risk.verdict import Check, Ruling
from strategies.base import Intent, Proposal
from tests.risk.book import (
    Trade,
    closing,
    condor,
    healthy,
    hedge,
    held,
    limits,
    live,
    opening,
    quoted,
    vix_spread,
)

LIMITS = limits()
EXPIRIES = [date(2020, 3, 20), date(2020, 3, 27)]
COMBOS = [
    condor(3000 + 10 * n, 3050 + 10 * n, 3500 + 10 * n, 3550 + 10 * n, expiry)
    for n in range(3)
    for expiry in EXPIRIES
]
QUOTES = quoted(*COMBOS, vix_spread())


def test_what_fits_is_approved_and_what_does_not_is_cut_down() -> None:
    verdicts = [review(opening(quantity=n), healthy(), LIMITS) for n in (1, 3, 4, 50)]
    assert [(one.ruling, one.quantity) for one in verdicts] == [
        (Ruling.APPROVED, 1),
        (Ruling.APPROVED, 3),
        (Ruling.RESIZED, 3),
        (Ruling.RESIZED, 3),
    ]


def test_legs_that_settle_apart_are_refused_without_a_size_and_without_a_worst_loss() -> None:
    apart = Combo((*condor().legs[:2], *condor(expiry=EXPIRIES[1]).legs[2:]))
    verdict = review(opening(combo=apart), healthy(), LIMITS)
    assert (verdict.ruling, verdict.quantity) == (Ruling.DENIED, 0)
    assert [one.name for one in verdict.checks] == ["one_settlement", "paper_account"]
    assert verdict.checks[0] == Check("one_settlement", 2, 1, False)
    assert review(opening(), healthy(), LIMITS).checks[0] == Check("one_settlement", 1, 1, True)


def test_the_brokers_own_figure_alone_can_refuse_what_everything_else_lets_through() -> None:
    verdict = review(opening(), healthy(told_margin=None), LIMITS)
    assert (verdict.ruling, verdict.quantity) == (Ruling.DENIED, 0)
    assert verdict.refusals == ("margin_told_usd",)


def test_a_reserve_for_hedges_leaves_the_condor_the_remainder() -> None:
    assert review(opening(quantity=3), healthy(reserved_usd=3_000.0), LIMITS).quantity == 2
    assert review(hedge(quantity=10), healthy(reserved_usd=3_000.0), LIMITS).quantity == 10


def test_a_hedge_at_work_takes_from_the_same_initiation() -> None:
    at_work = live(hedge(quantity=20))
    assert review(opening(quantity=3), healthy(working=(at_work,)), LIMITS).quantity == 2


def test_a_close_is_never_resized() -> None:
    verdict = review(closing(), healthy(stakes=(held(),), committed_usd=1e9), LIMITS)
    assert (verdict.ruling, verdict.quantity) == (Ruling.APPROVED, 2)


def test_closes_are_reviewed_first_then_hedges_then_condors() -> None:
    assert in_order_of_review([opening(), hedge(), closing()]) == (closing(), hedge(), opening())


def test_a_strategys_proposal_has_the_shape_risk_reads() -> None:
    proposal = Proposal("iron_condor", "new", Intent.OPEN, condor(), 3, -12.0, -11.8, 38.2, "weekly entry")
    assert review(proposal, healthy(), LIMITS).ruling is Ruling.APPROVED
    close = Proposal("iron_condor", "held", Intent.CLOSE, condor().reversed(), 2, 12.0, 12.2, 12.2, "profit")
    assert review(close, healthy(stakes=(held(),)), LIMITS).ruling is Ruling.APPROVED


steps = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(0, len(COMBOS) - 1), st.integers(1, 6)),
        st.tuples(st.just("hedge"), st.just(0), st.integers(1, 30)),
        st.tuples(st.just("close"), st.integers(0, 9), st.integers(1, 6)),
        st.tuples(st.just("fill"), st.integers(0, 9), st.integers(1, 6)),
        st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("next session"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


class Account:
    """Carries out whatever risk lets through, in any order of fills and cancels."""

    def __init__(self, nav_usd: float) -> None:
        self.context = healthy(
            nav_usd=nav_usd,
            nav_session_open_usd=nav_usd,
            nav_peak_usd=nav_usd,
            init_margin_usd=0.0,
            quotes=QUOTES,
        )
        self.count = 0

    def step(self, kind: str, which: int, quantity: int) -> None:
        stakes, working = self.context.stakes, self.context.working
        if kind == "open":
            self.send(opening(combo=COMBOS[which], quantity=quantity, structure_id=f"s{self.count}"))
        elif kind == "hedge":
            self.send(hedge(quantity=quantity, structure_id=f"s{self.count}"))
        elif kind == "close" and stakes:
            stake = stakes[which % len(stakes)]
            price = 12.0 if stake.price < 0 else -2.0
            self.send(Trade(stake.combo.reversed(), quantity, price, price, "close", stake.structure_id))
        elif kind == "fill" and working:
            self.fill(working[which % len(working)], quantity)
        elif kind == "cancel" and working:
            gone = working[which % len(working)]
            self.context = replace(self.context, working=tuple(one for one in working if one is not gone))
        elif kind == "next session":
            # The first minutes of a session, with no order left over from the one before.
            self.context = replace(self.context, working=(), committed_usd=0.0)

    def send(self, trade: Trade) -> None:
        self.count += 1
        context = replace(self.context, order_ref=f"r{self.count}")
        verdict = review(trade, context, LIMITS)
        assert verdict.quantity <= trade.quantity
        if verdict.ruling is Ruling.DENIED:
            assert verdict.quantity == 0
            return
        order = live(replace(trade, quantity=verdict.quantity), order_ref=context.order_ref)
        self.context = replace(context, working=(*context.working, order))

    def fill(self, order: LiveOrder, quantity: int) -> None:
        quantity = min(quantity, order.remaining)
        rest = replace(order, remaining=order.remaining - quantity)
        working = tuple(rest if one is order else one for one in self.context.working)
        by_name = {stake.structure_id: stake for stake in self.context.stakes}
        before = by_name.get(order.structure_id)
        if order.opening:
            filled = quantity + (before.quantity if before else 0)
            by_name[order.structure_id] = Stake(order.combo, filled, order.price, order.structure_id)
        else:
            assert before is not None
            by_name[order.structure_id] = replace(before, quantity=before.quantity - quantity)
        self.context = replace(
            self.context,
            working=tuple(one for one in working if one.remaining),
            stakes=tuple(stake for stake in by_name.values() if stake.quantity),
            committed_usd=self.context.committed_usd
            + (self.spent(order, quantity) if order.opening else 0.0),
        )

    def spent(self, order: LiveOrder, quantity: int) -> float:
        return quantity * (order.combo.max_loss(order.price) * 100 + order.fees_per_unit_usd)


def assert_within_limits(context: ReviewContext, nav_usd: float) -> None:
    working = [order.stake for order in context.working]
    held_now = net_contracts((stake.combo, stake.quantity) for stake in context.stakes)
    assert min(worst_option_counts(held_now, working).values(), default=0) >= 0
    risky = [stake for stake in context.stakes if not only_pays_premium(stake.combo)]
    opening_orders = [o.stake for o in context.working if o.opening and not only_pays_premium(o.combo)]
    assert open_loss_usd(worst_losses(risky, opening_orders)) <= 0.06 * nav_usd + 1e-6
    initiated = context.committed_usd + sum(
        order.remaining * (order.combo.max_loss(order.price) * 100 + order.fees_per_unit_usd)
        for order in context.working
        if order.opening
    )
    assert initiated <= 0.012 * nav_usd + 0.01
    assert all(stake.quantity > 0 for stake in context.stakes)


@settings(max_examples=80, deadline=None)
@given(steps, st.sampled_from([250_000.0, 1_000_000.0, 5_000_000.0]))
def test_whatever_is_approved_filled_and_cancelled_no_limit_is_ever_broken(
    wishes: list[tuple[str, int, int]], nav_usd: float
) -> None:
    account = Account(nav_usd)
    for wish in wishes:
        account.step(*wish)
        assert_within_limits(account.context, nav_usd)


def test_the_property_above_does_let_trades_through() -> None:
    account = Account(5_000_000.0)
    for wish in [
        ("open", 0, 3),
        ("fill", 0, 6),
        ("hedge", 0, 5),
        ("fill", 0, 9),
        ("close", 0, 2),
        ("fill", 0, 1),
    ]:
        account.step(*wish)
    assert [stake.quantity for stake in account.context.stakes] == [2, 5]
    assert [order.remaining for order in account.context.working] == [1]
