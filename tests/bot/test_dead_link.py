"""A link that dies between two looks at the quotes."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bot.events import Feed, QuotesTaken
from tests.bot.daemon_desk import START, Desk, one_condor_is_wanted, play


@pytest.mark.parametrize("offset_s", [0.1, 1.3, 2.5, 3.7, 4.9])
def test_a_link_that_dies_at_any_moment_between_two_looks_is_asked_within_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offset_s: float
) -> None:
    one_condor_is_wanted(monkeypatch)
    # The question has five seconds of its own.
    desk = Desk(tmp_path / "journal", fills=False)
    death_s = 60.0 + offset_s

    async def script() -> None:
        broker = desk.broker()
        taken = broker.take_quotes

        def last_quotes(anyway: bool = False) -> QuotesTaken | None:
            # What came before the death is taken at the next look; the feeds count as alive for long.
            found = taken(anyway)
            if broker.silent:
                return QuotesTaken((), tuple(Feed)) if anyway else None
            broker.silent = "heartbeat" in broker.failing
            return found

        def die() -> None:
            died = broker.clock.now()
            broker.heard_at = lambda: died
            broker.failing.update({"heartbeat", "connect"})

        broker.take_quotes = last_quotes  # type: ignore[method-assign]  # the double's own behaviour
        asyncio.get_running_loop().call_later(death_s, die)
        asyncio.get_running_loop().call_later(death_s + 30.0, broker.failing.clear)
        await desk.trade(START + timedelta(minutes=3))

    play(desk, script)
    found = desk.seconds_of(desk.records("Disconnected")[0])
    assert 0.0 < found - death_s <= 10.0
