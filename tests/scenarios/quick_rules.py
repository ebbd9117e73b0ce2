"""The shipped rules with a limit that walks in seconds: a short run places, moves, fills and cancels."""

import re
from pathlib import Path

from config.loader import load_rules
from config.rules import Rules
from config.settings import SHIPPED_RULES

_QUICK = {
    "condor": {
        "wing_min_pts": "10.0",
        "wing_step_pts": "10.0",
        "wing_of_spot_fraction": "0.0015",
        "entries_per_week_max": "50",
        "open_max_count": "50",
        "entry_start_time": '"09:35"',
        "entry_end_time": '"16:00"',
        "entry_patient_spread_fraction": "0.0",
    },
    # A condor bought at the natural price stands a little below its mid: this stop closes it soon after.
    "condor.exit": {"stop_credit_ratio": "0.02", "stop_confirm_s": "1"},
    "risk": {
        "initiation_max_fraction": "0.006",
        "condors_per_expiry_max": "50",
        "orders_per_minute_max": "500",
        "round_trips_per_day_max": "500",
    },
}


def quick_rules_file(folder: Path, walk_s: int = 5, final: float = 0.95) -> Path:
    """Write them to `folder`; a limit walks `final` of the half spread from the mid in `walk_s` seconds."""
    quick = {section: dict(values) for section, values in _QUICK.items()}
    quick["condor"] |= {"entry_walk_s": str(walk_s), "entry_final_spread_fraction": str(final)}
    lines, section, left = [], "", {(name, key) for name in quick for key in quick[name]}
    for line in SHIPPED_RULES.read_text(encoding="utf-8").splitlines():
        heading, setting = re.match(r"\[([\w.]+)\]", line), re.match(r"(\w+) =", line)
        section = heading[1] if heading else section
        key = setting[1] if setting else ""
        if key in quick.get(section, {}):
            left.discard((section, key))
            lines.append(f"{key} = {quick[section][key]}")
        else:
            lines.append(line)
    assert not left, f"the shipped rules have no {left}"
    path = folder / "quick.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def quick_rules(folder: Path, walk_s: int = 5, final: float = 0.95) -> Rules:
    """The same, loaded."""
    return load_rules(quick_rules_file(folder, walk_s, final))
