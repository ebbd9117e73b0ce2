"""The virtual-time loop and its network in memory."""

import asyncio
from datetime import datetime, timedelta

import pytest

from simulator import virtual
from simulator.server import HOST
from tests.simulator.fixture_venue import START

PORT = 4002


def test_an_hour_of_waiting_takes_no_time() -> None:
    async def main() -> float:
        await asyncio.sleep(3600.0)
        return asyncio.get_running_loop().time()

    assert virtual.run(main(), START) == pytest.approx(3600.0, abs=1e-3)


def test_time_passes_a_microsecond_beyond_each_timer() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[float] = loop.create_future()
        loop.call_at(1.0, lambda: done.set_result(loop.time()))
        return await done

    assert virtual.run(main(), START) - 1.0 == pytest.approx(1e-6)


def test_timers_of_one_moment_run_in_the_order_they_were_set() -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        ran: list[int] = []
        for number in range(50):
            loop.call_at(5.0, ran.append, number)
        loop.call_at(4.0, ran.append, -1)
        await asyncio.sleep(6.0)
        return ran

    assert virtual.run(main(), START) == [-1, *range(50)]


def test_the_hook_sees_every_jump_before_its_callbacks() -> None:
    seen: list[datetime] = []

    async def main() -> list[int]:
        counts = []
        for _ in range(3):
            await asyncio.sleep(10.0)
            counts.append(len(seen))
        return counts

    assert virtual.run(main(), START, on_advance=seen.append) == [1, 2, 3]
    assert seen[0] == START + timedelta(seconds=10, microseconds=1)


def test_waiting_for_nothing_is_an_error_and_not_a_hang() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual.StalledError):
        virtual.run(main(), START)


def test_a_failing_callback_ends_the_run() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_later(1.0, lambda: 1 // 0)
        await asyncio.sleep(5.0)

    with pytest.raises(ZeroDivisionError):
        virtual.run(main(), START)


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        virtual.VirtualLoop(datetime(2020, 3, 2))  # noqa: DTZ001  the case under test


def test_nobody_listens_where_no_server_was_started() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_connection(asyncio.Protocol, HOST, PORT)

    with pytest.raises(ConnectionRefusedError):
        virtual.run(main(), START)


def test_streams_carry_bytes_both_ways_and_end_with_the_far_side() -> None:
    async def main() -> tuple[bytes, bytes, list[str]]:
        events: list[str] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write((await reader.readexactly(5)).upper())
            events.append(str(await reader.read()))
            writer.close()

        loop = asyncio.get_running_loop()

        def accept() -> asyncio.Protocol:
            reader = asyncio.StreamReader(loop=loop)
            return asyncio.StreamReaderProtocol(reader, serve, loop=loop)

        server = await loop.create_server(accept, HOST, PORT)
        with pytest.raises(OSError, match="in use"):
            await loop.create_server(accept, HOST, PORT)
        reader, writer = await asyncio.open_connection(HOST, PORT)
        writer.write(b"he")
        writer.write(b"llo")
        answer = await reader.readexactly(5)
        writer.close()
        rest = await reader.read()
        await asyncio.sleep(0.1)
        server.close()
        return answer, rest, events

    assert virtual.run(main(), START) == (b"HELLO", b"", ["b''"])


def test_an_aborted_connection_is_reset_on_both_sides() -> None:
    class Ends(asyncio.Protocol):
        def __init__(self) -> None:
            self.lost: list[Exception | None] = []
            self.received = b""

        def data_received(self, data: bytes) -> None:
            self.received += data

        def connection_lost(self, exc: Exception | None) -> None:
            self.lost.append(exc)

    async def main() -> tuple[Ends, Ends]:
        loop = asyncio.get_running_loop()
        far = Ends()
        await loop.create_server(lambda: far, HOST, PORT)
        transport, near = await loop.create_connection(Ends, HOST, PORT)
        transport.write(b"never arrives")
        transport.abort()
        await asyncio.sleep(1.0)
        return near, far

    near, far = virtual.run(main(), START)
    assert [len(near.lost), len(far.lost)] == [1, 1]
    assert isinstance(far.lost[0], ConnectionResetError)
    assert far.received == b""
