"""Scripted markets take the whole daemon through every path of a condor once; a path not taken fails here."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from strategies.condor_exit import Due
from tests.scenarios.condor_paths import MONDAY, Course, Lived, at, live

CPI_DAY, FOMC_DAY, HALF_DAY = date(2026, 3, 11), date(2026, 3, 18), date(2026, 11, 27)
THURSDAY = date(2026, 3, 5)
NO_ROLL = {"condor.adjust": {"roll_untested": False}}
OPENED, MOVED = at(MONDAY, "10:20"), at(MONDAY, "10:25")


def day_of(moves: tuple[tuple[float, float], ...], **rules: Mapping[str, Any]) -> Course:
    """A Monday: a condor is opened at ten, and from 10:20 on the market moves, half an hour apart."""
    steps = [(OPENED, 0.0, 0.0)]
    for number, (spx, vix) in enumerate(moves):
        wait = timedelta(minutes=30 * number)
        steps += [(MOVED + wait, spx, vix), (MOVED + wait + timedelta(minutes=25), spx, vix)]
    named = {name.replace("__", "."): values for name, values in rules.items()}
    return Course(at(MONDAY, "09:35"), MOVED + timedelta(minutes=15 + 30 * (len(moves) - 1)), steps, named)


@dataclass(frozen=True)
class Taken:
    """A course, and the reasons for which orders were sent after the opening, in order."""

    course: Course
    reasons: tuple[Due, ...]


PATHS = {
    "profit": Taken(
        day_of(((0.0, -25.0),), condor__exit={"profit_of_credit_fraction": 0.9}),
        (Due.PROFIT,),
    ),
    # Nobody bids for the far wing any more: the stop closes all the rest and leaves it to settle.
    "stop": Taken(day_of(((-12.0, 30.0),), **{"condor.adjust": {"roll_untested": False}}), (Due.STOP,)),
    "tested puts": Taken(day_of(((-4.2, 10.0),)), (Due.ROLL_CALLS,)),
    "tested calls": Taken(day_of(((3.0, -5.0),)), (Due.ROLL_PUTS,)),
    "delta": Taken(
        day_of(
            ((-3.5, 10.0),),
            condor__exit={"delta_close": True, "delta_close_delta": 0.31, "stop_credit_ratio": 50.0},
            condor={"entry_patient_spread_fraction": 1.0},
            **NO_ROLL,
        ),
        (Due.DELTA,),
    ),
    "cheap spreads": Taken(
        day_of(
            ((-3.0, 10.0), (7.0, -15.0)),
            condor__exit={"buy_back_pts": 1.0, "profit_of_credit_fraction": 0.01},
            **NO_ROLL,
        ),
        (Due.BUY_BACK, Due.EARLY_CLOSE),
    ),
    "time": Taken(
        Course(
            at(THURSDAY, "14:35"),
            at(date(2026, 3, 6), "09:55"),
            rules={
                "condor": {
                    "min_dte": 43,
                    "target_dte": 43,
                    "max_dte": 56,
                    "entry_patient_spread_fraction": 1.0,
                },
                "condor.exit": {"exit_dte": 42},
            },
        ),
        (Due.TIME,),
    ),
}


def next_day(spx: float, vix: float, kind: str) -> Course:
    """A condor of Thursday whose time is over on Friday, after a move of the index and before one of VIX."""
    friday = date(2026, 3, 6)
    return Course(
        at(THURSDAY, "14:35"),
        at(friday, "10:25"),
        [
            (at(friday, "09:31"), 0.0, 0.0),
            (at(friday, "09:36"), spx, 0.0),
            (at(friday, "09:50"), spx, 0.0),
            (at(friday, "09:56"), spx, vix),
        ],
        {
            "condor": {
                "min_dte": 43,
                "target_dte": 43,
                "max_dte": 56,
                "entry_patient_spread_fraction": 1.0,
            },
            "condor.exit": {"exit_dte": 42, "stop_credit_ratio": 50.0, "stop_of_max_loss_fraction": 0.99},
            "condor.adjust": {"roll_untested": False, "time_shift": kind},
        },
    )


SHIFTS = {
    "puts shifted": Taken(next_day(-4.0, 5.0, "tested"), (Due.SHIFT_PUTS,)),
    "calls shifted": Taken(next_day(1.2, 40.0, "loss"), (Due.SHIFT_CALLS,)),
}


def sent(lived: Lived) -> list[str]:
    """Reasons of the orders after the opening, each row of attempts once."""
    reasons = lived.reasons("close", "adjust")
    return [reason for number, reason in enumerate(reasons) if reason not in reasons[:number]]


@pytest.mark.parametrize("name", PATHS)
def test_a_path_is_taken_for_its_reason_and_the_book_is_the_venues(tmp_path: Path, name: str) -> None:
    taken = PATHS[name]
    lived = live(tmp_path, taken.course)
    assert lived.reasons("open")[:1] == ["weekly entry"]
    assert sent(lived) == list(taken.reasons)
    changed = [one for one in lived.state.structures.values() if one.adjustments or one.is_flat]
    assert changed, "the order traded"
    for structure in lived.state.structures.values():
        low, _ = structure.combo.payoff_range()
        assert low >= -25.0
        assert structure.is_flat or sum(leg.signed_ratio for leg in structure.combo.legs) >= 0


def test_every_reason_has_a_path() -> None:
    assert {reason for taken in (*PATHS.values(), *SHIFTS.values()) for reason in taken.reasons} == set(Due)


@pytest.mark.parametrize("name", SHIFTS)
def test_a_challenged_condor_whose_time_is_over_goes_on_at_a_later_expiry(tmp_path: Path, name: str) -> None:
    taken = SHIFTS[name]
    lived = live(tmp_path, taken.course)
    assert sent(lived) == list(taken.reasons)
    origin = next(one for one in lived.state.structures.values() if not one.follows)
    successor = lived.state.structures[f"{origin.structure_id}-shifted"]
    assert origin.is_flat
    assert successor.quantity == origin.units_closed
    assert successor.adjustments == (taken.reasons[0].value,)
    earlier, later = (one.combo.legs[0].contract.expiry for one in (origin, successor))
    assert earlier is not None
    assert later is not None
    assert later > earlier
    closed, opened = lived.times("close")[-1], lived.times("open")[-1]
    assert closed < opened
    fees = (origin.fees_usd + successor.fees_usd) / 100 / origin.units_opened
    assert -successor.entry_price >= origin.closed_cost / origin.units_closed + fees / 2
    assert successor.credit >= origin.credit
    told = next(one for one in lived.decisions if one["reason"] == f"shifted from {origin.structure_id}")
    assert told["structure_id"] == successor.structure_id
    notes = dict(told["notes"])
    assert notes["max_loss_after"] <= notes["max_loss_before"]
    read = [
        one
        for one in lived.decisions
        if one["structure_id"] == successor.structure_id and one["verb"] == "read"
    ]
    before = dict(read[-1]["notes"])
    assert before["net_credit"] > -successor.entry_price + before["credit_of_earlier_expiries"] - 0.1


def test_on_a_day_of_consumer_prices_nothing_is_opened_before_half_past_ten(tmp_path: Path) -> None:
    lived = live(tmp_path, Course(at(CPI_DAY, "10:15"), at(CPI_DAY, "10:36")))
    assert lived.gates("not_barred") == {f"CPI window until {CPI_DAY} 10:30"}
    (opened,) = lived.times("open")
    assert f"{opened:%H:%M}" >= "10:30"


def test_in_a_statements_window_nothing_is_opened_and_profit_is_still_taken(tmp_path: Path) -> None:
    eve = FOMC_DAY - timedelta(days=1)
    lived = live(
        tmp_path,
        Course(
            at(eve, "14:40"),
            at(FOMC_DAY, "10:02"),
            [(at(FOMC_DAY, "09:40"), 0.0, 0.0), (at(FOMC_DAY, "09:44"), 0.0, -25.0)],
            {
                "condor": {"entries_per_week_max": 5, "entry_patient_spread_fraction": 1.0},
                "condor.exit": {"profit_of_credit_fraction": 0.9},
            },
        ),
    )
    assert lived.gates("not_barred") == {f"FOMC window until {FOMC_DAY} 15:15"}
    assert {moment.date() for moment in lived.times("open")} == {eve}
    assert {moment.date() for moment in lived.times("close")} == {FOMC_DAY}


def test_on_a_half_day_the_entry_window_ends_an_hour_before_the_close(tmp_path: Path) -> None:
    patient = {"condor": {"entries_per_week_max": 50, "open_max_count": 50}}
    lived = live(tmp_path, Course(at(HALF_DAY, "11:50"), at(HALF_DAY, "12:03"), rules=patient))
    assert lived.times("open")
    assert all(f"{moment:%H:%M}" < "12:00" for moment in lived.times("open"))
    assert any("-12:00" in detail for detail in lived.gates("entry_window"))


def test_an_account_that_is_too_small_opens_nothing_and_says_what_one_unit_costs(tmp_path: Path) -> None:
    small = {"risk": {"initiation_max_fraction": 0.0005}}
    lived = live(tmp_path, Course(at(MONDAY, "09:50"), at(MONDAY, "10:03"), rules=small))
    assert not lived.times("open")
    assert any(detail.startswith("too_small") for detail in lived.gates("size"))


def test_the_small_options_take_the_account_the_large_ones_are_too_large_for(tmp_path: Path) -> None:
    small: dict[str, dict[str, Any]] = {
        "risk": {"initiation_max_fraction": 0.0005},
        "condor": {"underlying": "XSP"},
    }
    lived = live(tmp_path, Course(at(MONDAY, "09:50"), at(MONDAY, "10:20"), rules=small))
    (condor,) = [one for one in lived.state.structures.values() if one.quantity]
    assert {leg.contract.trading_class for leg in condor.combo.legs} == {"XSP"}
    assert condor.combo.payoff_range()[0] == -2.5
    assert "break-evens recalibrated" in lived.reasons("read")


def test_a_condor_held_to_its_friday_settles_on_the_close_while_the_daemon_is_away(tmp_path: Path) -> None:
    friday = date(2026, 3, 6)
    rules: dict[str, dict[str, Any]] = {
        "condor": {
            "min_dte": 1,
            "target_dte": 1,
            "max_dte": 14,
            "credit_min_of_width_fraction": 0.01,
            "entry_patient_spread_fraction": 1.0,
        },
        "condor.exit": {"exit_dte": 0},
    }
    course = Course(
        at(THURSDAY, "14:35"),
        at(friday, "17:06"),
        [(at(THURSDAY, "14:37"), 0.0, 150.0)],
        rules,
        away=(at(THURSDAY, "14:50"), at(friday, "17:02")),
    )
    lived = live(tmp_path, course)
    assert lived.reasons("book")[-1] == "expired and settled in cash"
    assert not lived.venue.positions


def test_before_pm_settled_weeks_a_monthly_condor_is_sold_and_settles_on_the_open(tmp_path: Path) -> None:
    wednesday, friday = date(2010, 9, 15), date(2010, 9, 17)
    rules: dict[str, dict[str, Any]] = {
        "condor": {
            "min_dte": 1,
            "target_dte": 2,
            "max_dte": 14,
            "credit_min_of_width_fraction": 0.01,
            "entry_patient_spread_fraction": 1.0,
            "wing_of_spot_fraction": 0.001,
        },
        "condor.exit": {"exit_dte": 0},
    }
    course = Course(
        at(wednesday, "14:35"),
        at(friday, "17:06"),
        [(at(wednesday, "14:37"), 0.0, 150.0)],
        rules,
        away=(at(wednesday, "14:50"), at(friday, "17:02")),
    )
    lived = live(tmp_path, course)
    (condor,) = lived.state.structures.values()
    assert {leg.contract.trading_class for leg in condor.combo.legs} == {"SPX"}
    assert condor.settled
    assert not lived.venue.positions
