"""The trigger report as a page of Markdown: conditions, packs, falls, fires, and the method's own figures."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from textwrap import wrap

from bot.review.triggers import (
    INCONCLUSIVE_BELOW,
    LOOSE_ABOVE,
    WEAK_BELOW,
    Fire,
    PackReport,
    TriggerReport,
    median_vix,
)
from strategies.layers import LAYERS

# Counts that the method states for its own span, with a remark where a reading had to be chosen.
REFERENCE_SPAN = (date(2007, 4, 2), date(2023, 12, 29))
_SPOT = (
    "the stated count comes from the nearest contract, without the roll of 2.2 (`b_spot_nearest`); with the "
    "roll there are more, those since 2020-10-26 async: VX settles at 16:00, the VIX closes at 16:15"
)
_REARMED = (
    "the stated dates are those of `rearm_half_sigma`; the rule of 2.8 itself, z < 1.0 or 126 sessions, "
    "re-arms and fires again in 2008, 2009, 2016 and 2020"
)
_OWN_WINDOW = "against the 60 months before it; with the month in its own window it would be 37 to 38 %"
_FIRES: tuple[tuple[str, str, int, str], ...] = (
    ("seed", "L1", 9, ""),
    ("strict_cross", "L1", 5, ""),
    ("b_spot", "L1", 15, _SPOT),
    ("b_spot_nearest", "L1", 15, ""),
    ("rsi35_b5", "L1", 14, ""),
    ("rsi30_b0", "L1", 19, ""),
    ("seed", "L2", 2, ""),
    ("gap", "L2", 1, ""),
    ("sign", "L2", 6, ""),
    ("no_macro", "L2", 9, ""),
    ("after_l1", "L2", 0, ""),
    ("unlagged", "L2", 46, "the layer counts as open for `open_sessions` after a fire"),
    ("seed", "L3", 3, _REARMED),
    ("rearm_half_sigma", "L3", 3, ""),
)
_RATES: tuple[tuple[str, str, str], ...] = (
    ("A/D RSI < 30", "2.8 %", ""),
    ("b > 0", "17.2 %", ""),
    ("b > 8 %", "3.15 %", ""),
    ("A/D RSI < 30 and b > 8 %", "33 sessions", ""),
    ("divergence `resid`, sessions", "40 %", _OWN_WINDOW),
    ("divergence `gap`, sessions", "43 %", "the window ends with the month"),
    ("divergence `sign`, sessions", "60 %", ""),
)
_FLIPS: tuple[tuple[str, str], ...] = (
    ("217", ""),
    ("132", ""),
    ("195", "the stated count leaves out the rule on five sessions"),
    ("-", "what the trigger uses"),
)


def page(report: TriggerReport) -> list[str]:
    """The report's lines."""
    return [
        "# Trigger report",
        "",
        *_prose(
            f"Sessions {report.first} to {report.last}: {report.sessions}. Written by `alvh signals`; "
            "every figure is computed from the readings it prints, point in time: a session is counted "
            "with what was known the next morning at 09:10 New York time. b is VX1/VX2 - 1, b_spot is "
            "VIX/VX1 - 1, on daily settlements."
        ),
        *_rates(report),
        *_packs(report),
        *_reference(report),
        *_falls(report),
        *_terciles(report),
        *_each_fire(report),
        *_not_here(),
    ]


def _not_here() -> Iterator[str]:
    yield from ("## What this report does not hold", "")
    yield from _prose(
        "- Condors open at a fire, their loss so far, what an oracle could still have saved, and the "
        "result of a hedge: these need the condor book of a backtest, and option prices would be "
        "modelled, because no chains are at hand."
    )
    yield from _prose(
        "- First prints of REER and PPI: the files hold one vintage, read with the conservative lag "
        "(usable from the last business day of the next month)."
    )
    yield from _prose(
        "- The arms that need series not at hand: breakeven inflation as growth, leverage scaled by "
        "price, the all-equity REIT yield before 2004. Beta is against the price index, not against a "
        "fund on it."
    )


def _rates(report: TriggerReport) -> Iterator[str]:
    yield from ("## How often each condition holds", "")
    rows = [
        (rate.name, str(rate.known), str(rate.true), f"{rate.share:.2%}", str(rate.episodes))
        for rate in report.rates
    ]
    yield from _table(("condition", "known", "true", "share", "episodes"), rows, right=(1, 2, 3, 4))
    loose = [rate.name for rate in report.rates if rate.name.startswith("divergence") and rate.share > 0.5]
    if loose:
        yield f"True more than half of the time and therefore uninformative: {', '.join(loose)}."
        yield ""
    yield from ("VVIX histogram flips:", "")
    yield from _table(("flip", "count"), [(name, str(count)) for name, count in report.flips], right=(1,))


def _packs(report: TriggerReport) -> Iterator[str]:
    yield from ("## Packs", "")
    rows = []
    for each in report.packs:
        for layer in each.pack.layers:
            fires = each.of(layer)
            name = f"{each.pack.name} v{each.pack.version}"
            rows.append(
                (name, layer, str(len(fires)), _vix(median_vix(fires)), each.pack.meaning, each.pack.source)
            )
    yield from _table(("pack", "layer", "fires", "median VIX", "meaning", "source"), rows, right=(2, 3))
    yield from _prose(
        f"Fewer than {WEAK_BELOW} fires in the span: inference is weak. More than {LOOSE_ABOVE}: the "
        f"definition is loose. Fewer than {INCONCLUSIVE_BELOW}: any claim about the layer is "
        "inconclusive."
    )
    for each in report.packs:
        for layer in each.pack.layers:
            yield f"- {each.pack.name} {layer}: {_judgement(each, layer)}."
    yield ""


