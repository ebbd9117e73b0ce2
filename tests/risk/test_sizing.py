"""Money becomes contracts by rounding down, after what hedges reserve."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.contract import Action, Right, single
from risk.sizing import initiation_headroom_usd, unit_max_loss_usd, units
from tests.risk.book import condor, option

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden.json"
FEES = 5.18  # four legs of one side, the fees behind the golden figures


def test_the_worked_condor_is_three_lots_at_a_million() -> None:
    loss = unit_max_loss_usd(condor(5590, 5640, 6315, 6365), -12.3656, FEES)
    assert loss == pytest.approx(3_768.62, abs=0.01)
    assert units(initiation_headroom_usd(1e6, 0.0, 0.0, 0.012), loss) == 3


@pytest.mark.skipif(not GOLDEN.exists(), reason="the validation folder ../shared is absent")
def test_the_worked_condor_is_the_golden_one() -> None:
    golden = json.loads(GOLDEN.read_text())["condor"]
    combo = condor(golden["lp"], golden["sp"], golden["sc"], golden["lc"])
    loss = unit_max_loss_usd(combo, -12.3656, FEES)
    assert loss == pytest.approx(golden["max_loss_usd"], abs=0.05)
    assert units(0.012 * golden["min_NAV_for_1lot_at_1p2pct"], loss) == 1
    assert units(0.012 * (golden["min_NAV_for_1lot_at_1p2pct"] - 10), loss) == 0
    assert units(12_000, loss) == golden["n_at_NAV_1m"]


@pytest.mark.skipif(not GOLDEN.exists(), reason="the validation folder ../shared is absent")
def test_the_least_account_for_one_lot_is_the_golden_one_at_every_width() -> None:
    golden = json.loads(GOLDEN.read_text())["sizing_min_nav_by_width(credit 20% of width)"]
    for width, nav in golden.items():
        w = float(width)
        loss = unit_max_loss_usd(condor(3000 - w, 3000, 3500, 3500 + w), -0.2 * w, FEES)
        assert units(initiation_headroom_usd(nav + 1, 0.0, 0.0, 0.012), loss) == 1
        assert units(initiation_headroom_usd(nav - 2, 0.0, 0.0, 0.012), loss) == 0


def test_hedges_reserve_first_and_the_condor_takes_the_remainder() -> None:
    assert initiation_headroom_usd(1e6, 0.0, 3_000.0, 0.012) == 9_000.0
    assert initiation_headroom_usd(1e6, 7_000.0, 3_000.0, 0.012) == 2_000.0
    assert initiation_headroom_usd(1e6, 11_000.0, 3_000.0, 0.012) == 0.0


def test_a_loss_without_bound_or_below_nothing_has_no_size() -> None:
    naked = unit_max_loss_usd(single(option(3500, Right.CALL), Action.SELL), -10.0, 1.0)
    assert units(1e9, naked) == 0
    assert units(1e9, 0.0) == 0
    assert units(1e9, -5.0) == 0


@given(st.floats(0, 1e7), st.floats(0.01, 1e6))
def test_size_never_exceeds_the_money_and_leaves_less_than_one_unit(headroom: float, loss: float) -> None:
    n = units(headroom, loss)
    assert n * loss <= headroom * (1 + 1e-12)
    assert (n + 1) * loss > headroom * (1 - 1e-12)
