"""Every session's readings and fires over a folder of history, for any pack of rules.

The very functions with which the daemon counts its sessions (`strategies.layers`) are walked over what was
known of each session (`inputs`), for the governed rules and for every other pack.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from math import log
from typing import Any, TypeVar

from bot.engine.parameters import parameters
from config.rules import Rules
from market.rounding import round_ratio
from market.sessions import (
    front_vx_pair,
    option_close,
    sessions_between,
    vx_settlement_instant,
    vx_settlements_after,
)
from strategies.layers import (
    LAYERS,
    MidTermMemory,
    Verdict,
    cost_of,
    count_beta,
    count_mid_term,
    count_near_term,
    count_reserve,
)
from strategies.macro import MacroState, learn, measure
from strategies.regime import Regime, RegimeState, regime
from strategies.reserve import ReserveState
from strategies.rules import SignalRules
from strategies.session_inputs import SessionInputs
from strategies.triggers import NearTermState
from strategies.wacc import CostOfCapital, WeeklyBeta

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Curve:
    """The front of the futures curve on one session, and what is labelled after it; None where unknown.

    `spot_in_step` says that the VIX close and the VX settlement are of the same instant.
    """

    pair: tuple[date, date]
    vx1: float | None
    vx2: float | None
    backwardation: float | None
    backwardation_spot: float | None
    spot_in_step: bool
    steepness: float | None
    roll_yield_daily: float | None
    vix_to_vix3m: float | None
    regime: Regime | None
    echo: bool | None


@dataclass(frozen=True, slots=True)
class Day:
    """All readings of one session under one pack."""

    inputs: SessionInputs
    curve: Curve
    capital: CostOfCapital | None
    near: Verdict
    mid: Verdict
    reserve: Verdict

    @property
    def date(self) -> date:
        """The session."""
        return self.inputs.session

    @property
    def fires(self) -> tuple[str, ...]:
        """Layers that fire, in their order."""
        verdicts = (self.near, self.mid, self.reserve)
        return tuple(layer for layer, verdict in zip(LAYERS, verdicts, strict=True) if verdict.fired)


def as_json(day: Day) -> dict[str, Any]:
    """One session as a flat object; what is unknown is None, and `unknown` says why."""
    rsi, histogram, flip, divergent = day.near.readings[0], *day.mid.readings[:3]
    z = day.reserve.readings[0]
    curve, capital = day.curve, day.capital
    return {
        "date": day.date.isoformat(),
        "ad_rsi": rsi.value,
        "backwardation": curve.backwardation,
        "backwardation_spot": curve.backwardation_spot,
        "backwardation_spot_async": not curve.spot_in_step,
        "vvix_macd_histogram": histogram.value,
        "vvix_flip": None if histogram.value is None else flip.value == 0.0,
        "reer_ppi_divergent": divergent.fired,
        "reer_ppi_month": divergent.as_of or None,
        "wacc_spread_z": z.value,
        "wacc_short_window": None if z.value is None else z.source == "short_window",
        "wacc_spread": None if capital is None else capital.spread,
        "wacc_quality": None if capital is None else capital.quality,
        "regime": curve.regime,
        "echo": curve.echo,
        "vix": day.inputs.vix,
        "steepness": curve.steepness,
        "roll_yield_daily": curve.roll_yield_daily,
        "vix_to_vix3m": curve.vix_to_vix3m,
        "fires": list(day.fires),
        "unknown": {
            reading.name: reading.reason
            for verdict in (day.near, day.mid, day.reserve)
            for reading in verdict.readings
            if reading.fired is None
        },
    }


def signal_rules(rules: Rules) -> SignalRules:
    """The triggers' numbers from the governed rules, as the pack `seed` has them."""
    return parameters(rules.model_dump(mode="json")).signals


