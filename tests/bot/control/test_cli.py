"""The command line: every verb, its exit codes, and nothing but one object on standard output with --json."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

from bot.control.options import DemoOptions
from bot.errors import BrokerUnreachableError, CrashLoopError, JournalInUseError, NotPaperAccountError
from tests.bot.control.shell import Shell, damage

HEAVY = ("numpy", "ib_async", "httpx", "pydantic", "rich", "structlog", "pandas", "apscheduler", "asyncio")


def stand_in(monkeypatch: pytest.MonkeyPatch, module: str, **functions: Any) -> None:
    """Put functions where a verb's body is loaded from."""
    body = ModuleType(f"bot.control.{module}")
    for name, function in functions.items():
        setattr(body, name, function)
    monkeypatch.setitem(sys.modules, f"bot.control.{module}", body)
    import bot.control

    monkeypatch.setattr(bot.control, module, body, raising=False)


def test_version_is_one_line_or_one_object(alvh: Shell) -> None:
    ended = alvh("version")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("alvh 0.")
    assert alvh("version", "--json").json["version"] == ended.out.split()[1]


def test_the_command_line_loads_nothing_heavy_before_a_verb_needs_it() -> None:
    script = (
        "import sys; before = set(sys.modules); import bot.control.cli;"
        f" print(sorted({set(HEAVY)!r} & (set(sys.modules) - before)))"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "verb", ["demo", "run", "gateway", "verify", "replay", "logs", "why", "history", "config"]
)
def test_every_verb_helps(alvh: Shell, verb: str) -> None:
    ended = alvh(verb, "--help")
    assert ended.code == 0
    assert ended.out.startswith("Usage: alvh")


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("demo", "--days", "many"),
        ("demo", "--days", "0"),
        ("demo", "--from", "2020-02-03"),
        ("demo", "--history", ".", "--from", "03.02.2020"),
        ("demo", "--history", ".", "--from", "2020-03-03", "--to", "2020-02-03"),
        ("demo", "--history", ".", "--days", "3", "--to", "2020-02-03"),
        ("verify", "nowhere"),
        ("why", "foo"),
        ("logs", "--strategy", "foo"),
        ("why", "--at", "lunch"),
        ("why", "L4"),
        ("logs", "--since", "lunch"),
        ("logs", "--decision", "dither"),
        ("history", "check", "nowhere"),
    ],
)
def test_wrong_usage_ends_with_2_and_leaves_standard_output_empty(
    alvh: Shell, journal: Path, arguments: tuple[str, ...]
) -> None:
    ended = alvh(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err
    told = alvh(*arguments, "--json")
    assert told.code == 2
    assert (told.json["error"], told.json["exit_code"]) == ("UsageError", 2)
    assert told.json["text"] in told.err


def test_verify_tells_records_and_head(alvh: Shell, journal: Path) -> None:
    found = alvh("verify", journal, "--json").json
    assert (found["ok"], found["closed"], found["fault"]) == (True, True, None)
    assert found["journal_sha256"] == orjson.loads((journal / "head").read_bytes())["head"]
    ended = alvh("verify", "--journal", journal)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"ok: {found['records']} records")


def test_verify_names_the_first_bad_record_and_ends_with_1(alvh: Shell, journal: Path) -> None:
    place = damage(journal, 9)
    ended = alvh("verify", journal)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"alvh: {place}: ")
    found = alvh("verify", journal, "--json")
    assert (found.code, found.json["ok"]) == (1, False)
    assert found.json["fault"]["line"] == 9


def test_deep_verification_compares_the_checkpoints(alvh: Shell, journal: Path) -> None:
    assert alvh("verify", journal, "--deep", "--json").json["checkpoints_compared"] == 2


def test_the_journal_written_last_is_found_without_a_name(alvh: Shell, journal: Path) -> None:
    assert alvh("verify", "--json").json["journal"] == "journal/simulated"
    assert alvh("verify", "--json", "--journal", journal.parent).json["journal"] == str(journal)


def test_replay_of_a_recorded_session_is_equal(alvh: Shell, journal: Path) -> None:
    found = alvh("replay", journal, "--json")
    assert (found.code, found.json["equal"], found.json["starts"]) == (0, True, 2)
    assert alvh("replay", journal).out.startswith("equal: ")


def test_replay_verifies_first_and_names_what_was_changed(alvh: Shell, journal: Path) -> None:
    """The stop's own record decides nothing: only the chain tells that it was edited."""
    segment = journal / "0001-2020-02-27.jsonl"
    *lines, last = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(lines) + last.replace(b'"count":', b'"count":1', 1))
    place = f"{segment.name}:{len(lines) + 1}"
    ended = alvh("replay", journal)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"alvh: {place}: ")
    found = alvh("replay", journal, "--json")
    assert (found.code, found.json["equal"], found.json["divergence"]) == (1, False, None)
    assert (found.json["fault"]["segment"], found.json["fault"]["line"]) == (segment.name, len(lines) + 1)
    assert alvh("replay", journal, "--rules", "anything.toml").code == 1


