"""The governed rules: complete, within bounds, never ambiguous, and identified by one hash."""

import tomllib
from datetime import date, time, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigError
from config.hedge_rules import VIX_EXPIRY_GAP_MAX_DAYS
from config.loader import load_rules
from config.rules import Rules
from config.settings import SHIPPED_RULES

SHIPPED = SHIPPED_RULES.read_text(encoding="utf-8")


def with_value(line: str, replacement: str) -> str:
    """The shipped rules with one line changed; `line` must stand in them."""
    assert SHIPPED.count(f"\n{line} ") + SHIPPED.count(f"\n{line}\n") >= 1, line
    return SHIPPED.replace(f"\n{line}", f"\n{replacement}", 1)


def read(folder: Path, text: str) -> Rules:
    file = folder / "rules.toml"
    file.write_text(text, encoding="utf-8")
    return load_rules(file)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        read(folder, text)
    return str(raised.value)


def test_shipped_rules_are_the_published_defaults() -> None:
    rules = load_rules(SHIPPED_RULES)
    assert (rules.l1.rsi_sessions, rules.l1.rsi_below_pts) == (14, 30)
    assert rules.l1.backwardation_above_fraction == 0.08
    assert (rules.l1.rearm_rsi_min_pts, rules.l1.rearm_backwardation_below_fraction) == (40, 0.04)
    assert (rules.l1.min_dte, rules.l1.max_dte, rules.l1.target_dte) == (16, 51, 30)
    assert (rules.l2.min_dte, rules.l2.max_dte, rules.l2.target_dte) == (45, 90, 60)
    assert (rules.budget.l1_fraction, rules.budget.l2_fraction, rules.budget.l3_fraction) == (0.4, 0.4, 0.2)
    assert (rules.budget.campaign_bps, rules.budget.year_bps) == (75, 150)
    assert (rules.condor.min_dte, rules.condor.max_dte, rules.condor.target_dte) == (35, 56, 45)
    assert rules.risk.initiation_max_fraction == 0.012
    assert (rules.blackout.fomc.start_time, rules.blackout.fomc.end_time) == (time(15, 30), time(15, 15))


@pytest.mark.parametrize(
    ("line", "replacement", "what"),
    [
        ("initiation_max_fraction = 0.012", "initiation_max_fraction = 1.2", "write 0.012 for 1.2 %"),
        ("initiation_max_fraction = 0.012", "initiation_max_fraction = 0.013", "must be at most 0.012"),
        ("daily_loss_max_fraction = 0.02", "daily_loss_max_fraction = 2.0", "write 0.02 for 2 %"),
        ("l1_fraction = 0.40", "l1_fraction = 0.50", "must add up to 1, not to 1.1"),
        ("campaign_bps = 75.0", "campaign_bps = 200.0", "campaign_bps must not exceed year_bps"),
        ("min_dte = 16", "min_dte = 17", "empty on some days: monthly VIX expiries are up to 36 days apart"),
        ("target_dte = 30", "target_dte = 60", "min_dte <= target_dte <= max_dte must hold"),
        ("exit_dte = 5", "exit_dte = 16", "sold on the day it is bought"),
        ("rearm_rsi_min_pts = 40.0", "rearm_rsi_min_pts = 30.0", "fires again at once"),
        ("rsi_sessions = 14", "rsi_sessions = 14.5", "must be a whole number"),
        ("rsi_sessions = 14", "rsi_session = 14", "did you mean l1.rsi_sessions?"),
        ("rsi_sessions = 14", "rsi_lt = 14", "l1.rsi_lt: is no longer a key: use l1.rsi_below_pts"),
        ("rsi_below_pts = 30.0", "rsi_below_pts = nan", "must be a finite number"),
        ("short_delta = 0.16", "short_delta = -0.16", "must be above 0"),
        ('entry_start_time = "10:00"', 'entry_start_time = "ten"', 'write it like "15:30"'),
        ('entry_start_time = "10:00"', 'entry_start_time = "09:00"', "within 09:30 to 16:00"),
        ("macd_fast_sessions = 12", "macd_fast_sessions = 26", "must be below macd_slow_sessions"),
        ("messages_per_second_max = 40", "messages_per_second_max = 50", "must be at most 45"),
        ("stress_above_fraction = 0.0", "stress_above_fraction = 0.08", "below crisis_above_fraction"),
        ("stress_left_below_fraction = -0.01", "stress_left_below_fraction = 0.01", "must not exceed stress"),
        ("crisis_left_below_fraction = 0.04", "crisis_left_below_fraction = 0.09", "must not exceed crisis"),
        ('trade_start_time = "09:45"', 'trade_start_time = "10:01"', "within 09:30 to 10:00"),
        ('targets_start_time = "09:45"', 'targets_start_time = "19:45"', "within 09:30 to 10:00"),
        ('parity_start_time = "09:45"', 'parity_start_time = "13:00"', "within 09:30 to 10:00"),
        ("divergence_window_months = 60", "divergence_window_months = 130", "must be at most 129"),
        ("divergence_gap_months_min = 60", "divergence_gap_months_min = 131", "must be at most 130"),
        ("gaps_max_count = 3", "gaps_max_count = 20", "no gap ever restarts a count"),
        ("echo_sessions = 63", "echo_session = 63", "did you mean regime.echo_sessions?"),
        ("option_quote_age_max_s = 15.0", "option_quote_age_max_s = inf", "must be a finite number"),
    ],
)
def test_wrong_rule_is_refused_with_the_reason(
    tmp_path: Path, line: str, replacement: str, what: str
) -> None:
    assert what in refusal(tmp_path, with_value(line, replacement))


