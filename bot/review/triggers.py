"""What the triggers did over a span of history: base rates, fires, and where these lie in falls of the index.

Figures only; `trigger_text` writes them down. What happened after a fire is told here and nowhere else: no
reading and no fire ever sees it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

from bot.review.signals import Curve, Day, Walk
from strategies.layers import LAYERS
from strategies.packs import PACKS, Pack
from strategies.regime import Regime
from strategies.rules import MidTermRules, SignalRules
from strategies.session_inputs import SessionInputs

FALL_MIN_FRACTION = 0.10
PEAK_SESSIONS = 252
AFTER_SESSIONS = (5, 21)
WEAK_BELOW, LOOSE_ABOVE, INCONCLUSIVE_BELOW = 30, 60, 10


@dataclass(frozen=True, slots=True)
class BaseRate:
    """How often a condition held: sessions on which it was known, on which it was true, and runs of these."""

    name: str
    known: int
    true: int
    episodes: int

    @property
    def share(self) -> float:
        """Fraction of the known sessions."""
        return self.true / self.known if self.known else 0.0


@dataclass(frozen=True, slots=True)
class Fire:
    """One fire, where the market stood, and what it did from the next session's close on (fractions).

    `async_spot` marks a fire on a VIX and a VX settlement of different instants.
    """

    layer: str
    date: date
    vix: float | None
    sessions_from_peak: int | None
    below_peak: float | None
    spx_after: tuple[float | None, ...]
    vx2_after: tuple[float | None, ...]
    roll_yield_daily: float | None
    async_spot: bool
    short_window: bool


@dataclass(frozen=True, slots=True)
class Fall:
    """A fall of the S&P 500's close by at least ten percent; it ends with a rise by as much from its low."""

    peak: date
    trough: date
    depth: float
    first: tuple[tuple[str, Fire, int, float] | None, ...]  # layer, fire, sessions after peak, share behind


@dataclass(frozen=True, slots=True)
class PackReport:
    """One pack's fires."""

    pack: Pack
    fires: tuple[Fire, ...]

    def of(self, layer: str) -> tuple[Fire, ...]:
        """The fires of one layer."""
        return tuple(fire for fire in self.fires if fire.layer == layer)


@dataclass(frozen=True, slots=True)
class TriggerReport:
    """Everything the report says."""

    first: date
    last: date
    sessions: int
    rates: tuple[BaseRate, ...]
    flips: tuple[tuple[str, int], ...]
    packs: tuple[PackReport, ...]
    falls: tuple[Fall, ...]
    rate_spread: tuple[tuple[Fire, int | None, int | None], ...]  # tercile of the spread, of its change


def report(walk: Walk, base: SignalRules, packs: Sequence[Pack], first: date, last: date) -> TriggerReport:
    """The trigger report of METHOD 2.10 for sessions `first` to `last`.

    The first pack gives the rates and the fires beside the falls. At least one session must lie in the span.
    """
    whole = walk.days(packs[0].applied(base))
    days = [day for day in whole if first <= day.date <= last]
    inside = [day.inputs for day in days]
    reports = [PackReport(pack, tuple(_fires(walk, pack.applied(base), pack, first, last))) for pack in packs]
    return TriggerReport(
        first=first,
        last=last,
        sessions=len(days),
        rates=tuple(_rates(days, walk, base)),
        flips=tuple(_flip_counts(whole, first, base.mid_term)),
        packs=tuple(reports),
        falls=tuple(falls(inside, reports[0].fires)),
        rate_spread=tuple(_rate_terciles(inside, reports[0].fires)),
    )


def base_rate(name: str, held: Sequence[bool | None]) -> BaseRate:
    """Count a condition; a session on which it is unknown neither counts nor parts two runs."""
    known = [one for one in held if one is not None]
    runs = sum(now and not before for before, now in zip([False, *known], known, strict=False))
    return BaseRate(name, len(known), sum(known), runs)


def _rates(days: Sequence[Day], walk: Walk, base: SignalRules) -> Iterator[BaseRate]:
    for name, holds in _CONDITIONS:
        yield base_rate(name, [holds(day) for day in days])
    first, last = days[0].date, days[-1].date
    for definition in ("seed", "gap", "sign"):
        every = zip(walk.inputs, walk.verdicts("L2", PACKS[definition].applied(base)), strict=True)
        readings = [verdict.readings[2] for seen, verdict in every if first <= seen.session <= last]
        name = readings[0].source
        yield base_rate(f"divergence `{name}`, sessions", [reading.fired for reading in readings])
        months = {reading.as_of: reading.fired for reading in readings if reading.as_of}
        yield base_rate(f"divergence `{name}`, months", [months[month] for month in sorted(months)])


