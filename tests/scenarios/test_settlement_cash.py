"""A condor is held through its expiry: its cash comes, or somebody is told."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.journal.writer import read_records
from config.rules import Rules
from market.sessions import MARKET_TZ
from simulator.floor import HouseRules
from simulator.stochastic import StochasticMarket
from tests.scenarios.quick_rules import quick_rules
from tests.scenarios.virtual_house import VirtualHouse

START = datetime(2026, 2, 26, 9, 58, tzinfo=MARKET_TZ).astimezone(UTC)
AWAY_FROM = datetime(2026, 2, 26, 11, 0, tzinfo=MARKET_TZ).astimezone(UTC)
EXPIRY = datetime(2026, 3, 6, 16, 0, tzinfo=MARKET_TZ).astimezone(UTC)
INTERVAL_S = 60.0


def short_dated(folder: Path) -> Rules:
    """Condors of eight days, one a week, that no stop closes."""
    rules = quick_rules(folder, walk_s=60, final=1.0)
    leave = rules.condor.exit.model_copy(
        update={"exit_dte": 0, "stop_credit_ratio": 90.0, "stop_of_max_loss_fraction": 1.0}
    )
    days = {"min_dte": 1, "target_dte": 8, "max_dte": 9, "entries_per_week_max": 1}
    condor = rules.condor.model_copy(update={**days, "exit": leave, "credit_min_of_width_fraction": 0.01})
    return rules.model_copy(update={"condor": condor})


@pytest.mark.parametrize(
    ("lag", "told"),
    [
        (timedelta(0), []),
        (timedelta(hours=9), []),
        (timedelta(days=2, hours=17), ["settlement.late", "settlement.arrived"]),
    ],
)
def test_cash_of_an_expiry_that_is_not_there_at_the_next_open_is_told_until_it_comes(
    tmp_path: Path, lag: timedelta, told: list[str]
) -> None:
    market = StochasticMarket(7, START, INTERVAL_S, "shock")
    house = VirtualHouse(
        tmp_path / "journal", market, START, short_dated(tmp_path), INTERVAL_S,
        house_rules=HouseRules(settlement_lag=lag),
    )  # fmt: skip
    # Prices fall while the daemon is away, and nobody closes what expires; it comes back half a minute later.
    house.away_s = (EXPIRY - AWAY_FROM).total_seconds() + 30.0
    monday = datetime(2026, 3, 9, 13, 0, tzinfo=MARKET_TZ)
    house.run([AWAY_FROM], monday.astimezone(UTC))
    records = list(read_records(tmp_path / "journal"))
    settled = [one for one in records if one.body.get("reason") == "expired and settled in cash"]
    assert len(settled) == 1
    alerts: list[dict[str, Any]] = [
        one.body for one in records if one.kind == "Alert" and one.body["name"].startswith("settlement.")
    ]
    assert [alert["name"] for alert in alerts] == told, alerts
    if told:
        assert alerts[0]["level"] == "error"
        assert alerts[0]["text"].startswith("SPXW 2026-03-06: +0.00 USD came, at most -")
        late = next(one for one in records if one.body is alerts[0])
        assert late.time.startswith("2026-03-09T13:3")  # 09:30 in New York, in summer time
