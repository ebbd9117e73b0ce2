"""Whole sessions in virtual time: stopped and killed midway and taken up again, and on real history."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from bot.control.stand_ins import stand_ins
from config.loader import load_rules
from config.settings import SHIPPED_RULES
from market.sessions import MARKET_TZ, option_close, session_offset
from simulator.stochastic import StochasticMarket
from tests.scenarios.processes import ROOT, run_once
from tests.scenarios.virtual_house import Killer, Point, VirtualHouse

HISTORY = ROOT.parent / "shared" / "data"
FIRST = date(2026, 3, 2)
START = datetime(2026, 3, 2, 8, 50, tzinfo=MARKET_TZ).astimezone(UTC)
SESSIONS = 4
END = (option_close(session_offset(FIRST, SESSIONS - 1)) + timedelta(minutes=50)).astimezone(UTC)


def shock(folder: Path) -> VirtualHouse:
    market = StochasticMarket(7, START, 60.0, "shock")
    return VirtualHouse(
        folder / "journal",
        market,
        START,
        load_rules(SHIPPED_RULES),
        interval_s=60.0,
        commit_interval=timedelta(minutes=10),
        feeds=stand_ins("http://localhost"),
    )


def at(day: int, hour: int, minute: int) -> datetime:
    session = session_offset(FIRST, day)
    return datetime(session.year, session.month, session.day, hour, minute, tzinfo=MARKET_TZ).astimezone(UTC)


def test_a_session_that_is_stopped_and_killed_midway_is_taken_up_again_and_still_hedges(
    tmp_path: Path,
) -> None:
    made = shock(tmp_path)
    ends: list[Killer | datetime] = [
        at(0, 10, 45),
        at(0, 14, 0),
        Killer(30, Point.BEFORE_ACK),
        Killer(40, Point.TORN),
        at(2, 9, 20),
    ]
    state, venue = made.run(ends, END)
    assert made.lives == len(ends) + 1
    strategies = {structure.strategy for structure in state.structures.values() if structure.opened_legs}
    assert strategies == {"iron_condor", "near_term"}
    assert venue.positions


@pytest.mark.skipif(not HISTORY.is_dir(), reason="validation data is not at hand")
def test_on_real_history_the_near_term_layer_fires_on_2020_02_27_and_buys_the_next_day(
    tmp_path: Path,
) -> None:
    words = ["demo", "--history", str(HISTORY), "--from", "2020-02-24", "--to", "2020-03-04"]
    words += ["--interval", "60", "--json", "--journal", str(tmp_path / "journal")]
    done = run_once(words, {})
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert [(fire["layer"], fire["date"]) for fire in figures["fires"]] == [("L1", "2020-02-27")]
    hedges = sorted((order["date"], order["layer"]) for order in figures["hedge_orders"])
    assert hedges[0] == ("2020-02-28", "L1")
    assert figures["hedge_tranches_opened"] == 1
