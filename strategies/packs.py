"""Named readings of the source's triggers: what each changes in the governed rules, and where it comes from.

The governed rules are the pack `seed`. Every other pack is a comparison: it changes only what it names, so
that its fires can be set beside those of the default. A change of a pack's meaning is a new version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from market.records import replace
from strategies.rules import SignalRules


@dataclass(frozen=True, slots=True)
class Pack:
    """One reading of the triggers. `layers` names those whose fires it can change.

    `near_term`, `mid_term` and `reserve` are the changed fields of the rules of that name.
    """

    name: str
    version: int
    source: str
    meaning: str
    layers: tuple[str, ...]
    near_term: Mapping[str, Any] = field(default_factory=dict)
    mid_term: Mapping[str, Any] = field(default_factory=dict)
    reserve: Mapping[str, Any] = field(default_factory=dict)
    front: Literal["rolled", "nearest"] = "rolled"
    spread: Literal["capital", "ddm_gap"] = "capital"
    distribution: Literal["last_four", "median_eight"] = "last_four"

    def applied(self, base: SignalRules) -> SignalRules:
        """The rules under this pack.

        Raises TypeError where it names a field that the rules do not have.
        """
        return replace(
            base,
            near_term=replace(base.near_term, **self.near_term),
            mid_term=replace(base.mid_term, **self.mid_term),
            reserve=replace(base.reserve, **self.reserve),
            front=self.front,
            spread=self.spread,
            distribution=self.distribution,
        )


_L1, _L2, _L3 = ("L1",), ("L2",), ("L3",)

_ALL = (
    Pack(
        "seed",
        1,
        "METHOD 2.3, 2.6, 2.8, 11: the governed rules, defaults of the source",
        "RSI < 30 while VX1/VX2 - 1 > 8 %; confirmation within 21 sessions under `resid`; z > 1.5",
        ("L1", "L2", "L3"),
    ),
    Pack(
        "strict_cross",
        1,
        "METHOD 2.3, the source's word `crosses` taken by the letter",
        "the RSI falls through 30 on a day on which the curve is already inverted by 8 %",
        _L1,
        near_term={"mode": "strict_cross"},
    ),
    Pack(
        "b_spot",
        1,
        "METHOD 2.2, backwardation as a front future at a discount to cash",
        "VIX/VX1 - 1 > 8 %, VX1 rolled on the Friday before its settlement",
        _L1,
        near_term={"backwardation_definition": "b_spot"},
    ),
    Pack(
        "b_spot_nearest",
        1,
        "METHOD 2.2 read without its roll",
        "VIX/VX1 - 1 > 8 %, VX1 the nearest contract up to the day before its settlement",
        _L1,
        near_term={"backwardation_definition": "b_spot"},
        front="nearest",
    ),
    Pack(
        "rsi35_b5",
        1,
        "METHOD 2.10, looser thresholds",
        "RSI < 35 while VX1/VX2 - 1 > 5 %",
        _L1,
        near_term={"rsi_below_pts": 35.0, "backwardation_above_fraction": 0.05},
    ),
    Pack(
        "rsi30_b0",
        1,
        "METHOD 2.10, any inversion",
        "RSI < 30 while VX1/VX2 - 1 > 0",
        _L1,
        near_term={"backwardation_above_fraction": 0.0},
    ),
    Pack(
        "gap",
        1,
        "METHOD 2.5, 2.6, divergence as opposite signs and distant scores",
        "opposite signs of the changes, scores over 120 months at least 1.0 apart",
        _L2,
        mid_term={"divergence_definition": "gap", "divergence_window_months": 120},
    ),
    Pack(
        "sign",
        1,
        "METHOD 2.5, 2.6, divergence as opposite signs",
        "opposite signs of the three-month changes",
        _L2,
        mid_term={"divergence_definition": "sign"},
    ),
    Pack(
        "no_macro",
        1,
        "METHOD 2.6, the macro condition left out",
        "the default confirmation without a condition on REER and PPI",
        _L2,
        mid_term={"divergence_definition": "none"},
    ),
    Pack(
        "after_l1",
        1,
        "METHOD 2.6, `lagged` as a flip strictly after the first layer's signal",
        "the flip comes after the first layer's signal, within 21 sessions",
        _L2,
        mid_term={"mode": "after_l1"},
    ),
    Pack(
        "unlagged",
        1,
        "METHOD 2.6, the source's conditions without the lag",
        "a flip within 21 sessions under `resid`, whatever the first layer says",
        _L2,
        mid_term={"mode": "unlagged"},
    ),
    Pack(
        "ddm_gap",
        1,
        "METHOD 2.8, second reading of `DDM spreads`",
        "z of the dividend model's cost of equity over the pricing model's, instead of WACC over the 10-year",
        _L3,
        spread="ddm_gap",
    ),
    Pack(
        "median_distribution",
        1,
        "METHOD 2.7, arm for the yearly distribution",
        "four times the median of the last eight distributions instead of the sum of the last four",
        _L3,
        distribution="median_eight",
    ),
    Pack(
        "rearm_half_sigma",
        1,
        "METHOD 2.8, the re-arming it turns down",
        "re-arms only at z < 0.5, never by time",
        _L3,
        reserve={"rearm_z_below_sd": 0.5, "rearm_sessions": 5000},
    ),
)

#: Every pack by name, the default first.
PACKS: Mapping[str, Pack] = MappingProxyType({pack.name: pack for pack in _ALL})
