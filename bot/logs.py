"""The log a person and a machine read: one canonical JSON line for each decision and each alert.

The lines are rendered from the same decision the journal holds; the log is a view and never a source. Keys
come in one order, times are UTC. A line is one line whatever a broker, a feed or an operator wrote into a
text: control characters, line and paragraph separators and marks that turn the direction of writing are
escaped. Known secrets are blotted out.
"""

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, BinaryIO

import orjson
import structlog

from bot.engine.decision import Decision
from bot.events import Alert
from strategies.base import Reading

# Valid in JSON, but some terminal, editor or log collector takes them for a line end or obeys them.
_TREACHEROUS = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS
_BLOT = "[redacted]"
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_FIRST_KEYS = ("ts", "level", "event", "mode", "account")


class DecisionLog:
    """Writes lines to a binary stream, each flushed as it is written.

    `mode` and `account` stand on every line. `level` is the least that is written: info has every decision,
    warning only alerts.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        mode: str,
        account: str,
        level: str = "info",
        secrets: Iterable[str] = (),
    ) -> None:
        self._level = _LEVELS[level]
        render = _Renderer(secrets)
        self._logger: Any = structlog.wrap_logger(
            structlog.BytesLogger(stream),
            processors=[structlog.processors.add_log_level, render],
            wrapper_class=structlog.make_filtering_bound_logger(self._level),
            context_class=dict,
            mode=mode,
            account=account,
        )

    def decision(self, time: datetime, decision: Decision) -> None:
        """One line for one decision, with every reading, gate and check that led to it."""
        if self._level <= _LEVELS["info"]:
            self._logger.info(f"decision.{decision.verb.value}", ts=time, **decision_fields(decision))

    def alert(self, time: datetime, alert: Alert) -> None:
        """One line for one alert, at its level."""
        levels = {"info": self._logger.info, "error": self._logger.error}
        tell = levels.get(alert.level, self._logger.warning)
        tell(f"alert.{alert.name}", ts=time, reason=alert.text)

    def library(self, now: Callable[[], datetime]) -> logging.Handler:
        """A handler that writes what libraries say through the standard logging as lines of this log."""
        return _LibraryHandler(self._logger, now)


def capture_libraries(log: DecisionLog, now: Callable[[], datetime], level: int = logging.WARNING) -> None:
    """Send the standard logging of all libraries, from `level` on, to this log and nowhere else."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(log.library(now))
    root.setLevel(level)


def decision_fields(decision: Decision) -> dict[str, Any]:
    """A decision as the log's fields, in the log's order; what says nothing is left out."""
    fields: dict[str, Any] = {
        "strategy": decision.strategy,
        "decision_id": decision.decision_id,
        "decision": decision.verb,
        "reason": decision.reason,
        "gates": [
            {"name": gate.name, "passed": gate.passed, "detail": gate.detail} for gate in decision.gates
        ],
        "inputs": _by_name((reading.name, _reading_fields(reading)) for reading in decision.readings),
    }
    return _stated(
        fields,
        checks=[
            {"name": check.name, "value": check.value, "limit": check.limit, "passed": check.passed}
            for check in decision.checks
        ],
        session=decision.session,
        trading=decision.trading,
        structure_id=decision.structure_id,
        order_ref=decision.order_ref,
        quantity=decision.quantity,
        limit=decision.limit,
        evaluations=decision.evaluations if decision.evaluations > 1 else None,
        notes=_by_name(decision.notes),
    )


def _reading_fields(reading: Reading) -> dict[str, Any]:
    return _stated(
        {
            "value": reading.value,
            "relation": reading.relation,
            "threshold": reading.threshold,
            "fired": reading.fired,
        },
        as_of=reading.as_of,
        source=reading.source,
        warm_up=reading.warm_up,
        reason=reading.reason,
    )


def _by_name(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Pairs as one object: a name that comes again is numbered, so that a bound from above and one from below
    on the same ratio both stand in the line.
    """
    named: dict[str, Any] = {}
    for name, value in pairs:
        key, number = name, 1
        while key in named:
            number += 1
            key = f"{name}#{number}"
        named[key] = value
    return named


def log_line(fields: Mapping[str, Any]) -> bytes:
    """Fields as one line of JSON without its line end. Values JSON does not know become their text."""
    try:
        line = orjson.dumps(fields, default=str, option=_OPTIONS)
    except TypeError:
        # A text with half a surrogate pair is no UTF-8.
        line = orjson.dumps(_encodable(dict(fields)), default=str, option=_OPTIONS)
    if line.isascii() and b"\x7f" not in line:
        return line
    return _TREACHEROUS.sub(lambda found: f"\\u{ord(found.group()):04x}", line.decode()).encode()


class _Renderer:
    """Structlog's last processor: the event dictionary as one line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # As they stand inside a JSON string, the longest first, so that no secret hides in another's
        # remainder.
        quoted = sorted(
            {log_line({"": secret})[5:-2] for secret in secrets if secret}, key=lambda s: (-len(s), s)
        )
        self._secrets = quoted

    def __call__(self, _logger: Any, _method: str, event: Mapping[str, Any]) -> bytes:
        ordered = {key: event[key] for key in _FIRST_KEYS if key in event}
        ordered.update((key, value) for key, value in event.items() if key not in ordered)
        line = log_line(ordered)
        for secret in self._secrets:
            line = line.replace(secret, _BLOT.encode())
        return line


class _LibraryHandler(logging.Handler):
    def __init__(self, logger: Any, now: Callable[[], datetime]) -> None:
        super().__init__()
        self._logger = logger
        self._now = now

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record's message; a traceback is folded into the same line."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({record.exc_info[1]!r})"
        tell = self._logger.error if record.levelno >= logging.ERROR else self._logger.warning
        tell(f"library.{record.name}", ts=self._now(), reason=text)


def _stated(fields: dict[str, Any], **optional: Any) -> dict[str, Any]:
    fields.update({name: value for name, value in optional.items() if value not in (None, "", 0, [], {}, ())})
    return fields


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_encodable(key): _encodable(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(element) for element in value]
    return value