def _judgement(each: PackReport, layer: str) -> str:
    count = len(each.of(layer))
    words = []
    if count < WEAK_BELOW:
        words.append("inference is weak")
    if count > LOOSE_ABOVE:
        words.append("the definition is loose")
    if count < INCONCLUSIVE_BELOW:
        words.append("claims are inconclusive")
    asynchronous = sum(fire.async_spot for fire in each.of(layer))
    if asynchronous:
        words.append(f"{asynchronous} of the fires are async")
    short = sum(fire.short_window for fire in each.of(layer))
    if short:
        words.append(f"{short} of the fires with a short window")
    return f"{count} fire{'' if count == 1 else 's'}" + "".join(f", {word}" for word in words)


def _reference(report: TriggerReport) -> Iterator[str]:
    if (report.first, report.last) != REFERENCE_SPAN:
        return
    by_name = {each.pack.name: each for each in report.packs}
    rates = {rate.name: rate for rate in report.rates}
    rows = [
        (f"{name} {layer} fires", str(stated), str(len(by_name[name].of(layer))), remark)
        for name, layer, stated, remark in _FIRES
        if name in by_name
    ]
    if "unlagged" in by_name:
        ours = _vix(median_vix(by_name["unlagged"].of("L2")))
        rows.append(("unlagged L2, median VIX", "18.9", ours, ""))
    for name, stated, remark in _RATES:
        rate = rates[name]
        rows.append((name, stated, str(rate.true) if "sessions" in stated else f"{rate.share:.2%}", remark))
    for (name, count), (stated, remark) in zip(report.flips, _FLIPS, strict=True):
        rows.append((name, stated or "-", str(count), remark))
    yield from ("## Against the method's stated figures", "")
    yield from _table(("figure", "stated", "here", "remark"), rows, right=(1, 2))


def _falls(report: TriggerReport) -> Iterator[str]:
    yield from (
        "## Falls of the S&P 500 by ten percent or more, and the first fire of each layer in them",
        "",
    )
    yield from _prose(
        "A fall ends when the index has closed ten percent above its low. In each cell: the fire, "
        "sessions after the peak, VIX, and how much of the fall was then behind."
    )
    rows = []
    for fall in report.falls:
        cells = [
            "-" if first is None else f"{first[1].date}, {first[2]}, VIX {_vix(first[1].vix)}, {first[3]:.0%}"
            for first in fall.first
        ]
        rows.append((str(fall.peak), str(fall.trough), f"{-fall.depth:.1%}", *cells))
    yield from _table(("peak", "trough", "depth", *LAYERS), rows, right=(2,))
    for index, layer in enumerate(LAYERS):
        inside = sum(fall.first[index] is not None for fall in report.falls)
        yield f"- {layer}: a fire in {inside} of {len(report.falls)} falls."
    yield ""


def _terciles(report: TriggerReport) -> Iterator[str]:
    yield from ("## Roll yield at fire, against the slope of interest rates", "")
    yield from _prose(
        "Roll yield is (VX1 - VIX) / sessions to settlement, points a session. Terciles (1 low, 3 "
        "high) of the 10-year yield minus fed funds, and of its change over 21 sessions, within the "
        "span. A diagnostic, no rule."
    )
    rows = [
        (fire.layer, str(fire.date), _points(fire.roll_yield_daily), str(level or "-"), str(change or "-"))
        for fire, level, change in report.rate_spread
    ]
    yield from _table(("layer", "fire", "roll yield", "spread", "change"), rows, right=(2, 3, 4))


def _each_fire(report: TriggerReport) -> Iterator[str]:
    yield from ("## Every fire", "")
    yield from _prose(
        "Peak is the highest close of the S&P 500 in 252 sessions. Later changes run from the next "
        "session's close over 5 and 21 sessions; VX2 is the second future of the day of the fire, "
        "held."
    )
    rows = []
    for each in report.packs:
        for layer in each.pack.layers:
            rows += [(each.pack.name, *_fire_cells(fire)) for fire in each.of(layer)]
    columns = (
        "pack",
        "layer",
        "fire",
        "VIX",
        "after peak",
        "below peak",
        "SPX +5",
        "+21",
        "VX2 +5",
        "+21",
        "",
    )
    yield from _table(columns, rows, right=tuple(range(3, 10)))


def _fire_cells(fire: Fire) -> tuple[str, ...]:
    marks = [
        word for word, holds in (("async", fire.async_spot), ("short window", fire.short_window)) if holds
    ]
    return (
        fire.layer,
        str(fire.date),
        _vix(fire.vix),
        "-" if fire.sessions_from_peak is None else str(fire.sessions_from_peak),
        _percent(None if fire.below_peak is None else -fire.below_peak),
        *(_percent(change) for change in (*fire.spx_after, *fire.vx2_after)),
        ", ".join(marks),
    )


def _prose(text: str) -> Iterator[str]:
    yield from wrap(
        text, 110, subsequent_indent="  " if text.startswith("- ") else "", break_long_words=False
    )
    yield ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'|'.join('---:' if at in right else '---' for at in range(len(columns)))}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"
    yield ""


def _vix(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value + 0.0:+.1%}"


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value:+.2f}"
