"""What the regime of the curve forbids the condor, as the engine hands it on."""

from dataclasses import replace
from typing import Any

import pytest

from bot.engine import decide
from market.contract import Right
from strategies import iron_condor
from strategies.base import Evaluation
from strategies.regime import Regime
from tests.bot.engine.desk import NOW, ready


@pytest.mark.parametrize(
    ("regime", "entries", "calls"),
    [
        (Regime.NORMAL, (), ()),
        (Regime.CALM, (), ()),
        (Regime.STRESS, (), ("stress regime",)),
        (Regime.CRISIS, ("crisis regime",), ("crisis regime",)),
    ],
)
def test_stress_bars_call_side_adjustments_and_a_crisis_new_condors_too(
    monkeypatch: pytest.MonkeyPatch, regime: Regime, entries: tuple[str, ...], calls: tuple[str, ...]
) -> None:
    seen: list[Any] = []

    def looked(_: Any, state: Any, *rest: Any) -> tuple[Any, Evaluation]:
        seen.extend(rest[-2:])
        return state, Evaluation()

    monkeypatch.setattr(iron_condor, "evaluate", looked)
    state = ready()
    curve = replace(state.layers.curve, regime=regime)
    decide.evaluate(replace(state, layers=replace(state.layers, curve=curve)), NOW)
    assert seen == [entries, {Right.PUT: (), Right.CALL: calls}]