class Walk:
    """Sessions in order and, for any rules, what the layers say of them; each question is answered once."""

    def __init__(self, inputs: Iterable[SessionInputs]) -> None:
        self.inputs: tuple[SessionInputs, ...] = tuple(inputs)
        self._answers: dict[Hashable, Sequence[Any]] = {}

    def days(self, rules: SignalRules) -> tuple[Day, ...]:
        """Every session under one set of rules."""
        layers = [self.verdicts(layer, rules) for layer in LAYERS]
        together = zip(self.inputs, self.curves(rules), self._capital(rules), *layers, strict=True)
        return tuple(Day(*parts) for parts in together)

    def curves(self, rules: SignalRules) -> Sequence[Curve]:
        """The futures curve on every session, labelled under one set of rules."""
        return self._once(("curves", rules.regime), lambda: _curves(self.inputs, rules))

    def verdicts(self, layer: str, rules: SignalRules) -> Sequence[Verdict]:
        """One layer on every session; nothing is computed for the others unless it depends on them."""
        if layer == "L1":
            return self._once(("L1", rules.near_term, rules.front), lambda: _near(self.inputs, rules))
        if layer == "L2":
            signals = tuple(one.fired is True for one in self.verdicts("L1", rules))
            return self._once(("L2", rules.mid_term, signals), lambda: _mid(self.inputs, signals, rules))
        capital = self._capital(rules)
        return self._once(
            ("L3", rules.reserve, rules.distribution, rules.spread),
            lambda: _reserve(self.inputs, capital, rules),
        )

    def _capital(self, rules: SignalRules) -> Sequence[CostOfCapital | None]:
        return self._once(
            ("capital", rules.reserve, rules.distribution), lambda: _capital(self.inputs, rules)
        )

    def _once(self, question: Hashable, answer: Callable[[], Iterator[T]]) -> Sequence[T]:
        if question not in self._answers:
            self._answers[question] = tuple(answer())
        return self._answers[question]


def _near(inputs: Sequence[SessionInputs], rules: SignalRules) -> Iterator[Verdict]:
    state = NearTermState()
    for seen in inputs:
        state, verdict = count_near_term(state, seen, rules)
        yield verdict


def _mid(inputs: Sequence[SessionInputs], signals: Sequence[bool], rules: SignalRules) -> Iterator[Verdict]:
    memory, macro = MidTermMemory(), MacroState()
    months: tuple[object, object] | None = None
    divergence = measure(macro, rules.mid_term)
    for seen, signal in zip(inputs, signals, strict=True):
        if months is None or months[0] is not seen.reer or months[1] is not seen.ppi:
            months = (seen.reer, seen.ppi)
            macro = learn(macro, seen.reer, seen.ppi, rules.mid_term)
            divergence = measure(macro, rules.mid_term)
        memory, verdict = count_mid_term(memory, seen, signal, divergence, rules)
        yield verdict


def _capital(inputs: Sequence[SessionInputs], rules: SignalRules) -> Iterator[CostOfCapital | None]:
    beta = WeeklyBeta()
    for seen in inputs:
        beta = count_beta(beta, seen, rules)
        yield cost_of(seen, beta, rules)


def _reserve(
    inputs: Sequence[SessionInputs], capital: Sequence[CostOfCapital | None], rules: SignalRules
) -> Iterator[Verdict]:
    state = ReserveState()
    for seen, cost in zip(inputs, capital, strict=True):
        state, verdict = count_reserve(state, seen, cost, rules)
        yield verdict


def _curves(inputs: Sequence[SessionInputs], rules: SignalRules) -> Iterator[Curve]:
    state = RegimeState()
    for seen in inputs:
        session, vix = seen.session, seen.vix
        pair = front_vx_pair(session)
        vx1, vx2 = seen.curve.get(pair[0]), seen.curve.get(pair[1])
        fourth = seen.curve.get(vx_settlements_after(pair[0], 3)[-1])
        state, label, echo = regime(state, session, vx1, vx2, vix, rules.regime)
        yield Curve(
            pair=pair,
            vx1=vx1,
            vx2=vx2,
            backwardation=_ratio(vx1, vx2, -1.0),
            backwardation_spot=_ratio(vix, vx1, -1.0),
            spot_in_step=vx_settlement_instant(session) == option_close(session),
            steepness=round_ratio(log(fourth / vx1)) if fourth and vx1 else None,
            roll_yield_daily=_roll_yield(session, pair, vx1, vix),
            vix_to_vix3m=_ratio(vix, seen.vix3m),
            regime=label,
            echo=echo,
        )


def _roll_yield(session: date, pair: tuple[date, date], vx1: float | None, vix: float | None) -> float | None:
    """Points a session by which the front future nears the index (Simon and Campasano 2014)."""
    if vx1 is None or vix is None:
        return None
    return round_ratio((vx1 - vix) / sessions_between(session, pair[0]))


def _ratio(one: float | None, other: float | None, shift: float = 0.0) -> float | None:
    return None if not one or not other else round_ratio(one / other + shift)