def test_no_rule_has_a_hidden_default(tmp_path: Path) -> None:
    lines = SHIPPED.splitlines()
    section = ""
    for index, line in enumerate(lines):
        if line.startswith("["):
            section = line.split("]")[0].removeprefix("[") + "."
        elif "=" in line.split("#")[0]:
            key = section + line.split("=")[0].strip()
            message = refusal(tmp_path, "\n".join(lines[:index] + lines[index + 1 :]))
            assert f"{key}: is missing" in message


def test_hash_ignores_spelling_and_order_but_not_values(tmp_path: Path) -> None:
    shipped = load_rules(SHIPPED_RULES)
    spelt = with_value("l1_fraction = 0.40", "l1_fraction = 4e-1")
    spelt = spelt.replace('"15:30"', "15:30:00").replace("rsi_below_pts = 30.0", "rsi_below_pts = 30")
    head, l1, rest = spelt.partition("[budget]")
    assert read(tmp_path, head + l1 + rest).rules_hash() == shipped.rules_hash()
    changed = with_value("rsi_below_pts = 30.0", "rsi_below_pts = 30.1")
    assert read(tmp_path, changed).rules_hash() != shipped.rules_hash()


def test_hash_is_the_one_this_version_was_published_with() -> None:
    assert load_rules(SHIPPED_RULES).rules_hash() == (
        "98de8b6984f61d0972da1f4f558689c4e54e02dc6926bd1cd6daae648a387a68"
    )


def test_canonical_form_reads_back_to_the_same_rules() -> None:
    rules = load_rules(SHIPPED_RULES)
    assert Rules.model_validate_json(rules.canonical()) == rules


@given(st.dates(min_value=date(2007, 1, 1), max_value=date(2033, 12, 31)))
def test_every_layer_finds_a_monthly_vix_expiry_on_every_day(day: date) -> None:
    layers = tomllib.loads(SHIPPED)
    expiries = [vix_wednesday(year, month) for year in range(2007, 2036) for month in range(1, 13)]
    for layer in ("l1", "l2", "l3"):
        window = range(layers[layer]["min_dte"], layers[layer]["max_dte"] + 1)
        assert any((expiry - day).days in window for expiry in expiries)


def test_vix_expiries_are_never_further_apart_than_the_window_assumes() -> None:
    expiries = [vix_wednesday(year, month) for year in range(2007, 2034) for month in range(1, 13)]
    gaps = [(later - earlier).days for earlier, later in pairwise(expiries)]
    assert max(gaps) + 1 <= VIX_EXPIRY_GAP_MAX_DAYS  # a holiday moves one of the two by a day


def vix_wednesday(year: int, month: int) -> date:
    """Thirty days before the third Friday of the following month, holidays left aside."""
    following = date(year + month // 12, month % 12 + 1, 1)
    third_friday = following + timedelta(days=(4 - following.weekday()) % 7 + 14)
    return third_friday - timedelta(days=30)
