"""The verbs `signals` and `whynot`: what they print, what they refuse, and that they only read."""

from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from bot.control.cli import app
from strategies.packs import PACKS
from tests.bot.recorder import record_two_starts
from tests.bot.review.daily_history import DATA, needs_history, write_history

FIELDS = {
    "date",
    "ad_rsi",
    "backwardation",
    "backwardation_spot",
    "vvix_macd_histogram",
    "reer_ppi_divergent",
    "wacc_spread_z",
    "regime",
    "echo",
    "fires",
}


def alvh(*arguments: object) -> tuple[int, str]:
    ended = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return ended.exit_code, ended.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("history"))


def test_one_object_a_session_with_every_promised_field(folder: Path) -> None:
    code, out = alvh("signals", "--history", folder, "--from", "2020-03-02", "--to", "2020-03-06", "--json")
    lines = [orjson.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["date"] for line in lines] == [f"2020-03-0{n}" for n in range(2, 7)]
    for line in lines:
        assert line.keys() >= FIELDS
        assert line["fires"] == []
        assert line["wacc_spread_z"] is None
        assert line["regime"] == "CALM"
        assert line["unknown"]["wacc_spread_z"] == "no spread for this session"


def test_readings_do_not_depend_on_the_first_session_asked_for(folder: Path) -> None:
    _, whole = alvh("signals", "--history", folder, "--json")
    _, part = alvh("signals", "--history", folder, "--from", "2020-05-01", "--json")
    assert part
    assert whole.endswith(part)


def test_a_pack_is_named_on_every_line(folder: Path) -> None:
    code, out = alvh("signals", "--history", folder, "--pack", "b_spot", "--to", "2020-01-10", "--json")
    assert code == 0
    assert {orjson.loads(line)["pack"] for line in out.splitlines()} == {"b_spot"}


def test_without_json_it_prints_the_report_of_all_packs_or_of_one(folder: Path) -> None:
    code, out = alvh("signals", "--history", folder)
    assert code == 0
    assert out.startswith("# Trigger report\n")
    assert all(f"| {pack.name} v{pack.version} |" in out for pack in PACKS.values())
    _, one = alvh("signals", "--history", folder, "--pack", "gap")
    assert "| gap v1 |" in one
    assert "| seed v1 |" not in one


@pytest.mark.parametrize(
    "wrong",
    [
        ("--pack", "martingale"),
        ("--from", "yesterday"),
        ("--from", "2020-03-02", "--to", "2020-03-01"),
        ("--from", "2031-01-02"),
    ],
)
def test_wrong_usage_is_told_with_exit_code_two(folder: Path, wrong: tuple[str, ...]) -> None:
    assert alvh("signals", "--history", folder, *wrong)[0] == 2


def test_whynot_ranks_what_a_journal_tells_and_takes_a_span(tmp_path: Path) -> None:
    journal = record_two_starts(tmp_path / "journal")
    before = {path.name: path.read_bytes() for path in journal.iterdir() if path.is_file()}
    code, out = alvh("whynot", "--journal", journal, "--json")
    assert code == 0
    blockers = orjson.loads(out)["blockers"]
    assert blockers
    looks = [one["blocked"] + one["unknown"] for one in blockers]
    assert looks == sorted(looks, reverse=True)
    code, out = alvh("whynot", "--journal", journal, "--from", "2031-01-01")
    assert (code, out) == (0, "Nothing stood in the way in that span.\n")
    assert alvh("whynot", "--journal", journal)[0] == 0
    assert {path.name: path.read_bytes() for path in journal.iterdir() if path.is_file()} == before


def test_whynot_refuses_a_span_that_ends_before_it_begins(tmp_path: Path) -> None:
    journal = record_two_starts(tmp_path / "journal")
    assert alvh("whynot", "--journal", journal, "--from", "2020-03-02", "--to", "2020-03-01")[0] == 2
    assert alvh("whynot", "--journal", journal, "--to", "soon")[0] == 2


@needs_history
def test_the_command_over_the_real_history_fires_on_the_nine_dates() -> None:
    span = ("--from", "2007-04-02", "--to", "2023-12-29")
    code, out = alvh("signals", "--history", DATA, *span, "--json")
    lines = [orjson.loads(line) for line in out.splitlines()]
    assert code == 0
    assert len(lines) == 4217
    assert [line["date"] for line in lines if "L1" in line["fires"]] == [
        "2007-08-14",
        "2008-10-06",
        "2011-08-05",
        "2014-10-13",
        "2015-08-24",
        "2018-02-05",
        "2018-10-10",
        "2018-12-24",
        "2020-02-27",
    ]
