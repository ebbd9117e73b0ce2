"""Folders of daily history: a small made-up one, and the real one where it is at hand."""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from bot.review.inputs import read_history, session_inputs
from bot.review.signals import Walk, signal_rules
from config.loader import load_rules
from config.settings import Settings
from market.series import Observation
from market.sessions import front_vx_pair, sessions
from strategies.rules import SignalRules

DATA = Path(__file__).parents[3].parent / "shared" / "data"
FIRST, LAST = date(2007, 4, 2), date(2023, 12, 29)
needs_history = pytest.mark.skipif(not DATA.exists(), reason="the real history ../shared/data is absent")


@cache
def base_rules() -> SignalRules:
    """The shipped rules."""
    return signal_rules(load_rules(Settings().rules_file))


@cache
def real_history() -> Mapping[str, tuple[Observation, ...]]:
    """Every series of the real folder."""
    return read_history(DATA)


@cache
def real_walk() -> Walk:
    """All real sessions, walked once for all tests."""
    return Walk(session_inputs(real_history(), LAST, base_rules()))


def write_history(folder: Path, first: date = date(2020, 1, 2), last: date = date(2020, 6, 30)) -> Path:
    """Write a made-up folder: a quiet market, with a week of selling under an inverted curve."""
    folder.mkdir(parents=True, exist_ok=True)
    days = sessions(first, last)
    shock = range(len(days) * 2 // 3, len(days) * 2 // 3 + 6)
    rows: dict[str, list[str]] = {
        "nyse_breadth.csv": ["date,advances,declines"],
        "spx.csv": ["date,open,high,low,close"],
        "vix.csv": ["date,open,high,low,close"],
        "vvix.csv": ["date,close"],
        "vx_settlements.csv": ["date,final_settlement,settle"],
        "vnq.csv": ["date,close,dividend,adj_close"],
        "rates.csv": ["date,treasury_10y_pct,baa_yield_pct,fed_funds_pct"],
        "reer_broad_usd.csv": ["date,value"],
        "ppi_all_commodities.csv": ["date,value"],
    }
    for n, day in enumerate(days):
        selling = n in shock
        up = 300 if selling else 1500 + 200 * (n % 3 - 1)
        vix = 45.0 if selling else 15.0 + n % 4
        near, far = front_vx_pair(day)
        vx1, vx2 = (40.0, 34.0) if selling else (17.0, 18.0)
        spx = 3000.0 - 90.0 * (n - shock.start + 1) if selling else 3000.0 + n % 5
        rows["nyse_breadth.csv"].append(f"{day},{up},{3000 - up}")
        rows["spx.csv"].append(f"{day},{spx},{spx},{spx},{spx}")
        rows["vix.csv"].append(f"{day},{vix},{vix},{vix},{vix}")
        rows["vvix.csv"].append(f"{day},{90.0 + n % 7}")
        rows["vx_settlements.csv"] += [f"{day},{near},{vx1}", f"{day},{far},{vx2}"]
        rows["vnq.csv"].append(f"{day},90.0,{0.9 if n % 63 == 20 else 0},80.0")
        rows["rates.csv"].append(f"{day},2.0,4.5,1.5")
    for n in range(24):
        month = date(2018 + n // 12, n % 12 + 1, 1)
        rows["reer_broad_usd.csv"].append(f"{month},{100 + n % 5}")
        rows["ppi_all_commodities.csv"].append(f"{month},{200 + n % 3}")
    for name, lines in rows.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
