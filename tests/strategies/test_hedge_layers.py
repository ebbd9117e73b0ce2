"""Three layers, one mechanism: what each buys, its exits, its rolls, and never more money than it has."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.contract import Contract, SecurityType
from market.quote import Quote
from market.sessions import session_offset, vix_expiries
from strategies.base import Evaluation, Intent, MarketSnapshot, Proposal, Structure
from strategies.hedge_entry import TOO_THIN
from strategies.hedge_exit import Due
from strategies.hedge_state import LAYER_OF, Tranche
from strategies.layers import LAYERS, STRATEGY_OF
from strategies.rules import HedgeRules
from strategies.vix_hedge import HedgeState, evaluate, layer_fired, reserved_usd, session_closed
from tests.strategies.world import World, at, budget_rules, hedge_rules, tranche_rules

BUDGET = budget_rules()
SIGNAL, NAV = date(2021, 4, 16), 1_000_000.0
YES: Mapping[str, bool | None] = {"L2": True, "L3": True}
BUDGET_OF = {"L1": 3_000.0, "L2": 3_000.0, "L3": 1_500.0}


@dataclass
class Desk:
    """A world with nine months of VIX options, and a book in which proposals fill at their worst price."""

    rules: HedgeRules = field(default_factory=hedge_rules)
    world: World = field(default_factory=lambda: World(vix_future=26.0))
    state: HedgeState = field(default_factory=HedgeState)
    structures: dict[str, Structure] = field(default_factory=dict)
    session: date = SIGNAL
    others: tuple[Contract, ...] = ()
    interest: int | None = None  # contracts open in every option

    def __post_init__(self) -> None:
        for expiry in vix_expiries(self.session + timedelta(5), self.session + timedelta(290)):
            self.world.list_vix(expiry)

    def fire(self, *layers: str) -> None:
        """Layers fire on the session, and the next one begins."""
        session = session_offset(self.session, 1)
        for layer in layers:
            self.state = layer_fired(self.state, layer, self.session, session, 0.1, NAV)
        self.session = session

    def look(self, clock: str = "10:00", holds: Mapping[str, bool | None] = YES) -> dict[str, Evaluation]:
        """Two looks, so that the strike windows find their place."""
        found: Mapping[str, Evaluation] = {}
        for _ in range(3):
            snapshot = self._snapshot(clock)
            structures = tuple(self.structures.values())
            self.state, found = evaluate(
                snapshot, self.state, structures, NAV, self.rules, BUDGET, frozenset(), (), holds
            )
        return dict(found)

    def _snapshot(self, clock: str) -> MarketSnapshot:
        snapshot = self.world.snapshot(at(self.session, clock))
        price = self.world.vix_future
        quotes = {one.con_id: Quote(price - 0.02, price + 0.02, None, snapshot.time) for one in self.others}
        return replace(
            snapshot,
            quotes={**snapshot.quotes, **quotes},
            others=self.others,
            open_interest={} if self.interest is None else dict.fromkeys(snapshot.quotes, self.interest),
        )

    def trade(self, found: Mapping[str, Evaluation], share: float = 1.0) -> list[Proposal]:
        """Fill a share of every proposal."""
        made = [proposal for one in found.values() for proposal in one.proposals]
        for proposal in made:
            units = max(round(proposal.quantity * share), 1)
            legs = tuple((leg.contract.con_id, units * leg.signed_ratio) for leg in proposal.combo.legs)
            cost = units * proposal.limit_worst
            held = self.structures.get(proposal.structure_id)
            if proposal.intent is Intent.OPEN:
                held = Structure(
                    proposal.structure_id, proposal.strategy, proposal.combo, self.session, legs, (), cost
                )
            else:
                assert held is not None
                closed = dict(held.closed_legs)
                for con_id, count in legs:
                    closed[con_id] = closed.get(con_id, 0) + count
                held = replace(
                    held,
                    closed_legs=tuple(sorted(closed.items())),
                    closed_cost=held.closed_cost + cost,
                    closed_reason=proposal.reason,
                )
            self.structures[proposal.structure_id] = held
        return made

    def close(self, b: float = 0.1, armed: bool = False) -> None:
        """The session ends."""
        structures = tuple(self.structures.values())
        self.state = session_closed(self.state, self.session, b, armed, structures, BUDGET)
        self.session = session_offset(self.session, 1)

    def of(self, layer: str) -> list[Structure]:
        return [one for one in self.structures.values() if LAYER_OF[one.strategy] == layer]


def bought(desk: Desk, *layers: str) -> Desk:
    """Fire and fill."""
    desk.fire(*layers)
    desk.trade(desk.look())
    return desk


def reasons(found: Mapping[str, Evaluation]) -> dict[str, tuple[str, int]]:
    return {
        LAYER_OF[strategy]: (proposal.reason, proposal.quantity)
        for strategy, one in found.items()
        for proposal in one.proposals
        if proposal.intent is Intent.CLOSE
    }


def test_each_layer_buys_its_own_expiry_strikes_and_share_of_the_budget() -> None:
    desk = bought(Desk(), *LAYERS)
    for layer, (low, high) in {"L1": (16, 51), "L2": (45, 90), "L3": (120, 240)}.items():
        (structure,) = desk.of(layer)
        expiry = structure.combo.legs[0].contract.expiry
        assert expiry is not None
        assert low <= (expiry - desk.session).days <= high
        assert len(structure.combo.legs) == (2 if layer == "L1" else 1)
        desk.look()
        assert 0.0 < desk.state.ledger.spent_usd(layer) <= BUDGET_OF[layer]


def test_what_all_waiting_layers_may_spend_is_reserved_together() -> None:
    desk = Desk()
    desk.fire(*LAYERS)
    assert reserved_usd(desk.state, desk.session, NAV, (), BUDGET) == 7_500.0


def test_a_layer_that_holds_a_tranche_buys_no_second_one() -> None:
    desk = bought(Desk(), "L2")
    desk.close()
    desk.fire("L2")
    found = desk.look()["mid_term"]
    assert not [one for one in found.proposals if one.intent is Intent.OPEN]
    assert [gate.name.rpartition(".")[2] for gate in found.gates if not gate.passed] == ["layer_free"]


def test_a_mid_term_spread_has_its_short_leg_at_a_lesser_delta() -> None:
    desk = bought(Desk(hedge_rules(l2=tranche_rules("l2", instrument="call_spread"))), "L2")
    long, short = (leg.contract.strike for leg in desk.of("L2")[0].combo.legs)
    assert short > long * 1.3


def test_the_reserve_sells_quarters_as_its_own_future_rises() -> None:
    desk = bought(Desk(), "L3")
    units = desk.of("L3")[0].units_opened
    desk.close()
    desk.world.vix_future = 26.0 * 1.52
    assert reasons(desk.look()) == {"L3": (Due.FIRST, -(-units // 4))}
    desk.world.vix_future = 26.0 * 2.6
    assert reasons(desk.look()) == {"L3": (Due.THIRD, -(-3 * units // 4))}


def test_the_last_third_goes_at_a_high_front_future_or_after_a_give_back() -> None:
    desk = bought(Desk(), "L2")
    units = desk.of("L2")[0].units_opened
    desk.close()
    desk.world.vix_future = 45.0
    (sold,) = desk.trade(desk.look())
    assert (sold.reason, sold.quantity) == (Due.SECOND, -(-2 * units // 3))
    assert reasons(desk.look()) == {}
    desk.world.vix_future = 51.0
    assert reasons(desk.look()) == {"L2": (Due.FRONT_FUTURE, units - sold.quantity)}
    desk.world.vix_future = 30.0
    assert reasons(desk.look()) == {"L2": (Due.GIVE_BACK, units - sold.quantity)}


@pytest.mark.parametrize(("holds", "due"), [(True, Due.ROLL), (False, Due.DTE), (None, Due.DTE)])
def test_a_tranche_near_its_end_is_rolled_only_while_its_signal_surely_holds(
    holds: bool | None, due: Due
) -> None:
    desk = bought(Desk(), "L2")
    expiry = desk.of("L2")[0].combo.legs[0].contract.expiry
    assert expiry is not None
    desk.session = session_offset(expiry - timedelta(21), 0)
    found = desk.look(holds={"L2": holds})
    assert reasons(found)["L2"][0] == due


def test_a_roll_buys_no_more_units_with_what_the_sale_brought_and_is_made_once() -> None:
    desk = bought(Desk(), "L2")
    (old,) = desk.of("L2")
    spent = desk.state.ledger.spent_usd("L2")
    expiry = old.combo.legs[0].contract.expiry
    assert expiry is not None
    desk.session = expiry - timedelta(21)
    desk.world.vix_future = 30.0
    desk.trade(desk.look("10:00"))
    desk.trade(desk.look("10:05"))
    new = desk.structures[f"{old.structure_id}-roll-1"]
    assert 0 < new.units_opened <= old.units_opened
    assert desk.state.tranche(new.structure_id).lineage == old.structure_id
    desk.look("10:10")
    assert spent <= desk.state.ledger.spent_usd("L2") <= BUDGET_OF["L2"]
    later = new.combo.legs[0].contract.expiry
    assert later is not None
    assert later > expiry
    desk.session = later - timedelta(21)
    assert reasons(desk.look())["L2"][0] == Due.DTE


def test_a_tranche_that_settled_while_it_was_to_be_rolled_has_no_successor() -> None:
    desk = bought(Desk(), "L2")
    desk.close()
    (old,) = desk.of("L2")
    memory = replace(desk.state.tranche(old.structure_id), roll_units=old.units_opened)
    desk.state = desk.state.with_tranche(memory)
    desk.structures[old.structure_id] = replace(
        old, settled=True, closed_reason="expired and settled in cash"
    )
    desk.look()
    assert desk.state.waiting("L2") is None
    assert desk.state.tranche(old.structure_id).roll_units == 0


def test_a_roll_too_late_in_the_day_waits_for_the_next_session() -> None:
    desk = bought(Desk(), "L2")
    (old,) = desk.of("L2")
    expiry = old.combo.legs[0].contract.expiry
    assert expiry is not None
    desk.session = expiry - timedelta(21)
    desk.trade(desk.look("15:44"))
    assert desk.look("15:50")["mid_term"].proposals == ()
    entry = desk.state.waiting("L2")
    assert entry is not None
    assert entry.session == session_offset(desk.session, 1)


def test_a_dear_market_in_options_is_left_for_shares_where_the_rules_say_so() -> None:
    vxx = Contract(SecurityType.STOCK, "VXX", con_id=7)
    rules = hedge_rules(fallback_spread_above_fraction=0.0001)
    desk = bought(Desk(rules, others=(vxx,)), "L3")
    (structure,) = desk.of("L3")
    assert structure.combo.legs[0].contract == vxx
    assert structure.units_opened == int(1_500 // (26.02 + 0.01))
    unnamed = Desk(rules)
    unnamed.fire("L3")
    found = unnamed.look()["reserve"]
    assert not found.proposals
    assert found.gates[-1].detail == "VXX not named by the broker"


@pytest.mark.parametrize(("count", "told"), [(499, False), (500, True), (None, None)])
def test_options_in_which_few_contracts_are_open_are_left_for_shares_and_an_unknown_count_is_no_obstacle(
    count: int | None, told: bool | None
) -> None:
    vxx = Contract(SecurityType.STOCK, "VXX", con_id=7)
    desk = Desk(others=(vxx,), interest=count)
    desk.fire("L3")
    found = desk.look()["reserve"]
    (proposal,) = found.proposals
    assert (proposal.combo.legs[0].contract == vxx) is (told is False)
    gates = [gate for gate in found.gates if gate.name == TOO_THIN]
    unknown = [reading for reading in found.readings if reading.name == TOO_THIN]
    assert [gate.detail for gate in gates] == {
        False: ["499 contracts open, at least 500: vxx instead"],
        True: ["500 contracts open, at least 500"],
        None: [],
    }[told]
    assert [(one.value, one.threshold, one.fired) for one in unknown] == [(None, 500.0, None)] * (
        told is None
    )


def test_rules_that_ask_for_no_contracts_open_do_not_mention_them() -> None:
    desk = Desk(hedge_rules(fallback_open_interest_below_count=0))
    desk.fire("L3")
    found = desk.look()["reserve"]
    assert found.proposals
    assert TOO_THIN not in {*(gate.name for gate in found.gates), *(one.name for one in found.readings)}


def test_a_future_is_sized_on_its_stress_and_sold_at_its_stop_or_at_gains_on_it() -> None:
    desk = Desk(hedge_rules(l1=tranche_rules("l1", instrument="vxm")))
    expiry = vix_expiries(SIGNAL + timedelta(20), SIGNAL + timedelta(50))[0]
    desk.others = (Contract(SecurityType.FUTURE, "VXM", "VXM", expiry, multiplier=100, con_id=8),)
    bought(desk, "L1")
    (structure,) = desk.of("L1")
    assert structure.units_opened == int(3_000 // (26.02 * 0.3 * 100 + 1.0))
    desk.world.vix_future = 26.0 * 0.81
    assert reasons(desk.look()) == {}
    desk.world.vix_future = 26.0 * 0.79
    assert reasons(desk.look())["L1"][0] == Due.STOP
    desk.world.vix_future = 26.0 * 1.32
    assert reasons(desk.look())["L1"][0] == Due.FIRST


@pytest.mark.parametrize("monetisation", ["hold", "trail"])
def test_other_monetisations_know_no_targets(monetisation: str) -> None:
    desk = bought(Desk(hedge_rules(monetisation=monetisation)), *LAYERS)
    desk.close()
    desk.world.vix_future = 45.0
    assert reasons(desk.look()) == {}
    desk.world.vix_future = 26.0
    sold = reasons(desk.look())
    assert {due for due, _ in sold.values()} == (set() if monetisation == "hold" else {Due.GIVE_BACK})
    if monetisation == "hold":
        expiry = desk.of("L1")[0].combo.legs[0].contract.expiry
        assert expiry is not None
        desk.session = expiry - timedelta(5)
        assert reasons(desk.look())["L1"][0] == Due.DTE


def test_memory_of_a_tranche_goes_when_its_structure_does() -> None:
    desk = bought(Desk(), "L1")
    desk.close()
    assert desk.state.tranches
    desk.structures.clear()
    desk.close()
    assert desk.state.tranches == ()
    assert desk.state.with_tranche(Tranche("a", "a")).tranche("a") == Tranche("a", "a")


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from(LAYERS)),
            st.floats(0.6, 1.8),
            st.sampled_from((0.0, 0.4, 1.0)),
            st.integers(1, 12),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_the_path_spending_stays_within_budget_and_no_more_is_sold_than_held(
    path: list[tuple[set[str], float, float, int]],
) -> None:
    desk = Desk()
    for layers, move, share, sessions in path:
        desk.fire(*sorted(layers))
        desk.world.vix_future = min(max(desk.world.vix_future * move, 12.0), 70.0)
        found = desk.look()
        if share:
            desk.trade(found, share)
        desk.look("11:00")
        for structure in desk.structures.values():
            assert structure.quantity >= 0
            assert all(count >= 0 for count in structure.legs.values() if len(structure.combo.legs) == 1)
        ledger = desk.state.ledger
        for layer in LAYERS:
            assert ledger.spent_usd(layer) <= BUDGET_OF[layer] + 0.01
            known = {one.structure_id for one in desk.of(layer)}
            owned = {one.structure_id for one in ledger.purchases if one.layer == layer}
            assert owned <= known
        assert ledger.year_spent_usd(desk.session) <= 15_000.01
        for _ in range(sessions):
            desk.close(b=move - 1.0, armed=move < 1.0)


def test_every_layer_has_a_name_to_trade_under() -> None:
    assert {STRATEGY_OF[layer] for layer in LAYERS} == set(LAYER_OF)