def flips(days: Sequence[Day], minimum: float, spacing: int, *, on_crossing: bool = False) -> list[date]:
    """Sessions on which the histogram flips positive.

    A flip is the first close at or above `minimum` after one at or below zero, none within `spacing` sessions
    of the last; `on_crossing` asks the minimum of the first close above zero.
    """
    found: list[int] = []
    was_below = False
    for index, day in enumerate(days):
        value = day.mid.readings[0].value
        if value is None:
            continue
        if value <= 0.0:
            was_below = True
        elif was_below and (on_crossing or value >= minimum):
            was_below = False
            if value >= minimum and (not found or index - found[-1] > spacing):
                found.append(index)
    return [days[index].date for index in found]


def _flip_counts(walk_days: Sequence[Day], first: date, rules: MidTermRules) -> Iterator[tuple[str, int]]:
    minimum, spacing_min = rules.histogram_min_pts, rules.flip_spacing_sessions
    kinds = (
        ("histogram from <= 0 to > 0", 0.0, 0, False),
        (f"{minimum:.2f} points on the day of crossing", minimum, 0, True),
        (f"first close at {minimum:.2f} points or more", minimum, 0, False),
        (f"the same, none within {spacing_min} sessions", minimum, spacing_min, False),
    )
    for name, least, spacing, on_crossing in kinds:
        found = flips(walk_days, least, spacing, on_crossing=on_crossing)
        yield name, sum(day >= first for day in found)


def falls(inputs: Sequence[SessionInputs], fires: Sequence[Fire]) -> Iterator[Fall]:
    """Every fall of ten percent or more from a peak close, with each layer's first fire up to the trough.

    A fall ends when the index has closed ten percent above its low; the next peak counts from that low on.
    """
    closes = [(seen.session, seen.spx) for seen in inputs if seen.spx is not None]
    peak = trough = 0
    falling = False
    for index, (_, close) in enumerate(closes):
        if not falling:
            if close > closes[peak][1]:
                peak = index
            elif close <= closes[peak][1] * (1.0 - FALL_MIN_FRACTION):
                falling, trough = True, index
        elif close < closes[trough][1]:
            trough = index
        elif close >= closes[trough][1] * (1.0 + FALL_MIN_FRACTION):
            yield _fall(closes, peak, trough, fires)
            falling, peak = False, max(range(trough, index + 1), key=lambda at: closes[at][1])
    if falling:
        yield _fall(closes, peak, trough, fires)


def _fall(closes: Sequence[tuple[date, float]], peak: int, trough: int, fires: Sequence[Fire]) -> Fall:
    (peak_day, high), (trough_day, low) = closes[peak], closes[trough]
    first: list[tuple[str, Fire, int, float] | None] = []
    for layer in LAYERS:
        inside = [fire for fire in fires if fire.layer == layer and peak_day < fire.date <= trough_day]
        if not inside:
            first.append(None)
            continue
        at = next(index for index, (day, _) in enumerate(closes) if day >= inside[0].date)
        first.append((layer, inside[0], at - peak, (high - closes[at][1]) / (high - low)))
    return Fall(peak_day, trough_day, 1.0 - low / high, tuple(first))


def _fires(walk: Walk, rules: SignalRules, pack: Pack, first: date, last: date) -> Iterator[Fire]:
    """The fires of the layers that the pack is about, by session."""
    layers = {layer: walk.verdicts(layer, rules) for layer in pack.layers}
    curves, uses_spot = walk.curves(rules), rules.near_term.backwardation_definition == "b_spot"
    for index, seen in enumerate(walk.inputs):
        for layer, verdicts in layers.items():
            verdict = verdicts[index]
            if verdict.fired is True and first <= seen.session <= last:
                short = layer == "L3" and verdict.readings[0].source == "short_window"
                spot = layer == "L1" and uses_spot and not curves[index].spot_in_step
                yield _fire(walk, curves[index], index, layer, spot, short)


