"""A made-up folder of daily history that ends in a shock in which all three layers fire in two sessions.

Three quiet years, then selling under an inverted curve: the near-term and the reserve layer fire on 16 April
2021, the mid-term one, which waits for the first, on the 19th. How far the curve goes from there is the
test's to say.
"""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from market.sessions import session_offset, sessions, sessions_between, vx_settlements_after

FIRST = date(2018, 1, 2)
SIGNAL = date(2021, 4, 16)  # near-term and reserve fire; they trade on the session after
SELLING, VOL_DIP = 14, 30  # sessions up to the signal in which breadth collapses, VVIX sinks and rises again
_QUIET = tuple(17.0 + 0.6 * n for n in range(9))
_INVERTED = (30.0, 27.0, 24.5, 23.5, 23.0, 22.5, 22.0, 21.5, 21.0)
_CONTANGO = (22.0, 23.0, 23.5, 24.0, 24.2, 24.4, 24.6, 24.8, 25.0)


def write_shock(folder: Path, levels: Sequence[float], contango: bool = False) -> Path:
    """Write it to `folder`.

    `levels` are the height of the curve on each session after the signal, 1 for that of the signal; with
    `contango` the curve rights itself from the first of them on.
    """
    folder.mkdir(parents=True)
    last = session_offset(SIGNAL, len(levels))
    rows: dict[str, list[str]] = {name: [header] for name, header in _HEADERS.items()}
    for n, day in enumerate(sessions(FIRST, last)):
        after = sessions_between(SIGNAL, day)
        level = levels[after - 1] if after > 0 else 1.0
        curve = _QUIET if after < 0 else _CONTANGO if after > 0 and contango else _INVERTED
        falls = -SELLING < after <= 0
        ups = 300 if falls else 1500 + 200 * (n % 3 - 1)
        spx = 4000.0 - 30.0 * max(after + SELLING, 0) + n % 5
        vix = 17.0 if after < 0 else 32.0 * level
        dip = max(0, VOL_DIP + min(after, 0)) if after <= 0 else 0
        vvix = 110.0 - 0.8 * min(dip, 20) + (2.5 * (dip - 20) if dip > 20 else 0.0)
        reit = 90.0 + n % 7 * 0.2 - (25.0 if after >= -1 else 0.0)
        rows["nyse_breadth.csv"].append(f"{day},{ups},{3000 - ups}")
        rows["spx.csv"].append(_bar(day, spx))
        rows["vix.csv"].append(_bar(day, vix))
        rows["vvix.csv"].append(f"{day},{vvix if after <= 0 else 140.0 + 8 * after:.2f}")
        rows["vnq.csv"].append(f"{_bar(day, reit)},{0.9 if n % 63 == 20 else 0}")
        rows["rates.csv"].append(f"{day},{1.6 + n % 5 * 0.01:.2f},3.6,0.1")
        for settles, price in zip(vx_settlements_after(day, 9), curve, strict=True):
            rows["vx_settlements.csv"].append(f"{day},{settles},{price * level:.3f}")
    for n in range(75):
        month = date(2015 + n // 12, n % 12 + 1, 1)
        wave = n % 4 * 0.3
        rows["reer_broad_usd.csv"].append(
            f"{month},{100 + wave + n * n % 5 * 0.1 + (6.0 if n == 73 else 0.0):.3f}"
        )
        rows["ppi_all_commodities.csv"].append(f"{month},{200 - 2 * wave:.3f}")
    for name, lines in rows.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="ascii")
    return folder


_HEADERS = {
    "nyse_breadth.csv": "date,advances,declines",
    "spx.csv": "date,open,high,low,close",
    "vix.csv": "date,open,high,low,close",
    "vvix.csv": "date,close",
    "vx_settlements.csv": "date,final_settlement,settle",
    "vnq.csv": "date,open,high,low,close,dividend",
    "rates.csv": "date,treasury_10y_pct,baa_yield_pct,fed_funds_pct",
    "reer_broad_usd.csv": "date,value",
    "ppi_all_commodities.csv": "date,value",
}


def _bar(day: date, close: float) -> str:
    return f"{day},{close:.2f},{close * 1.001:.2f},{close * 0.999:.2f},{close:.2f}"
