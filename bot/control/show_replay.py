"""How a replay is shown: equal, the first divergence field by field, or what other rules would decide."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.control.output import Meter, complain, emit, say, table
from bot.journal.verification import Fault, Verification
from bot.review.counterfactual import DecisionChange, Kind, decisions_under
from bot.review.differences import FieldDifference
from bot.review.replay import Replay
from bot.review.text import plain
from config.loader import load_rules

FIELDS_SHOWN = 6


def show_replay(folder: Path, result: Replay, json: bool) -> None:
    """Print what was compared, and the first divergence if there is one."""
    found = result.divergence
    if json:
        emit(_replay_json(folder, result, None))
        return
    if found is None:
        outputs = f"{result.decisions} decisions and {result.commands} commands"
        say(
            [
                f"equal: {outputs} of {result.events} events in {result.starts} starts byte for byte.",
                f"checkpoints: {result.states} states are the fold of the events before them.",
            ]
        )
        if result.unfinished:
            say([f"{result.unfinished} outputs were lost with a process that died while writing them."])
        return
    complain(f"{found.place}: {found.kind}: {found.what}: compare the versions in the Opened record")
    say([f"diverges at {found.place} (record {found.seq}, {found.time}), after {found.event}: {found.what}"])
    table(
        found.kind,
        ("field", "recorded", "replayed"),
        [(field.path, _shown(field.recorded), _shown(field.replayed)) for field in found.fields],
    )


def show_damage(folder: Path, chain: Verification, json: bool) -> None:
    """Say why a journal whose chain does not hold is not replayed."""
    fault = chain.fault
    if json:
        emit(_replay_json(folder, Replay(records=chain.records, head=chain.head), fault))
    complain(f"{fault}: the journal was changed and is not replayed: restore it from a copy")


def _replay_json(folder: Path, result: Replay, fault: Fault | None) -> dict[str, Any]:
    counts = {name: value for name, value in asdict(result).items() if name not in ("head", "divergence")}
    return {
        "journal": str(folder),
        "equal": fault is None and result.divergence is None,
        **counts,
        "journal_sha256": result.head,
        "fault": None if fault is None else asdict(fault),
        "divergence": None if result.divergence is None else asdict(result.divergence),
    }


def show_differences(folder: Path, rules_file: Path, limit: int, json: bool) -> None:
    """Print which decisions would differ under other rules. Raises ConfigError on rules that do not read."""
    rules = load_rules(rules_file)
    digest = rules.rules_hash()
    counts: Counter[Kind] = Counter()
    acting: list[DecisionChange] = []
    quiet: list[DecisionChange] = []
    acts = 0
    with Meter("replaying", None, quiet=json) as meter:
        for change in decisions_under(folder, rules.model_dump(mode="json"), digest):
            counts[change.kind] += 1
            meter(counts.total())
            acts += change.acts
            kept = acting if change.acts else quiet
            if len(kept) < limit:
                kept.append(change)
    listed = (acting + quiet)[:limit]
    if json:
        emit(
            {
                "journal": str(folder),
                "rules": str(rules_file),
                "rules_hash": digest,
                **{kind.value: counts[kind] for kind in Kind},
                "acting": acts,
                "changes": [_change_json(change) for change in listed],
            }
        )
        return
    how = ", ".join(f"{counts[kind]} {kind.value}" for kind in Kind)
    say(
        [
            f"Under {rules_file} ({digest[:12]}) these decisions would differ: {how}.",
            f"{acts} of them act: orders, refusals, signals.",
            "Events stay as they were recorded, so the first differences tell most.",
        ]
    )
    if listed:
        table(
            "Acting ones first",
            ("at", "time", "strategy", "verb", "how", "what"),
            [_row(change) for change in listed],
        )


def _row(change: DecisionChange) -> tuple[str, ...]:
    what = "\n".join(map(str, change.fields[:FIELDS_SHOWN])) if change.fields else plain(change.reason)
    if len(change.fields) > FIELDS_SHOWN:
        what += f"\n... and {len(change.fields) - FIELDS_SHOWN} more fields"
    return (change.place, change.time, change.strategy, change.verb, change.kind.value, what)


def _change_json(change: DecisionChange) -> dict[str, Any]:
    return {**asdict(change), "fields": [_field_json(field) for field in change.fields], "acts": change.acts}


def _field_json(field: FieldDifference) -> dict[str, Any]:
    return {"path": field.path, "recorded": field.recorded, "replayed": field.replayed}


def _shown(value: Any) -> str:
    return plain(str(value))