def _fire(walk: Walk, curve: Curve, index: int, layer: str, async_spot: bool, short_window: bool) -> Fire:
    seen = walk.inputs[index]
    past = [before.spx for before in walk.inputs[max(0, index - PEAK_SESSIONS) : index + 1]]
    after = walk.inputs[index : index + max(AFTER_SESSIONS) + 2]
    high = max((close for close in past if close is not None), default=None)
    return Fire(
        layer=layer,
        date=seen.session,
        vix=seen.vix,
        sessions_from_peak=None if high is None or seen.spx is None else len(past) - 1 - past.index(high),
        below_peak=None if high is None or seen.spx is None else 1.0 - seen.spx / high,
        spx_after=tuple(_change([later.spx for later in after], n) for n in AFTER_SESSIONS),
        vx2_after=tuple(
            _change([later.curve.get(curve.pair[1]) for later in after], n) for n in AFTER_SESSIONS
        ),
        roll_yield_daily=curve.roll_yield_daily,
        async_spot=async_spot,
        short_window=short_window,
    )


def _change(prices: Sequence[float | None], n: int) -> float | None:
    """From the session after the first, which is the first that can be traded on, to `n` sessions later."""
    if n + 1 >= len(prices):
        return None
    start, end = prices[1], prices[1 + n]
    return end / start - 1.0 if start and end else None


def _rate_terciles(
    inputs: Sequence[SessionInputs], fires: Sequence[Fire]
) -> Iterator[tuple[Fire, int | None, int | None]]:
    """Terciles (1 low, 3 high) of the 10-year minus fed funds spread and of its change over 21 sessions."""
    spreads = [
        None if seen.treasury_10y is None or seen.fed_funds is None else seen.treasury_10y - seen.fed_funds
        for seen in inputs
    ]
    changes = [
        None if then is None or now is None else now - then
        for then, now in zip([None] * 21 + spreads, spreads, strict=False)
    ]
    place = {seen.session: index for index, seen in enumerate(inputs)}
    for fire in fires:
        at = place[fire.date]
        yield fire, _tercile(spreads, spreads[at]), _tercile(changes, changes[at])


def _tercile(values: Iterable[float | None], value: float | None) -> int | None:
    ordered = sorted(one for one in values if one is not None)
    if value is None or not ordered:
        return None
    return min(3 * bisect_left(ordered, value) // len(ordered), 2) + 1


def median_vix(fires: Iterable[Fire]) -> float | None:
    """The median VIX close at the fires."""
    known = [fire.vix for fire in fires if fire.vix is not None]
    return median(known) if known else None


def _is(value: float | None, *, below: float | None = None, above: float | None = None) -> bool | None:
    if value is None:
        return None
    return (below is None or value < below) and (above is None or value > above)


def _sold_out(day: Day, b: float | None) -> bool | None:
    rsi = day.near.readings[0].value
    return None if rsi is None or b is None else rsi < 30.0 and b > 0.08


def _short_and_wide(day: Day) -> bool | None:
    z = day.reserve.readings[0]
    return None if z.value is None else z.value > 1.5 and z.source == "short_window"


def _apart(day: Day) -> bool | None:
    return None if day.capital is None or day.capital.capm is None else day.capital.quality == "warn"


def _in(day: Day, regime: Regime) -> bool | None:
    return None if day.curve.regime is None else day.curve.regime is regime


_CONDITIONS: tuple[tuple[str, Callable[[Day], bool | None]], ...] = (
    ("A/D RSI < 30", lambda day: _is(day.near.readings[0].value, below=30.0)),
    ("A/D RSI < 35", lambda day: _is(day.near.readings[0].value, below=35.0)),
    ("b > 0", lambda day: _is(day.curve.backwardation, above=0.0)),
    ("b > 5 %", lambda day: _is(day.curve.backwardation, above=0.05)),
    ("b > 8 %", lambda day: _is(day.curve.backwardation, above=0.08)),
    ("A/D RSI < 30 and b > 8 %", lambda day: _sold_out(day, day.curve.backwardation)),
    ("b_spot > 8 %", lambda day: _is(day.curve.backwardation_spot, above=0.08)),
    ("A/D RSI < 30 and b_spot > 8 %", lambda day: _sold_out(day, day.curve.backwardation_spot)),
    ("b_spot of one instant (else async)", lambda day: day.curve.spot_in_step),
    ("VVIX histogram > 0", lambda day: _is(day.mid.readings[0].value, above=0.0)),
    ("z > 1.5", lambda day: _is(day.reserve.readings[0].value, above=1.5)),
    ("z > 1.5 with a short window", _short_and_wide),
    ("costs of equity 4 points apart", _apart),
    ("CALM", lambda day: _in(day, Regime.CALM)),
    ("NORMAL", lambda day: _in(day, Regime.NORMAL)),
    ("STRESS", lambda day: _in(day, Regime.STRESS)),
    ("CRISIS", lambda day: _in(day, Regime.CRISIS)),
    ("echo", lambda day: day.curve.echo),
)