def test_replay_shows_the_first_divergence_field_by_field(
    alvh: Shell, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bot.review import replay as review

    place = "0001-2020-02-27.jsonl:11"
    original = review.emitted

    def changed(done: Any) -> list[tuple[str, bytes]]:
        return [(kind, body.replace(b'"fire"', b'"read"')) for kind, body in original(done)]

    monkeypatch.setattr(review, "emitted", changed)
    ended = alvh("replay", journal)
    assert ended.code == 1
    assert place in ended.err
    row = next(line.split() for line in ended.out.splitlines() if line.strip().startswith("verb"))
    assert row == ["verb", "fire", "read"]
    found = alvh("replay", journal, "--json")
    assert (found.code, found.json["equal"]) == (1, False)
    assert found.json["divergence"]["place"] == place
    assert found.json["divergence"]["fields"] == [{"path": "verb", "recorded": "fire", "replayed": "read"}]


def test_replay_under_other_rules_lists_what_would_differ(alvh: Shell, journal: Path, tmp_path: Path) -> None:
    from config.settings import SHIPPED_RULES

    text = SHIPPED_RULES.read_text(encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(
        text.replace("backwardation_above_fraction = 0.08", "backwardation_above_fraction = 0.50")
    )
    found = alvh("replay", journal, "--rules", other, "--json")
    assert found.code == 0
    assert found.json["acting"] >= 1
    assert found.json["changes"][0]["verb"] == "read"
    assert (
        "readings.front_backwardation.fired: True -> False" in alvh("replay", journal, "--rules", other).out
    )
    same = alvh("replay", journal, "--rules", SHIPPED_RULES, "--json").json
    assert (same["added"], same["missing"], same["changed"], same["changes"]) == (0, 0, 0, [])


def test_why_draws_the_truth_table(alvh: Shell, journal: Path) -> None:
    ended = alvh("why", "L1")
    assert ended.code == 0
    assert "front_backwardation" in ended.out
    assert "> 0.08" in ended.out
    found = alvh("why", "--json").json
    assert [each["strategy"] for each in found["strategies"]] == ["L1", "L2", "L3", "condor", "regime"]
    assert (
        alvh("why", "L1", "--at", "2020-02-27T09:20", "--json").json["strategies"][0]["decision"]["verb"]
        == "fire"
    )


def test_logs_print_lines_or_canonical_objects(alvh: Shell, journal: Path) -> None:
    ended = alvh("logs", "--layer", "L1")
    assert ended.code == 0
    assert [text.split()[3] for text in ended.out.splitlines()] == ["L1"] * len(ended.out.splitlines())
    parsed = [orjson.loads(text) for text in alvh("logs", "--json", "--since", "1d").out.splitlines()]
    assert {each["account"] for each in parsed} == {"DU1234567"}
    assert [each["decision"] for each in parsed if each["decision"] == "fire"] == ["fire"]


def test_config_show_names_the_origin_of_every_value(
    alvh: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[broker]\nclient_id = 5\n")
    monkeypatch.setenv("ALVH__BROKER__PORT", "7497")
    settings = alvh("config", "show", "--config", file, "--json").json["settings"]
    assert settings["broker.client_id"] == {"value": 5, "origin": str(file)}
    assert settings["broker.port"] == {"value": 7497, "origin": "environment ALVH__BROKER__PORT"}
    assert settings["broker.host"]["origin"] == "default"
    shown = alvh("config", "show").out
    assert "simulated.toml" in shown
    assert "condor.exit.stop_credit_ratio" in shown


def test_config_check_accepts_what_is_shipped_and_names_what_is_wrong(alvh: Shell, tmp_path: Path) -> None:
    from config.settings import PAPER_PROFILE, SHIPPED_RULES

    assert alvh("config", "check", PAPER_PROFILE, "--json").json["kind"] == "settings"
    found = alvh("config", "check", SHIPPED_RULES, "--json").json
    assert found["kind"] == "rules"
    assert found["nothing_opens_from"]["cpi"] == "2026-12-31"
    assert all("nothing is opened" in line for line in found["warnings"])
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[broker]\nprot = 1\naccount = "U1"\n')
    ended = alvh("config", "check", wrong)
    assert (ended.code, ended.out) == (78, "")
    assert [text.startswith("alvh: ") for text in ended.err.splitlines()] == [True, True]
    assert "did you mean broker.port?" in ended.err
    assert alvh("config", "check", wrong, "--json").json["exit_code"] == 78
    assert alvh("config", "check", "absent.toml").code == 78


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BrokerUnreachableError("127.0.0.1:4002: nothing answers: start the gateway"), 69),
        (JournalInUseError("journal: another process writes it: stop it"), 75),
        (CrashLoopError("3 starts in 10 minutes: mend the cause"), 75),
        (NotPaperAccountError("U1234567: not a paper account: log in to another"), 77),
    ],
)
def test_an_expected_failure_is_one_line_and_its_own_exit_code(
    alvh: Shell, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def refuse(loaded: Any, rules_path: Path) -> None:
        raise error

    stand_in(monkeypatch, "run", run_daemon=refuse)
    ended = alvh("run")
    assert (ended.code, ended.out, ended.err) == (code, "", f"alvh: {error}\n")


def test_failures_of_tasks_side_by_side_end_with_the_sternest_exit_code(
    alvh: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = NotPaperAccountError("U1: not a paper account: log in to another")
    both = ExceptionGroup("tasks", [BrokerUnreachableError("gone"), ExceptionGroup("inner", [wrong])])

    def refuse(loaded: Any, rules_path: Path) -> None:
        raise both

    stand_in(monkeypatch, "run", run_daemon=refuse)
    ended = alvh("run")
    assert (ended.code, ended.err) == (77, f"alvh: {wrong}\n")


def test_a_fault_beside_an_expected_failure_is_not_hidden(
    alvh: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(loaded: Any, rules_path: Path) -> None:
        raise ExceptionGroup("tasks", [BrokerUnreachableError("gone"), ZeroDivisionError("a bug")])

    stand_in(monkeypatch, "run", run_daemon=broken)
    with pytest.raises(ExceptionGroup):
        alvh("run")


def test_a_fault_in_the_program_is_not_hidden(alvh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(loaded: Any, rules_path: Path) -> None:
        raise ZeroDivisionError("a bug")

    stand_in(monkeypatch, "run", run_daemon=broken)
    with pytest.raises(ZeroDivisionError):
        alvh("run")


def test_run_takes_flags_over_environment_over_file(
    alvh: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Any] = []
    stand_in(monkeypatch, "run", run_daemon=lambda loaded, rules_path: seen.append((loaded, rules_path)))
    file = tmp_path / "mine.toml"
    file.write_text('[broker]\nport = 1\nclient_id = 2\naccount = "DU5"\n')
    monkeypatch.setenv("ALVH__BROKER__PORT", "3")
    assert alvh("run", "--config", file, "--client-id", 4, "--journal", "elsewhere").code == 0
    assert alvh("run").code == 0
    loaded, rules_path = seen[0]
    broker = loaded.settings.broker
    assert (broker.port, broker.client_id, broker.account) == (3, 4, "DU5")
    assert loaded.settings.journal_folder == Path("elsewhere/paper")
    assert rules_path.name == "rules.toml"
    assert seen[1][0].settings.mode == "simulated"


def test_demo_hands_its_options_on_and_prints_one_object(
    alvh: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[DemoOptions] = []

    def play(options: DemoOptions) -> dict[str, Any]:
        seen.append(options)
        return {"sessions": options.days}

    stand_in(monkeypatch, "demo", run_demo=play)
    ended = alvh("demo", "--seed", 9, "--days", 5, "--json", "--interval", 10, "--journal", "here")
    assert ended.json == {"sessions": 5}
    assert alvh("demo").out == ""
    history = ("demo", "--history", tmp_path, "--from", "2020-02-03", "--to", "2020-03-31")
    assert alvh(*history).code == 0
    assert seen[0] == DemoOptions(9, 5, journal=Path("here"), json=True, interval_s=10.0)
    assert seen[1] == DemoOptions()
    assert (str(seen[2].first), str(seen[2].last), seen[2].history) == ("2020-02-03", "2020-03-31", tmp_path)


def test_the_gateway_is_handed_its_options(alvh: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    stand_in(monkeypatch, "gateway", run_gateway=lambda **options: seen.append(options))
    assert alvh("gateway", "--port", 0, "--state", "s", "--at", "now", "--account", "DU7").code == 0
    given = {"port": 0, "seed": 1, "history": None, "state": Path("s"), "at": "now", "account": "DU7"}
    assert given.items() <= seen[0].items()


def test_colours_stay_out_when_they_are_not_wanted(journal: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bot.control.cli", "why", "--journal", str(journal)]
    project = Path(__file__).parents[3]
    environment = {"PYTHONPATH": str(project), "NO_COLOR": "1", "TERM": "xterm"}
    found = subprocess.run(command, capture_output=True, env=environment, cwd=tmp_path, check=True)
    assert b"\x1b" not in found.stdout
    assert b"Readings" in found.stdout
