"""docs/commands.md and docs/gateway.md name what the command line takes and what the gateway serves."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from bot.control.cli import app
from bot.control.stand_ins import stand_ins
from config.settings import FeedsSettings

DOCS = Path(__file__).parents[3] / "docs"
EVERYWHERE = {"--help", "--json"}  # told once at the head of the page
#: Feeds whose setting has a longer name than their series.
LONGER = {"baa": "baa_yield"}


def options(group: Any, words: str = "alvh") -> dict[str, set[str]]:
    """Long options by command."""
    if hasattr(group, "commands"):
        return {
            verb: found
            for name, one in group.commands.items()
            for verb, found in options(one, f"{words} {name}").items()
        }
    names = {flag for one in group.params for flag in getattr(one, "opts", ()) if flag.startswith("--")}
    return {words: names - EVERYWHERE}


@pytest.mark.parametrize(("verb", "taken"), sorted(options(typer.main.get_command(app)).items()))
def test_every_option_of_a_command_stands_on_the_page(verb: str, taken: set[str]) -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    told = set(re.findall(r"--[a-z][a-z-]+", page))
    assert f"`{verb}" in page
    assert taken - told == set()


def test_the_pages_that_stand_in_for_public_ones_are_told_with_the_settings_that_lead_there() -> None:
    text = (DOCS / "gateway.md").read_text(encoding="utf-8")
    table = text.partition("<!-- pages -->")[2].partition("<!-- /pages -->")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|$", table, re.MULTILINE))
    served = {f"{LONGER.get(name, name)}_url": path for name, path in stand_ins("").items()}
    assert told == {name: path for name, path in served.items() if name in FeedsSettings.model_fields}
