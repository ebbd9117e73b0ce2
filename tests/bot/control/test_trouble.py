"""Commands in trouble: a journal that does not hold, and a halt that reaches nobody."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from bot.events import Reconciled
from bot.journal.opening import open_journal
from tests.bot.broker.scripted import ScriptedGateway
from tests.bot.control.shell import Shell, damage


@contextmanager
def serving(gateway: ScriptedGateway) -> Iterator[int]:
    """The gateway beside the test, at a port of its own."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(gateway.open(0))
    port: int = server.sockets[0].getsockname()[1]
    thread = Thread(target=loop.run_forever)
    thread.start()
    yield port
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


@pytest.mark.parametrize(
    "arguments", [("why",), ("why", "L1"), ("whynot",), ("costs",), ("logs",), ("logs", "--since", "1d")]
)
def test_a_changed_journal_is_shown_with_a_warning_that_names_the_record(
    alvh: Shell, journal: Path, arguments: tuple[str, ...]
) -> None:
    intact = alvh(*arguments)
    assert (intact.code, intact.err) == (0, "")
    if "logs" not in arguments:
        assert alvh(*arguments, "--json").json["fault"] is None
    place = damage(journal, 9)
    ended = alvh(*arguments)
    assert (ended.code, ended.out) == (0, intact.out)
    assert ended.err.startswith(f"alvh: {place}: ")
    assert "was changed or damaged" in ended.err
    if "logs" not in arguments:
        assert alvh(*arguments, "--json").json["fault"].startswith(f"{place}: ")


def test_a_journal_that_was_put_back_in_time_is_shown_with_a_warning(alvh: Shell, journal: Path) -> None:
    (journal.parent / "simulated.anchor").write_bytes(b'{"count":9999,"head":"' + b"0" * 64 + b'"}')
    ended = alvh("why")
    assert (ended.code, ended.err.startswith("alvh: simulated.anchor: ")) == (0, True)
    assert "it was put back in time" in ended.err


def test_what_belongs_to_no_structure_is_named_by_status(alvh: Shell, journal: Path) -> None:
    assert alvh("status", "--json").json["set_aside"] == []
    opened = open_journal(journal)
    assert opened.state.time is not None
    opened.journal.append(opened.state.time, "Reconciled", Reconciled((), (), ((4711, -2),)))
    opened.journal.close(opened.state.time)
    opened.journal.release()
    assert {"contract": "contract 4711", "contracts": -2} in alvh("status", "--json").json["set_aside"]
    assert "set aside  -2 of contract 4711" in alvh("status").out.splitlines()


def test_a_halt_that_reaches_nobody_stands_and_ends_with_69_saying_what_was_not_done(
    alvh: Shell, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ALVH__BROKER__PORT", str(probe.getsockname()[1]))
    found = alvh("halt", "--json")
    assert (found.code, found.json["error"]) == (69, "BrokerUnreachableError")
    stands, missed, remedy = found.json["text"].splitlines()
    assert (
        stands == "the halt stands: no daemon runs, and the next start begins halted and cancels what works"
    )
    assert missed.startswith("orders were not cancelled from here: nothing answers at 127.0.0.1:")
    assert "`alvh run` starts both, halted" in remedy
    assert alvh("status", "--json").json["halt_asked"] is True


def test_a_halt_that_a_read_only_gateway_refuses_stands_and_ends_with_69(
    alvh: Shell, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "Error validating request. - The API interface is currently in Read-Only mode."
    gateway = ScriptedGateway(muted={49})
    gateway.answers[58] = lambda _: gateway.error(-1, 321, text)
    with serving(gateway) as port:
        monkeypatch.setenv("ALVH__BROKER__PORT", str(port))
        found = alvh("halt", "--json")
    assert (found.code, found.json["error"]) == (69, "BrokerUnreachableError")
    assert "orders were not cancelled from here: the broker refused a request: 321" in found.json["text"]
    assert alvh("status", "--json").json["halt_asked"] is True


def test_a_halt_at_a_gateway_of_another_account_stands_and_ends_with_77(
    alvh: Shell, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = ScriptedGateway(accounts="U1234567")
    with serving(gateway) as port:
        monkeypatch.setenv("ALVH__BROKER__PORT", str(port))
        found = alvh("halt", "--json")
    assert (found.code, found.json["error"]) == (77, "NotPaperAccountError")
    assert found.json["text"].startswith("the halt stands: ")
    assert gateway.sent(58) == []
    assert alvh("status", "--json").json["halt_asked"] is True
