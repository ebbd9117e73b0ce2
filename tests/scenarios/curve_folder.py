"""A made-up folder of daily history whose VIX futures curve and index go as a test says.

No warm-up of any layer is reached in it: what happens is the curve's regime and the condor's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from market.sessions import session_offset, vx_settlements_after

QUIET_SESSIONS, QUIET = 30, -0.03
_HEADERS = {
    "nyse_breadth.csv": "date,advances,declines",
    "spx.csv": "date,open,high,low,close",
    "vix.csv": "date,open,high,low,close",
    "vvix.csv": "date,close",
    "vx_settlements.csv": "date,final_settlement,settle",
}


@dataclass(frozen=True)
class Close:
    """One session: backwardation of the front at its settlement, index and VIX, flat all day."""

    backwardation: float
    spx: float
    vix: float


def write_curve(folder: Path, first: date, closes: Sequence[Close]) -> Path:
    """Write quiet sessions and then `closes` from the session `first` on to `folder`."""
    folder.mkdir(parents=True)
    rows: dict[str, list[str]] = {name: [header] for name, header in _HEADERS.items()}
    for n in range(-QUIET_SESSIONS, len(closes)):
        day = session_offset(first, n)
        one = closes[n] if n >= 0 else replace(closes[0], backwardation=QUIET)
        rows["nyse_breadth.csv"].append(f"{day},1500,1500")
        rows["vvix.csv"].append(f"{day},100")
        for name, level in (("spx.csv", one.spx), ("vix.csv", one.vix)):
            rows[name].append(f"{day},{level},{level * 1.0005:.2f},{level * 0.9995:.2f},{level}")
        pair = vx_settlements_after(day, 9)
        for settles in pair:
            # Each later month stands off the one before it by the same share: whatever the front pair is,
            # its ratio is the session's.
            months = pair.index(settles)
            rows["vx_settlements.csv"].append(
                f"{day},{settles},{20.0 / (1.0 + one.backwardation) ** months:.8f}"
            )
    for name, lines in rows.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="ascii")
    return folder
