"""A small consistent market for the tests: SPXW and VIX chains priced by Black-76 with a skew, and VX
futures.
"""

import tomllib
from dataclasses import dataclass, field, fields
from datetime import date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from market.contract import Contract, Right, SecurityType
from market.pricing import black76_price
from market.quote import Quote
from market.sessions import MARKET_TZ, t_years
from strategies.base import MarketSnapshot
from strategies.rules import (
    CondorAdjust,
    CondorExit,
    CondorRules,
    HedgeBudgetRules,
    HedgeRules,
    NearTermRules,
    TrancheExit,
    TrancheRules,
)

ROOT = Path(__file__).parents[2]
RATE = 0.02


@cache
def shipped() -> dict[str, dict[str, object]]:
    """The governed rules as shipped, section by section."""
    with (ROOT / "config" / "rules.toml").open("rb") as file:
        return tomllib.load(file)


def condor_rules(**changes: object) -> CondorRules:
    """The shipped condor section in the strategy's shape."""
    section = dict(shipped()["condor"])
    exits: dict[str, Any] = dict(section["exit"])  # type: ignore[call-overload]  # a section of the file
    exits["targets_start_time"] = time.fromisoformat(exits["targets_start_time"])
    section["exit"] = CondorExit(**exits)
    section["adjust"] = CondorAdjust(**section["adjust"])  # type: ignore[arg-type]  # straight from the file
    for key in ("entry_start_time", "entry_end_time", "parity_start_time"):
        section[key] = time.fromisoformat(str(section[key]))
    return CondorRules(**{**section, **changes})  # type: ignore[arg-type]  # straight from the file


def near_term_rules(**changes: object) -> NearTermRules:
    """The shipped near-term trigger in the strategy's shape."""
    return NearTermRules(**{**known_keys(NearTermRules, "l1"), **changes})


def tranche_rules(layer: str, **changes: object) -> TrancheRules:
    """What a layer buys and how it sells, as shipped; changed exits by their own names."""
    section = known_keys(TrancheRules, layer.lower())
    exits = dict(shipped()[layer.lower()]["exit"])  # type: ignore[call-overload]  # a section of the file
    exits["gain_fractions"] = tuple(exits["gain_fractions"])
    names = {field.name for field in fields(TrancheExit)}
    exits |= {name: value for name, value in changes.items() if name in names}
    section |= {name: value for name, value in changes.items() if name not in names}
    return TrancheRules(**{**section, "exit": TrancheExit(**exits)})


def hedge_rules(l1: TrancheRules | None = None, **changes: object) -> HedgeRules:
    """The shipped hedge section with all three layers; `l2` and `l3` may be given like `l1`."""
    layers = {name: tranche_rules(name) for name in ("l1", "l2", "l3")} | ({"l1": l1} if l1 else {})
    section = known_keys(HedgeRules, "hedge")
    section["trade_start_time"] = time.fromisoformat(section["trade_start_time"])
    return HedgeRules(**{**section, **layers, **changes})


