"""Second and third layer in the engine: fires that wait for their session, stale inputs, live stand-ins."""

from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from bot.engine.decision import Decision, Verb
from bot.engine.fill_costs import with_costs
from bot.engine.observations import as_of
from bot.engine.signals import know, settle_final
from bot.engine.state import EngineState, Step
from bot.events import Job, JobDue, ObservationsKnown
from bot.feeds import history_observations
from market.contract import Contract, SecurityType
from market.quote import Quote
from market.rounding import round_price
from market.sessions import next_session, session_offset
from strategies.base import Reading
from tests.bot.engine.desk import NAMED, NOW, SESSION, after, order_line, ready, take
from tests.risk.book import vix_spread
from tests.scenarios.shock_folder import SIGNAL, write_shock

VIX = Contract(SecurityType.INDEX, "VIX", exchange="CBOE", con_id=2)
REIT = Contract(SecurityType.STOCK, "VNQ", con_id=5)


@cache
def history() -> tuple[ObservationsKnown, ...]:
    """The made-up shock, two sessions beyond its signal."""
    with TemporaryDirectory() as name:
        folder = write_shock(Path(name) / "data", [1.0, 1.0])
        return history_observations(folder, date(2018, 1, 2), session_offset(SIGNAL, 2))


def knowing(without: str = "", since: date | None = None) -> EngineState:
    """An engine that has been told the history up to the signal, but for one series from a day on."""
    state, time = ready(), as_of(SIGNAL)
    for known in history():
        seen = tuple(
            one
            for one in known.observations
            if one.known_at <= time and not (known.series == without and since and one.period >= since)
        )
        state = know(state, ObservationsKnown(known.series, seen), time)
    return state


def counted(state: EngineState, day: date = SIGNAL) -> Step:
    return settle_final(state, next_session(day), as_of(day))


def next_day(state: EngineState) -> Step:
    """The session after the signal, with what became known by then."""
    day = session_offset(SIGNAL, 1)
    for known in history():
        seen = tuple(one for one in known.observations if as_of(SIGNAL) < one.known_at <= as_of(day))
        state = know(state, ObservationsKnown(known.series, seen), as_of(day))
    return counted(state, day)


def by_strategy(done: Step) -> dict[str, Decision]:
    return {decision.strategy: decision for decision in done.decisions}


def reading(decision: Decision, name: str) -> Reading:
    return next(one for one in decision.readings if one.name == name)


def test_each_layer_that_fires_waits_for_the_next_session_in_one_campaign() -> None:
    first = counted(knowing())
    assert {name: one.verb for name, one in by_strategy(first).items()} == {
        "near_term": Verb.FIRE,
        "mid_term": Verb.READ,
        "reserve": Verb.FIRE,
        "regime": Verb.READ,
    }
    assert by_strategy(first)["regime"].reason == "the regime is CRISIS, was NORMAL"
    second = next_day(first.state)
    assert by_strategy(second)["mid_term"].verb is Verb.FIRE
    hedge = second.state.hedge
    assert {entry.layer: (entry.signal, entry.session) for entry in hedge.pending} == {
        "L2": (session_offset(SIGNAL, 1), session_offset(SIGNAL, 2))
    }
    assert hedge.ledger.campaign == SIGNAL
    assert second.state.layers.curve.regime.bars_new_condors


def test_only_the_session_just_completed_may_open_a_tranche() -> None:
    late = next_day(knowing())  # both sessions are counted in one morning
    assert [entry.layer for entry in late.state.hedge.pending] == ["L2"]
    assert late.state.layers.near.last_fire == SIGNAL
    assert {decision.session for decision in late.decisions} == {session_offset(SIGNAL, 1)}


@pytest.mark.parametrize(
    ("series", "since", "strategy", "name"),
    [
        ("vvix", SIGNAL, "mid_term", "vvix_macd_histogram"),
        ("ppi", date(2020, 12, 1), "mid_term", "reer_ppi_divergence"),
        ("reer", date(2020, 12, 1), "mid_term", "reer_ppi_divergence"),
        ("vnq", SIGNAL, "reserve", "wacc_spread_z"),
        ("baa", session_offset(SIGNAL, -6), "reserve", "wacc_spread_z"),
        ("treasury_10y", session_offset(SIGNAL, -6), "reserve", "wacc_spread_z"),
        ("vnq_distribution", date(2018, 6, 1), "reserve", "wacc_spread_z"),
    ],
)
def test_a_missing_or_stale_input_is_unknown_and_fires_nothing(
    series: str, since: date, strategy: str, name: str
) -> None:
    decision = by_strategy(counted(knowing(series, since)))[strategy]
    assert decision.verb is Verb.READ
    found = reading(decision, name)
    assert found.fired is None
    assert found.reason


