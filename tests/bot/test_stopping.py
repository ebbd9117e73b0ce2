"""A stop ends waiting at once, and lets whoever is asked clean up."""

import asyncio

import pytest

from bot.stopping import StopAskedError, StopSignal


async def test_an_answer_that_comes_is_handed_over_with_its_errors() -> None:
    stop = StopSignal()

    async def answer() -> int:
        return 42

    async def failure() -> int:
        raise ValueError("no")

    assert await stop.unless(answer()) == 42
    with pytest.raises(ValueError, match="no"):
        await stop.unless(failure())


async def test_a_stop_ends_the_wait_for_an_answer_that_never_comes_and_cancels_the_question() -> None:
    stop, ended = StopSignal(), asyncio.Event()

    async def silence() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    asyncio.get_running_loop().call_soon(stop.ask, "SIGTERM")
    asyncio.get_running_loop().call_soon(stop.ask, "SIGINT")
    with pytest.raises(StopAskedError, match="SIGTERM"):
        await stop.unless(silence())
    assert ended.is_set()
    assert stop.reason == "SIGTERM"


async def test_cancelling_the_wait_cancels_the_question() -> None:
    stop, ended = StopSignal(), asyncio.Event()

    async def silence() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    waiting = asyncio.ensure_future(stop.unless(silence()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()
