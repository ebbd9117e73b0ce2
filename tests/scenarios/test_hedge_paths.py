"""Scripted shocks take the whole daemon through every path of the hedge once; one not taken fails the test.

The daemon, its client library and the gateway are the product's own, in virtual time, on a made-up folder of
daily history. Each path has its own rules and its own continuation of the shock; what was decided is read
from the journal, against the venue's books.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest

from bot.control.stand_ins import stand_ins
from bot.engine.decision import Decision, Verb
from bot.engine.state import EngineState
from bot.journal.writer import read_records
from bot.review.costs import Costs, costs_of
from bot.review.decisions import told
from config.loader import load_rules
from config.rules import Rules
from config.settings import SHIPPED_RULES
from market.sessions import days_to_expiry, option_close, regular_hours, session_offset, vix_expiries
from simulator.historical import HistoricalMarket
from strategies.hedge_exit import Due
from strategies.hedge_state import LAYER_OF
from tests.scenarios.condor_paths import at
from tests.scenarios.shock_folder import SIGNAL, write_shock
from tests.scenarios.virtual_house import VirtualHouse

INTERVAL_S = 60.0
# A look every five minutes: limits go straight to the natural price, and slow looks are no stale account.
_QUICK: Mapping[str, Any] = {
    "hedge": {"entry_patient_spread_fraction": 1.0, "entry_walk_s": 300},
    "condor": {"entry_start_time": "15:59:00", "entry_end_time": "16:00:00"},
    "risk": {"nav_age_max_s": 600.0, "option_quote_age_max_s": 600.0, "index_quote_age_max_s": 600.0},
}


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Sections changed key by key."""
    result = dict(base)
    for key, value in changes.items():
        result[key] = merged(base[key], value) if isinstance(value, Mapping) else value
    return result


def rules(changes: Mapping[str, Any]) -> Rules:
    """The shipped rules, quick, with a path's own changes."""
    shipped = load_rules(SHIPPED_RULES).model_dump(mode="json")
    return Rules.model_validate_json(orjson.dumps(merged(merged(shipped, _QUICK), changes)))


class Story:
    """What one scripted shock led to."""

    def __init__(self, decisions: Sequence[Decision], state: EngineState, costs: Costs) -> None:
        self.costs = costs
        self.decisions = [one for one in decisions if one.strategy in LAYER_OF]
        self.state = state

    def of(self, verb: Verb, layer: str) -> list[Decision]:
        return [one for one in self.decisions if one.verb is verb and LAYER_OF[one.strategy] == layer]

    def closes(self, layer: str) -> list[str]:
        """Why the layer sold, each reason once, in order."""
        return list(dict.fromkeys(one.reason for one in self.of(Verb.CLOSE, layer)))

    def blocked(self, layer: str) -> set[str]:
        return {
            gate.name.rpartition(".")[2]
            for one in self.of(Verb.HOLD, layer)
            for gate in one.gates
            if not gate.passed
        }

    def bought(self, layer: str) -> dict[str, int]:
        """Units by structure."""
        return {
            name: one.units_opened
            for name, one in self.state.structures.items()
            if LAYER_OF.get(one.strategy) == layer and one.units_opened
        }


def taken(
    levels: Sequence[float], changes: Mapping[str, Any], contango: bool = False, until: str = ""
) -> Story:
    """Run the daemon over the shock's sessions and prove its journal against the venue.

    With `until` it is awake each morning only, from a little before the open to that time.
    """
    with TemporaryDirectory() as name:
        folder = Path(name)
        first, last = session_offset(SIGNAL, 1), session_offset(SIGNAL, len(levels))
        start = regular_hours(first)[0] - timedelta(minutes=40)
        market = HistoricalMarket(write_shock(folder / "data", levels, contango), start, last, INTERVAL_S)
        house = VirtualHouse(
            folder / "journal",
            market,
            start,
            rules(changes),
            INTERVAL_S,
            timedelta(minutes=10),
            stand_ins("http://localhost"),
        )
        days = [session_offset(SIGNAL, number) for number in range(1, len(levels) + 1)]
        ends = [at(day, until) if until else option_close(day) + timedelta(minutes=50) for day in days]
        if until:
            house.wakes = [at(day, "09:40") for day in days[1:]]
        state, _ = house.run(ends[:-1] if until else [], ends[-1])
        records = read_records(folder / "journal")
        decisions = [told(record).decision for record in records if record.kind == "Decision"]
        return Story(decisions, state, costs_of(folder / "journal"))


def dte(layer_target: int, session_number: int, low: int) -> int:
    """Days to the expiry a layer buys on the so-manieth session after the signal."""
    session = session_offset(SIGNAL, session_number)
    expiries = vix_expiries(session + timedelta(low), session + timedelta(low + 60))
    days = [days_to_expiry(session, day) for day in expiries]
    return min(days, key=lambda left: abs(left - layer_target))