def test_a_yield_five_sessions_old_still_counts() -> None:
    since = session_offset(SIGNAL, -4)
    assert by_strategy(counted(knowing("baa", since)))["reserve"].verb is Verb.FIRE


def test_the_months_of_a_shutdown_are_too_old_after_seventy_five_days() -> None:
    decision = by_strategy(counted(knowing("ppi", date(2021, 1, 1))))["mid_term"]
    assert "stale" in reading(decision, "reer_ppi_divergence").reason


def quotes(**levels: float) -> dict[int, Quote]:
    """The index and the fund at a level."""
    ids = {"vix": VIX.con_id, "vnq": REIT.con_id}
    return {ids[name]: Quote(None, None, level, NOW) for name, level in levels.items()}


def test_index_at_the_settlement_and_fund_at_the_review_stand_in_for_published_values() -> None:
    named = {contract.con_id: contract for contract in (*NAMED, VIX, REIT)}
    state = ready(contracts=named, quotes=quotes(vix=21.5, vnq=88.0))
    state = after(state, JobDue(Job.SETTLEMENT_PROVISIONAL, SESSION), JobDue(Job.SESSION_REVIEW, SESSION))
    assert state.daily.live_vix == {SESSION: 21.5}
    assert state.daily.live_vnq == {SESSION: 88.0}


def test_backwardation_on_the_spot_is_told_live_and_can_decide() -> None:
    told = reading(by_strategy(counted(knowing()))["near_term"], "spot_backwardation")
    assert told.value == pytest.approx(32.0 / 27.0 - 1.0)  # the pair has moved on this Friday
    assert "async" in told.source  # the close stands for the instant
    live = after(
        ready(contracts={one.con_id: one for one in (*NAMED, VIX)}, quotes=quotes(vix=26.0)),
        JobDue(Job.SETTLEMENT_PROVISIONAL, SESSION),
    )
    review = take(live, JobDue(Job.SESSION_REVIEW, SESSION))
    spot = reading(by_strategy(review)["near_term"], "spot_backwardation")
    assert spot.reason == "far leg missing"  # the index is there, the futures are not
    assert "async" not in spot.source


def test_a_value_that_came_a_little_late_still_counts_for_the_session_just_completed() -> None:
    late = as_of(SIGNAL) + timedelta(minutes=3)
    state = knowing("vvix", SIGNAL)
    (vvix,) = (known for known in history() if known.series == "vvix")
    (seen,) = (one for one in vvix.observations if one.period == SIGNAL)
    state = know(state, ObservationsKnown("vvix", (replace(seen, known_at=late),)), late)
    on_time = settle_final(state, next_session(SIGNAL), late)
    assert reading(by_strategy(on_time)["mid_term"], "vvix_macd_histogram").fired is True


@pytest.mark.parametrize("price", [1.95, 1.5])
def test_a_booked_fill_tells_its_cash_and_its_distance_to_the_middle(price: float) -> None:
    combo = vix_spread()
    line = order_line(combo=combo, quantity=3, structure_id="near-term-x")
    legs = tuple((leg.contract.con_id, 2 * leg.signed_ratio) for leg in combo.legs)
    line = replace(line, order=replace(line.order, filled=2), filled_legs=legs, cost=2 * price)
    long, short = combo.legs
    market = {
        long.contract.con_id: Quote(2.7, 2.9, None, NOW),
        short.contract.con_id: Quote(1.0, 1.2, None, NOW),
    }
    told, notes = with_costs(ready(quotes=market), line)
    found = dict(notes)
    assert found["paid_usd"] == round_price(200 * price)
    assert found["mid"] == 1.7
    assert found["slippage_usd"] == round_price(200 * (price - 1.7))
    assert found["slippage_bps"] == pytest.approx(found["slippage_usd"] / 100.0)
    assert with_costs(ready(quotes=market), told) == (told, ())
    _, blind = with_costs(ready(quotes={}), line)
    assert "slippage_usd" not in dict(blind)
    _, unknown = with_costs(ready(quotes=market, account=None), line)
    assert "slippage_usd" in dict(unknown)
    assert "slippage_bps" not in dict(unknown)
