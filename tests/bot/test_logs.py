"""The log: one canonical line for each decision and alert, whatever anybody wrote into a text."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.engine.decision import Decision, Verb
from bot.events import Alert
from bot.logs import DecisionLog, capture_libraries, log_line
from risk.verdict import Check
from strategies.base import Gate, Reading

NOW = datetime(2020, 3, 16, 14, 0, 5, tzinfo=UTC)
HOLD = Decision(
    decision_id="20200316-140005-0007",
    strategy="condor",
    verb=Verb.HOLD,
    reason="VIX gate",
    session=date(2020, 3, 16),
    evaluations=12,
    trading="active",
    readings=(
        Reading("vix", 82.69, 35.0, "<", False, "2020-03-16", "CBOE"),
        Reading("ad_line_rsi", None, 30.0, "<", None, reason="warming up", warm_up=(14, 100)),
    ),
    gates=(Gate("vix_below", False, "82.69 >= 35"), Gate("session_open", True)),
    checks=(Check("max_loss", 10_000.0, 12_000.0, True),),
    notes=(("credit", 1.35),),
)


def written(level: str = "info", secrets: tuple[str, ...] = ()) -> tuple[DecisionLog, io.BytesIO]:
    stream = io.BytesIO()
    return DecisionLog(stream, mode="paper", account="DU0000000", level=level, secrets=secrets), stream


def lines(stream: io.BytesIO) -> list[dict[str, Any]]:
    text = stream.getvalue()
    assert text == b"" or text.endswith(b"\n")
    return [json.loads(line) for line in text.split(b"\n")[:-1]]


def test_a_decision_is_one_line_with_the_keys_in_their_order() -> None:
    log, stream = written()
    log.decision(NOW, HOLD)
    (line,) = lines(stream)
    assert list(line)[:11] == [
        "ts", "level", "event", "mode", "account", "strategy", "decision_id", "decision", "reason", "gates",
        "inputs",
    ]  # fmt: skip
    assert line["ts"] == "2020-03-16T14:00:05Z"
    assert (line["level"], line["event"]) == ("info", "decision.hold")
    assert (line["mode"], line["account"]) == ("paper", "DU0000000")
    assert line["decision"] == "hold"
    assert line["gates"][0] == {"name": "vix_below", "passed": False, "detail": "82.69 >= 35"}
    assert line["inputs"]["vix"] == {
        "value": 82.69, "relation": "<", "threshold": 35.0, "fired": False, "as_of": "2020-03-16",
        "source": "CBOE",
    }  # fmt: skip
    assert line["inputs"]["ad_line_rsi"]["fired"] is None
    assert line["inputs"]["ad_line_rsi"]["warm_up"] == [14, 100]
    assert line["checks"] == [{"name": "max_loss", "value": 10000.0, "limit": 12000.0, "passed": True}]
    assert line["evaluations"] == 12
    assert line["notes"] == {"credit": 1.35}
    assert "order_ref" not in line


def test_readings_and_notes_of_one_name_all_stand_in_the_line() -> None:
    least, most = Reading("ratio", 0.2, 0.1, ">=", True), Reading("ratio", 0.2, 0.4, "<=", True)
    log, stream = written()
    log.decision(NOW, replace(HOLD, readings=(least, most, least), notes=(("credit", 1.0), ("credit", 2.0))))
    (line,) = lines(stream)
    assert [(name, shown["relation"]) for name, shown in line["inputs"].items()] == [
        ("ratio", ">="), ("ratio#2", "<="), ("ratio#3", ">="),
    ]  # fmt: skip
    assert line["notes"] == {"credit": 1.0, "credit#2": 2.0}


@given(st.lists(st.sampled_from(["a", "a#2", "b"]), max_size=6))
def test_no_reading_is_lost_whatever_its_name(names: list[str]) -> None:
    log, stream = written()
    readings = tuple(Reading(name, float(n), None, "<", None) for n, name in enumerate(names))
    log.decision(NOW, replace(HOLD, readings=readings))
    (line,) = lines(stream)
    assert [shown["value"] for shown in line["inputs"].values()] == [float(n) for n in range(len(names))]


def test_equal_decisions_give_equal_bytes() -> None:
    first, second = written(), written()
    for log, _ in (first, second):
        log.decision(NOW, HOLD)
    assert first[1].getvalue() == second[1].getvalue()


@pytest.mark.parametrize(("level", "event"), [("error", "error"), ("warning", "warning")])
def test_an_alert_is_a_line_at_its_level(level: str, event: str) -> None:
    log, stream = written(level="warning")
    log.decision(NOW, HOLD)
    log.alert(NOW, Alert(level, "feed.failed", "reer is down"))
    (line,) = lines(stream)
    assert (line["event"], line["level"], line["reason"]) == ("alert.feed.failed", event, "reer is down")


def test_what_is_well_again_is_told_below_the_warnings() -> None:
    log, stream = written()
    log.alert(NOW, Alert("info", "trading.active", "no cause left"))
    assert [line["level"] for line in lines(stream)] == ["info"]


HOSTILE = [
    "two\nlines",
    "carriage\rreturn",
    "next\x85line",
    "line\u2028separator",
    "paragraph\u2029separator",
    "esc\x1b[2J",
    "nul\x00",
    "del\x7f",
    "form\x0cfeed",
    "bidi\u202eabc",
    "isolate\u2066abc",
    "bom\ufeff",
    'quote"},{"event":"forged',
    "half\ud800pair",
    "csi\x9b31m",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_stays_inside_its_line_and_is_read_back(text: str) -> None:
    log, stream = written()
    log.alert(NOW, Alert("warning", "broker_message", text))
    raw = stream.getvalue().decode()
    assert len(raw.splitlines()) == 1
    assert raw.endswith("\n")
    assert all(character.isprintable() for character in raw[:-1])
    (line,) = lines(stream)
    assert line["event"] == "alert.broker_message"
    assert line["reason"] == (text if "\ud800" not in text else "half\\ud800pair")


@given(st.text(st.characters(exclude_categories=())), st.text(max_size=20))
@settings(max_examples=200)
def test_any_text_makes_one_line_of_json(text: str, key: str) -> None:
    line = log_line({"event": text, key: [text, {"nested": text}]})
    assert len(line.decode().splitlines()) <= 1
    restored = json.loads(line)
    assert restored["event" if key != "event" else key] is not None
    if not any(0xD800 <= ord(character) < 0xE000 for character in text) and key != "event":
        assert restored["event"] == text


@pytest.mark.parametrize("secret", ["hunter2", 'pa"ss\\word', "pässwort", "tok\nen"])
def test_a_known_secret_never_appears(secret: str) -> None:
    log, stream = written(secrets=(secret, "hunter", ""))
    log.alert(NOW, Alert("error", "broker_message", f"login {secret} failed"))
    (line,) = lines(stream)
    assert line["reason"] == "login [redacted] failed" or secret == "hunter2"
    assert secret not in line["reason"]
    assert "hunter" not in stream.getvalue().decode()


def test_a_value_that_is_no_number_is_null_and_an_unknown_type_its_text() -> None:
    assert json.loads(log_line({"a": float("nan"), "b": float("inf"), "c": 1 + 2j})) == {
        "a": None,
        "b": None,
        "c": "(1+2j)",
    }


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def test_what_libraries_say_becomes_lines_of_the_same_log(root_logger: logging.Logger) -> None:
    log, stream = written()
    capture_libraries(log, lambda: NOW)
    assert len(root_logger.handlers) == 1
    other = logging.getLogger("ib_async.client")
    other.info("not worth a line")
    other.error("Peer closed\nconnection %s", "now")
    try:
        raise ValueError("of the broker")
    except ValueError:
        other.exception("failed")
    first, second = lines(stream)
    assert (first["event"], first["level"]) == ("library.ib_async.client", "error")
    assert first["reason"] == "Peer closed\nconnection now"
    assert second["reason"] == "failed (ValueError('of the broker'))"
