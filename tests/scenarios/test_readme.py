"""What README.md shows of the demonstration is what the demonstration prints today."""

import json
import re
from pathlib import Path

from tests.scenarios.processes import ROOT, run_once

REMEDY = (
    "the demonstration decides or records something else than README.md shows: run .ci/excerpt and commit it"
)


def test_the_demonstration_in_the_readme_is_that_of_this_tree(tmp_path: Path) -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = page.partition("<!-- demo -->")[2].partition("<!-- /demo -->")[0]
    done = run_once(["demo", "--json", "--journal", str(tmp_path / "journal")], {})
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["condors_opened"], figures["hedge_tranches_opened"]) == (1, 1)
    (digest,) = re.findall(r"^Journal journal/demo-0001  sha256 (\w{64})$", shown, re.MULTILINE)
    assert digest == figures["journal_sha256"], REMEDY
    counted = f"{figures['sessions']} sessions, {figures['orders']} orders, {figures['fills']} fills"
    assert counted in shown, REMEDY
    assert f"NAV {figures['nav_start_usd']:,.2f} -> {figures['nav_end_usd']:,.2f} USD" in shown, REMEDY