def window(days: int) -> dict[str, Any]:
    """A window that begins with an expiry."""
    return {"min_dte": days, "target_dte": days, "max_dte": days + 45}


@cache
def spike() -> Story:
    """The curve triples: every target of every layer."""
    return taken([1.0, 1.0, 1.8, 3.0], {"l1": {"exit": {"gain_fractions": [0.4, 0.8]}}})


@cache
def righted() -> Story:
    """The curve rights itself: contango, an exit by days left, and a roll."""
    l2, l3 = dte(60, 2, 45), dte(180, 1, 150)
    exits = {"contango_sessions": 1}
    window = {
        "min_dte": l2,
        "target_dte": l2,
        "max_dte": l2 + 40,
        "exit": {"exit_dte": l2 - 1, "rolls_max": 0},
    }
    later = {
        "min_dte": l3,
        "target_dte": l3,
        "max_dte": l3 + 60,
        "fallback": "none",
        "exit": {"exit_dte": l3 - 1},
    }
    return taken([1.0, 1.0, 1.0], {"l1": {"exit": exits}, "l2": window, "l3": later}, contango=True)


@cache
def dropped() -> Story:
    """The curve falls by a quarter: a future's stop; the others are sold by age, one of them shares."""
    changes = {
        "hedge": {"fallback_spread_above_fraction": 0.001, "shares_sessions_max": 1},
        "l1": {"instrument": "vxm"},
        "l2": {"instrument": "call_spread", "exit": {"sessions_max": 1}},
    }
    return taken([1.0, 0.75, 0.75], changes)


@cache
def given_back() -> Story:
    """Up and down again, trailing; the near-term layer has bought what settles two days later."""
    near = {
        "instrument": "call",
        "min_dte": 2,
        "target_dte": 2,
        "max_dte": 51,
        "exit": {"exit_dte": 0},
    }
    return taken(
        [1.0, 1.0, 2.2, 0.9], {"hedge": {"monetisation": "trail"}, "l1": near, "l3": {"fallback": "none"}}
    )


@cache
def small() -> Story:
    """A future of a thousand dollars a point, and a budget of a basis point."""
    return taken([1.0], {"l1": {"instrument": "vx"}, "budget": {"campaign_bps": 1.0}})


@cache
def thin() -> Story:
    """In no option of the reserve layer are as many contracts open as the rules ask for.

    The mid-term layer has bought what soon has as few days left as it may, and its signal still holds.
    """
    l2 = dte(60, 2, 45)
    mid = {**window(l2), "exit": {"exit_dte": l2 - 1, "rolls_max": 1}}
    changes = {"hedge": {"fallback_open_interest_below_count": 1_000_000}, "l2": mid}
    return taken([1.0, 1.0, 1.0], changes, until="10:20")


@cache
def last_days() -> Story:
    """All three layers fire at once and buy what settles two days later."""
    soon = {"min_dte": 2, "target_dte": 2, "max_dte": 51, "exit": {"exit_dte": 0}}
    near = {**soon, "instrument": "call"}
    mid = {**soon, "mode": "unlagged", "open_sessions": 1}
    changes = {"l1": near, "l2": mid, "l3": {**soon, "fallback": "none"}}
    return taken([1.0, 1.0], changes, until="10:20")


def test_each_layer_fires_on_its_session_and_buys_on_the_next() -> None:
    path = spike()
    fires = {layer: [str(one.session) for one in path.of(Verb.FIRE, layer)] for layer in ("L1", "L2", "L3")}
    assert fires == {"L1": ["2021-04-16"], "L2": ["2021-04-19"], "L3": ["2021-04-16"]}
    for layer, day in (("L1", "2021-04-19"), ("L2", "2021-04-20"), ("L3", "2021-04-19")):
        assert {str(one.session) for one in path.of(Verb.OPEN, layer)} <= {day}
        assert path.bought(layer)