def known_keys(kind: type, section: str) -> dict[str, Any]:
    """The keys of a shipped section that a record has."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in shipped()[section].items() if name in names}


def budget_rules() -> HedgeBudgetRules:
    """The shipped budget section."""
    return HedgeBudgetRules(**shipped()["budget"])  # type: ignore[arg-type]  # straight from the file


def at(session: date, clock: str) -> datetime:
    """New York time on a session."""
    return datetime.combine(session, time.fromisoformat(clock), MARKET_TZ)


def listed_option(
    snapshot: MarketSnapshot, trading_class: str, expiry: date, strike: float, right: Right
) -> Contract | None:
    """A listed option, streamed or not."""
    listing = snapshot.listed.get((trading_class, expiry), ())
    return next((one for one in listing if (one.strike, one.right) == (strike, right)), None)


@dataclass
class World:
    """Prices of everything; `snapshot` shows the lines asked for, or all of them."""

    spot: float = 3300.0
    sigma: float = 0.18
    vix_future: float = 20.0
    vix_sigma: float = 1.0
    half_spread: float = 0.1
    vix_half_spread: float = 0.03
    listed: dict[tuple[str, date], tuple[Contract, ...]] = field(default_factory=dict)
    futures: tuple[Contract, ...] = ()

    spx = Contract(SecurityType.INDEX, "SPX", exchange="CBOE", con_id=1)
    vix = Contract(SecurityType.INDEX, "VIX", exchange="CBOE", con_id=2)

    def list_spxw(self, expiry: date) -> None:
        """List SPXW strikes every 5 points within 15 % and every 25 beyond, for one expiry."""
        low, high = round(self.spot * 0.85 / 25) * 25, round(self.spot * 1.15 / 25) * 25
        strikes = sorted(
            {float(k) for k in range(low, high + 1, 5)}
            | {float(k) for k in range(int(self.spot * 0.02) * 25, int(self.spot * 0.06) * 25 + 1, 25)}
        )
        self._list("SPX", "SPXW", expiry, strikes)

    def list_vix(self, expiry: date) -> None:
        """List VIX strikes by half points below 15, by one to 50, by five to 100; and the matching future."""
        strikes = [n / 2 for n in range(20, 30)] + [float(k) for k in (*range(15, 50), *range(50, 105, 5))]
        self._list("VIX", "VIX", expiry, strikes)
        future = Contract(
            SecurityType.FUTURE,
            "VIX",
            "VX",
            expiry,
            multiplier=1000,
            exchange="CFE",
            con_id=90_000 + len(self.futures),
        )
        self.futures = (*self.futures, future)

    def _list(self, symbol: str, trading_class: str, expiry: date, strikes: list[float]) -> None:
        base = 1_000_000 + 100_000 * len(self.listed)
        self.listed[(trading_class, expiry)] = tuple(
            Contract(
                SecurityType.OPTION,
                symbol,
                trading_class,
                expiry,
                strike,
                right,
                multiplier=100,
                con_id=base + 2 * index + (right is Right.PUT),
            )
            for index, strike in enumerate(strikes)
            for right in (Right.CALL, Right.PUT)
        )

    def snapshot(self, when: datetime, lines: tuple[Contract, ...] | None = None) -> MarketSnapshot:
        """Quotes of the index, the futures and the lines at `when`."""
        session = when.astimezone(MARKET_TZ).date()
        quotes = {
            self.spx.con_id: Quote(None, None, self.spot, when),
            self.vix.con_id: Quote(None, None, 20.0, when),
        }
        for future in self.futures:
            quotes[future.con_id] = Quote(self.vix_future - 0.05, self.vix_future + 0.05, None, when)
        for options in self.listed.values():
            shown = options if lines is None else tuple(one for one in options if one in set(lines))
            quotes.update(self._quotes(shown, when))
        return MarketSnapshot(when, session, quotes, dict(self.listed), self.spx, self.vix, self.futures)

    def _quotes(self, options: tuple[Contract, ...], when: datetime) -> dict[int, Quote]:
        if not options:
            return {}
        expiry, trading_class = options[0].expiry, options[0].trading_class
        assert expiry is not None
        t = t_years(when, trading_class, expiry)
        strikes = np.array([one.strike for one in options])
        calls = np.array([one.right is Right.CALL for one in options])
        if trading_class == "VIX":
            forward, half, tick = self.vix_future, self.vix_half_spread, 0.01
            sigma = self.vix_sigma * (1 + 0.35 * np.log(strikes / forward))
        else:
            forward, half, tick = self.spot * float(np.exp((RATE - 0.013) * t)), self.half_spread, 0.05
            sigma = self.sigma * (1 - 1.2 * np.log(strikes / forward))
        prices = black76_price(forward, strikes, t, np.maximum(sigma, 0.05), float(np.exp(-RATE * t)), calls)
        found = {}
        for option, price in zip(options, prices.tolist(), strict=True):
            bid = np.floor((price - half) / tick + 1e-9) * tick
            ask = np.ceil((price + half) / tick - 1e-9) * tick
            found[option.con_id] = Quote(
                round(float(bid), 6) if bid > 0 else None, round(float(ask), 6), None, when
            )
        return found
