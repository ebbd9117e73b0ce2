"""Invariants of a start, asked without a session."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import config.loader
from config.errors import ConfigError
from config.loader import load_rules
from config.settings import SHIPPED_RULES


def unknown_key_is_refused() -> list[str]:
    """I-21: unknown keys that a rules file may have without being refused."""
    found = []
    for line in ("new_flag = true", "power_peg = 1"):
        with TemporaryDirectory() as folder:
            path = Path(folder) / "rules.toml"
            path.write_text(
                f"{SHIPPED_RULES.read_text(encoding='utf-8')}\n[flags]\n{line}\n", encoding="utf-8"
            )
            try:
                load_rules(path)
            except ConfigError:
                continue
            found.append(f"I-21: a rules file with {line} is accepted")
    return found


def forgiving_loader() -> Any:
    """The planted bug: what is not known is dropped before it is looked at."""
    honest = config.loader._leaves
    known = {key for key, _ in honest(config.loader._read(SHIPPED_RULES))}

    def leaves(tables: Any, prefix: str = "") -> Any:
        return [(key, value) for key, value in honest(tables, prefix) if prefix or key in known]

    return patch.object(config.loader, "_leaves", leaves)
