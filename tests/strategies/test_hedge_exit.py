"""What has no price is not sold, and every reading that waits for one says which."""

from dataclasses import replace
from datetime import date

from market.contract import Contract, Right, SecurityType, single
from market.quote import Quote
from strategies.base import MarketSnapshot, Reading, Structure
from strategies.hedge_exit import Exit, watch
from strategies.hedge_state import HedgeState, Tranche, booked, layer_fired, session_closed
from strategies.rules import HedgeRules
from tests.strategies.world import at, budget_rules, hedge_rules, tranche_rules

SESSION, EXPIRY = date(2021, 4, 19), date(2021, 8, 18)
WHEN = at(SESSION, "11:00")
CALL = Contract(SecurityType.OPTION, "VIX", "VIX", EXPIRY, 30.0, Right.CALL, multiplier=100, con_id=21)
FUTURE = Contract(SecurityType.FUTURE, "VIX", "VX", EXPIRY, multiplier=1000, con_id=22)
NAME = "reserve-2021-04-16"


def tranche(contract: Contract, strategy: str = "reserve", paid: float = 2.0, sold: int = 0) -> Structure:
    closed = ((contract.con_id, -sold),) if sold else ()
    return Structure(
        NAME, strategy, single(contract), SESSION, ((contract.con_id, 4),), closed, opened_cost=4 * paid
    )


def seen(
    structure: Structure, memory: Tranche, rules: HedgeRules, *quoted: tuple[Contract, float]
) -> tuple[Exit, dict[str, Reading]]:
    """The exit in a market that shows these mids only, and its readings by name."""
    quotes = {one.con_id: Quote(mid - 0.01, mid + 0.01, None, WHEN) for one, mid in quoted}
    snapshot = MarketSnapshot(WHEN, SESSION, quotes, futures=(FUTURE,))
    found = watch(snapshot, structure, memory, rules, {}, frozenset())
    return found, {one.name.removeprefix(f"{NAME}."): one for one in found.found.readings}


def test_a_gain_on_a_future_is_unknown_while_that_future_or_the_entrys_is() -> None:
    rules = hedge_rules()
    known = Tranche(NAME, NAME, forward=20.0)
    _, readings = seen(tranche(CALL), known, rules, (CALL, 2.0), (FUTURE, 51.0))
    assert readings["future_gain"].fired is True
    for memory, quoted in (
        (known, ((CALL, 2.0),)),
        (replace(known, forward=0.0), ((CALL, 2.0), (FUTURE, 51.0))),
    ):
        found, readings = seen(tranche(CALL), memory, rules, *quoted)
        assert (readings["future_gain"].value, readings["future_gain"].fired) == (None, None)
        assert readings["future_gain"].reason == "the future that settles with it has no price"
        assert found.found.proposals == ()


def test_a_give_back_is_unknown_while_the_option_has_no_price_and_remembers_the_peak() -> None:
    rules = hedge_rules(monetisation="trail")
    high, _ = seen(tranche(CALL), Tranche(NAME, NAME), rules, (CALL, 6.0))
    assert high.tranche.peak == 6.0
    dark, readings = seen(tranche(CALL), high.tranche, rules)
    assert (readings["give_back"].fired, readings["give_back"].reason) == (None, "a leg has no price")
    assert dark.tranche == high.tranche
    low, readings = seen(tranche(CALL), dark.tranche, rules, (CALL, 2.5))
    assert readings["give_back"].fired is True
    assert low.tranche.peak == 6.0


def test_the_stop_of_a_future_is_unknown_while_it_has_no_price() -> None:
    rules = hedge_rules(tranche_rules("l1", instrument="vx"))
    held = tranche(FUTURE, "near_term", 20.0)
    _, readings = seen(held, Tranche(NAME, NAME), rules)
    assert (readings["stop"].fired, readings["stop"].reason) == (None, "the future has no price")
    _, readings = seen(held, Tranche(NAME, NAME), rules, (FUTURE, 15.0))
    assert readings["stop"].fired is True


def test_the_ledger_owns_a_tranche_from_its_first_whole_unit_on() -> None:
    state = layer_fired(HedgeState(), "L3", date(2021, 4, 16), SESSION, 0.1, 1e6)
    unfilled = replace(tranche(CALL), opened_legs=(), opened_cost=0.0)
    assert booked(state, [unfilled], hedge_rules()).ledger.purchases == ()
    (owned,) = booked(state, [tranche(CALL)], hedge_rules()).ledger.purchases
    assert owned.structure_id == NAME


def test_a_fire_that_waits_for_a_later_session_does_not_expire_with_an_earlier_one() -> None:
    state = layer_fired(HedgeState(), "L3", date(2021, 4, 16), SESSION, 0.1, 1e6)
    kept = session_closed(state, date(2021, 4, 16), 0.1, False, (), budget_rules())
    assert kept.waiting("L3") == state.waiting("L3")
    assert session_closed(state, SESSION, 0.1, False, (), budget_rules()).waiting("L3") is None