def test_each_layer_monetises_at_its_targets_part_by_part() -> None:
    path = spike()
    assert path.closes("L1") == [Due.SECOND]  # the curve opens beyond both
    assert path.closes("L2") == [Due.SECOND, Due.FRONT_FUTURE]
    assert path.closes("L3") == [Due.FIRST, Due.THIRD]
    (first, third) = path.of(Verb.CLOSE, "L3")
    (units,) = path.bought("L3").values()
    assert first.quantity == -(-units // 4)
    assert first.quantity + third.quantity == -(-3 * units // 4)
    assert all(one.is_flat for one in path.state.structures.values() if one.strategy != "reserve")


def test_contango_days_left_and_a_roll() -> None:
    path = righted()
    assert path.closes("L1") == [Due.CONTANGO]
    assert path.closes("L2") == [Due.DTE]
    assert path.closes("L3") == [Due.ROLL]
    old, new = path.bought("L3").items()
    assert new[0] == f"{old[0]}-roll-1"
    assert 0 < new[1] <= old[1]


def test_a_stop_of_a_future_and_the_age_of_a_spread_and_of_shares() -> None:
    path = dropped()
    assert path.closes("L1") == [Due.STOP]
    assert path.closes("L2") == [Due.SESSIONS]
    assert path.closes("L3") == [Due.SESSIONS]
    kinds = {
        LAYER_OF[one.strategy]: one.combo.legs[0].contract
        for one in path.state.structures.values()
        if one.strategy in LAYER_OF
    }
    assert kinds["L1"].trading_class == "VXM"
    assert kinds["L3"].symbol == "VXX"


def test_a_give_back_and_a_sale_on_the_last_trading_day() -> None:
    path = given_back()
    assert path.closes("L1") == [Due.SETTLEMENT]
    assert path.closes("L2") == path.closes("L3") == [Due.GIVE_BACK]
    assert all(one.is_flat for one in path.state.structures.values())


def test_too_small_is_said_and_nothing_is_bought() -> None:
    path = small()
    for layer in ("L1", "L3"):
        assert "budget" in path.blocked(layer)
        assert not path.bought(layer)
        details = [g.detail for one in path.of(Verb.HOLD, layer) for g in one.gates if g.name == "budget"]
        assert any("too_small" in detail for detail in details)


def test_where_few_contracts_are_open_the_reserve_layer_turns_to_shares_and_says_so() -> None:
    path = thin()
    (opened,) = path.of(Verb.OPEN, "L3")
    details = [gate.detail for gate in opened.gates if gate.name == "open_interest"]
    assert [detail.partition(" ")[2] for detail in details] == [
        "contracts open, at least 1000000: vxx instead"
    ]
    assert int(details[0].partition(" ")[0]) > 0
    assert path.state.structures[opened.structure_id].combo.legs[0].contract.symbol == "VXX"


def test_the_mid_term_layer_rolls_once_while_its_signal_holds() -> None:
    path = thin()
    assert path.closes("L2") == [Due.ROLL]
    (old, units), (new, later) = path.bought("L2").items()
    assert new == f"{old}-roll-1"
    assert 0 < later <= units
    expiries = [path.state.structures[name].combo.legs[0].contract.expiry for name in (old, new)]
    assert expiries[0] is not None
    assert expiries[1] is not None
    assert expiries[0] < expiries[1]


@pytest.mark.parametrize("layer", ["L1", "L2", "L3"])
def test_no_layer_holds_an_option_into_its_settlement(layer: str) -> None:
    path = last_days()
    name = next(iter(path.bought(layer)))
    assert path.closes(layer) == [Due.SETTLEMENT]
    assert path.state.structures[name].is_flat
    assert not path.state.structures[name].settled


def test_every_reason_to_sell_was_given_once() -> None:
    paths = (spike(), righted(), dropped(), given_back())
    given = {reason for path in paths for layer in LAYER_OF.values() for reason in path.closes(layer)}
    assert given == set(Due)


@pytest.mark.parametrize("path", [spike, righted, dropped, given_back])
def test_spending_stays_within_each_layers_budget_and_the_ledger_owns_the_tranches(path: Any) -> None:
    found: Story = path()
    spent: dict[str, float] = {}
    for purchase in found.state.hedge.ledger.purchases:
        spent[purchase.layer] = spent.get(purchase.layer, 0.0) + purchase.spent_usd
        legs = found.state.structures[purchase.structure_id].combo.legs
        assert purchase.con_ids == tuple(leg.contract.con_id for leg in legs)
    budgets = {"L1": 3_000.0, "L2": 3_000.0, "L3": 1_500.0}
    assert set(spent) == set(budgets)
    assert all(spent[layer] <= budgets[layer] for layer in spent)
    held: dict[int, int] = {}
    for structure in found.state.structures.values():
        for con_id, count in structure.legs.items():
            held[con_id] = held.get(con_id, 0) + count
    positions = {con: one.quantity for con, one in found.state.portfolio.positions().items() if one.quantity}
    assert {con_id: count for con_id, count in held.items() if count} == positions


def test_costs_add_up_to_what_the_account_lost_or_won() -> None:
    story = given_back()
    nets = [one.net_usd for one in story.costs.traded]
    assert len(nets) == 3
    assert story.state.account is not None
    change = story.state.account.nav_usd - 1_000_000.0
    assert sum(net for net in nets if net is not None) == pytest.approx(change, abs=1.0)
    assert all(one.slippage_usd > 0.0 and one.fees_usd > 0.0 for one in story.costs.traded)
    assert not any(one.fills_without_mid for one in story.costs.traded)
    (campaign,) = story.costs.as_json()["campaigns"]
    assert (campaign["campaign"], campaign["tranches"]) == ("2021-04-16", 3)
    assert story.costs.hedge_cost_bps_per_condor() is None
