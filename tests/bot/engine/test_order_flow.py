"""Whatever strategies wish, however prices go and orders fill: no short is naked and no limit is passed.

The engine's own step is run on wishes, quotes, fills and cancellations in any order, fault-free as far as the
broker is concerned. Every structure's legs together are the positions, always.
"""

import os
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.decide import review_context
from bot.engine.state import EngineState, OrderLine
from bot.events import AccountTaken, Executed, Feed, MarginTold, QuotesTaken
from market.order import Fill, OrderStatus
from risk.exposure import only_pays_premium, open_loss_usd, worst_losses, worst_option_counts
from risk.sizing import unit_max_loss_usd
from strategies import iron_condor, vix_hedge
from strategies.base import Evaluation, Intent, Proposal
from tests.bot.engine.desk import NOW, SPX, after, report
from tests.bot.engine.looking import INDEX, looking, quoted, wish
from tests.risk.book import LATER, condor, vix_spread

NAV = 1e6
RUNS = int(os.environ.get("ALVH_ORDER_FLOWS", "25"))
COMBOS = (
    condor(),
    condor(expiry=LATER),
    condor(2900, 2950, 3600, 3650),
    condor(2850, 2900, 3650, 3700, LATER),
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.integers(0, 3), st.integers(1, 9)),
        st.tuples(st.just("hedge"), st.integers(0, 2), st.integers(1, 60)),
        st.tuples(st.just("close"), st.integers(0, 9), st.integers(1, 9)),
        st.tuples(st.just("fill"), st.integers(0, 9), st.integers(1, 9)),
        st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("prices"), st.integers(-3, 3), st.integers(-9, 9)),
    ),
    max_size=30,
)


class Desk:
    """One engine, a broker without faults, and strategies that want what the test draws."""

    def __init__(self) -> None:
        self.now: datetime = NOW
        self.state: EngineState = looking()
        self.wishes: dict[str, Evaluation] = {}
        self.mid, self.level, self.count = 3.0, 3300.0, 0

    def step(self, kind: str, which: int, size: int) -> None:
        if kind == "open":
            self.want(self.condor(which, size))
        elif kind == "hedge":
            self.want(
                wish(
                    f"tranche-{which}",
                    vix_spread(),
                    quantity=size,
                    strategy="near_term",
                    limit=1.0,
                    reserves=True,
                    tick=0.01,
                )
            )
        elif kind == "close":
            held = [one for one in self.state.structures.values() if one.quantity]
            if held:
                one = held[which % len(held)]
                price = 1.0 if one.strategy == "near_term" else -6.0
                self.want(
                    wish(
                        one.structure_id,
                        one.combo.reversed(),
                        Intent.CLOSE,
                        min(size, one.quantity),
                        -price,
                        one.strategy,
                        tick=0.01,
                    )
                )
        elif kind == "prices":
            self.mid, self.level = 3.0 + which / 4.0, 3300.0 + 10.0 * size
            self.look()
        else:
            working = [line for line in self.state.working() if line.order.status is not OrderStatus.UNKNOWN]
            if working:
                line = working[which % len(working)]
                if kind == "fill":
                    self.fill(line, min(size, line.order.remaining))
                else:
                    self.tell(report(line, OrderStatus.CANCELLED, line.order.filled))

    def condor(self, which: int, size: int) -> Proposal:
        return wish(f"condor-{which}-{size}", COMBOS[which], quantity=size)

    def want(self, proposal: Proposal) -> None:
        self.wishes = {proposal.strategy: Evaluation(proposals=(proposal,))}
        self.look()
        asked = [ask.key for ask in self.state.margins.values() if ask.told_at is None]
        if asked:
            self.tell(*(MarginTold(key, 1000.0) for key in asked))
            self.look()
        self.wishes = {}

    def look(self) -> None:
        self.now += timedelta(seconds=20)
        quotes = {SPX.con_id: replace(INDEX, last=self.level)}
        quotes |= quoted(*COMBOS, vix_spread(), mid=self.mid)
        rows = tuple((con_id, one.bid, one.ask, one.last) for con_id, one in quotes.items())
        account = AccountTaken(NAV, NAV, 0.0, 0.0)
        self.state = replace(self.state, look_due=True)
        self.state = after(self.state, account, QuotesTaken(rows, tuple(Feed)), time=self.now)
        for line in self.state.orders.values():
            if line.order.status is OrderStatus.INTENT or line.order.status is OrderStatus.SENT:
                self.tell(report(line, OrderStatus.WORKING))

    def tell(self, *events: object) -> None:
        self.state = after(self.state, *events, time=self.now)  # type: ignore[arg-type]  # events all

    def fill(self, line: OrderLine, units: int) -> None:
        """All legs of some units, at the limit."""
        self.count += 1
        done = []
        for index, leg in enumerate(line.order.combo.legs):
            price = line.order.limit * leg.signed_ratio if not index else 0.0
            fill = Fill(
                f"x{self.count}.{index}.01",
                line.order.order_ref,
                900,
                leg.contract.con_id,
                units * leg.signed_ratio,
                price,
                self.now,
            )
            done.append(Executed(fill, leg.contract))
        self.tell(*done)


def check(state: EngineState, now: datetime) -> None:
    context = review_context(state, "any", now, 0.0)
    working = [order.stake for order in context.working]
    assert min(worst_option_counts(dict(context.held), working).values(), default=0) >= 0, "a naked short"
    risky = [stake for stake in context.stakes if not only_pays_premium(stake.combo)]
    opening = [one.stake for one in context.working if one.opening and not only_pays_premium(one.combo)]
    assert open_loss_usd(worst_losses(risky, opening, context.loose)) <= 0.06 * NAV + 0.01
    initiated = context.committed_usd + sum(
        one.remaining * unit_max_loss_usd(one.combo, one.price, one.fees_per_unit_usd)
        for one in context.working
        if one.opening
    )
    assert initiated <= 0.012 * NAV + 0.01
    watched: dict[int, int] = {}
    for structure in state.structures.values():
        for con_id, quantity in structure.legs.items():
            watched[con_id] = watched.get(con_id, 0) + quantity
    positions = {con_id: one.quantity for con_id, one in state.portfolio.positions().items() if one.quantity}
    assert {con_id: count for con_id, count in watched.items() if count} == positions
    assert not state.risk.causes


def played(desk: Desk, flow: list[tuple[str, int, int]]) -> None:
    def wanted(strategy: str) -> Evaluation:
        return desk.wishes.get(strategy, Evaluation())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(iron_condor, "evaluate", lambda snapshot, state, *rest: (state, wanted("iron_condor")))
        patch.setattr(
            vix_hedge,
            "evaluate",
            lambda snapshot, state, *rest: (state, {"near_term": wanted("near_term")}),
        )
        for one in flow:
            desk.step(*one)
            check(desk.state, desk.now)


@settings(max_examples=RUNS, deadline=None)
@given(steps)
def test_no_order_flow_leaves_a_short_naked_or_passes_a_limit(flow: list[tuple[str, int, int]]) -> None:
    played(Desk(), flow)


def test_the_flow_above_opens_hedges_fills_and_closes() -> None:
    desk = Desk()
    played(
        desk,
        [
            ("hedge", 0, 10),
            ("fill", 0, 9),
            ("open", 0, 2),
            ("fill", 0, 1),
            ("fill", 0, 9),
            ("close", 1, 1),
            ("fill", 0, 9),
        ],
    )
    held = {one.structure_id: one.quantity for one in desk.state.structures.values()}
    assert held == {"tranche-0": 10, "condor-0-2": 1}
