"""What a person may choose on the command line, as values that the commands' bodies take."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

DAYS = 4  # sessions a demo trades unless told
SCENARIO = "random"  # how the simulated market goes unless told: sessions of every kind


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the demo plays: `days` of a simulated market, or real history from `first` to `last`.

    `journal` is the folder to write to (default: chosen by the demo). With `json` nothing but one object goes
    to standard output. `interval_s` is the evaluation interval (default: 10 s, 60 s on history).
    """

    seed: int = 7
    days: int = DAYS
    history: Path | None = None
    first: date | None = None
    last: date | None = None
    journal: Path | None = None
    json: bool = False
    interval_s: float | None = None
