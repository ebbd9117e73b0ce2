"""A virtual-time asyncio loop with a network in memory: whole sessions in seconds, always the same way.

Unmodified client code runs on it: when nothing is ready the loop jumps to its next timer instead of waiting,
and connections lead to servers of the same loop. Timers that fall due together run in the order they were
set. There are no sockets, no threads and no wall clock in it.
"""

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar, TypeVarTuple, Unpack

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
Address = tuple[str, int]
ProtocolFactory = Callable[[], asyncio.BaseProtocol]

#: Virtual time goes this far past each timer. A client that throttles by `now - then > 1.0` on an exact clock
#: would find its own timer never late enough, and spin.
_PAST_TIMER_S: Final = 1e-6


class StalledError(RuntimeError):
    """Everything waits and no timer is set: nothing can ever happen again."""


class _Timer(asyncio.TimerHandle):
    """A timer that orders by time and then by the order of setting."""

    __slots__ = ("seq",)

    def __init__(
        self,
        when: float,
        seq: int,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        super().__init__(when, callback, args, loop, context)
        self.seq = seq

    def __lt__(self, other: object) -> bool:
        if isinstance(other, _Timer):
            return (self.when(), self.seq) < (other.when(), other.seq)
        return NotImplemented


class _Jump:
    """What asyncio takes for a selector: instead of waiting it moves the clock to the next timer."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance

    def select(self, timeout: float | None) -> list[object]:
        if timeout is None:
            raise StalledError("every task waits and no timer is set")
        if timeout > 0:
            self._advance(timeout + _PAST_TIMER_S)
        return []

    def close(self) -> None:
        """Nothing to close."""


class VirtualLoop(asyncio.BaseEventLoop):
    """An asyncio event loop whose time begins at `start` and passes only between events.

    `on_advance` is called with the new time after each jump, before any callback of that time runs.
    """

    def __init__(self, start: datetime, on_advance: Callable[[datetime], None] | None = None) -> None:
        super().__init__()
        if start.tzinfo is None:
            self.close()
            raise ValueError(f"{start} needs a time zone")
        self._start = start
        self._elapsed_s = 0.0
        self._on_advance = on_advance
        self._timers_set = 0
        self._servers: dict[Address, MemoryServer] = {}
        self._next_port = 49152
        self._selector = _Jump(self._move)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._elapsed_s

    def now(self) -> datetime:
        """Virtual time, in the zone of the start, to the microsecond."""
        return self._start + timedelta(microseconds=round(self._elapsed_s * 1e6))

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's, with ties broken by the order of the calls."""
        self._check_closed()  # type: ignore[attr-defined]  # the base class's own guard
        self._timers_set += 1
        timer = _Timer(when, self._timers_set, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)  # type: ignore[attr-defined]  # the base class's own heap
        timer._scheduled = True  # type: ignore[attr-defined]  # asyncio counts cancelled timers by it
        return timer

    async def create_connection(  # type: ignore[override]  # only what has a meaning without sockets
        self, protocol_factory: ProtocolFactory, host: str | None = None, port: int | None = None, **_: Any
    ) -> tuple[asyncio.Transport, asyncio.BaseProtocol]:
        """Connect to a server of this loop. Raises ConnectionRefusedError when none listens there."""
        await asyncio.sleep(0)
        server = self._servers.get((host or "", port or 0))
        if server is None:
            raise ConnectionRefusedError(f"nothing listens on {host}:{port}")
        client_protocol = protocol_factory()
        self._next_port += 1
        client, _far = _connect(self, client_protocol, server, ("127.0.0.1", self._next_port))
        return client, client_protocol

    async def create_server(  # type: ignore[override]  # only what has a meaning without sockets
        self, protocol_factory: ProtocolFactory, host: str | None = None, port: int | None = None, **_: Any
    ) -> "MemoryServer":
        """Listen in memory. Raises OSError when the address is taken."""
        address = (host or "", port or 0)
        if address in self._servers:
            raise OSError(f"address {host}:{port} is in use")
        server = MemoryServer(self, address, protocol_factory, self._servers)
        self._servers[address] = server
        return server

    def _move(self, seconds: float) -> None:
        self._elapsed_s += seconds
        if self._on_advance is not None:
            self._on_advance(self.now())

    def _process_events(self, event_list: list[object]) -> None:
        """The selector never reports events."""

    def _write_to_self(self) -> None:
        """No other thread has to be woken."""


class MemoryServer(asyncio.AbstractServer):
    """A server in memory, with the part of asyncio's interface that servers in this project use."""

    def __init__(
        self,
        loop: "VirtualLoop",
        address: Address,
        protocol_factory: ProtocolFactory,
        servers: "dict[Address, MemoryServer]",
    ) -> None:
        self._loop = loop
        self.address = address
        self.protocol_factory = protocol_factory
        self._servers = servers

    def close(self) -> None:
        """Stop listening. Connections that are open stay open, as with sockets."""
        if self._servers.get(self.address) is self:
            del self._servers[self.address]

    async def wait_closed(self) -> None:
        """Closing takes no time."""

    async def start_serving(self) -> None:
        """It serves from the beginning."""

    async def serve_forever(self) -> None:
        """Wait until cancelled."""
        await asyncio.get_running_loop().create_future()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop this server belongs to."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether new connections are taken."""
        return self._servers.get(self.address) is self


class MemoryTransport(asyncio.Transport):
    """One end of a connection in memory. What is written in one turn of the loop arrives as one piece in the
    next.
    """

    def __init__(self, loop: VirtualLoop, protocol: asyncio.BaseProtocol, extra: dict[str, Any]) -> None:
        super().__init__(extra)
        self._loop = loop
        self._protocol = protocol
        self._far: MemoryTransport | None = None
        self._written: list[bytes] = []
        self._closing = False
        self._ended = False

    def join(self, far: "MemoryTransport") -> None:
        """Make `far` the other end."""
        self._far = far

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; dropped when the connection is closing."""
        if self._closing or not data:
            return
        if not self._written:
            self._loop.call_soon(self._deliver)
        self._written.append(bytes(data))

    def write_eof(self) -> None:
        """Half-close is told to the far end by `close`."""

    def can_write_eof(self) -> bool:
        """Taken and ignored, see `write_eof`."""
        return True

    def close(self) -> None:
        """Close after what was written; both ends are told."""
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._end, None, None)

    def abort(self) -> None:
        """Close at once and drop what was written; the far end sees a reset."""
        self._written.clear()
        if not self._ended:
            self._closing = True
            self._loop.call_soon(self._end, None, ConnectionResetError("connection reset"))

    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._closing

    def get_write_buffer_size(self) -> int:
        """Bytes written in this turn of the loop."""
        return sum(len(piece) for piece in self._written)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol this end feeds."""
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Feed another protocol."""
        self._protocol = protocol

    def pause_reading(self) -> None:
        """Memory has no back-pressure."""

    def resume_reading(self) -> None:
        """Memory has no back-pressure."""

    def is_reading(self) -> bool:
        """Always, until the end."""
        return not self._ended

    def _deliver(self) -> None:
        data, self._written = b"".join(self._written), []
        far = self._far
        if data and far is not None and not far._ended and isinstance(far._protocol, asyncio.Protocol):
            far._protocol.data_received(data)

    def _end(self, error: Exception | None, far_error: Exception | None) -> None:
        if self._ended:
            return
        self._deliver()
        self._ended = self._closing = True
        self._protocol.connection_lost(error)
        far = self._far
        if far is not None and not far._ended:
            far._closing = True
            self._loop.call_soon(far._end, far_error, None)


def _connect(
    loop: VirtualLoop, client_protocol: asyncio.BaseProtocol, server: MemoryServer, client_address: Address
) -> tuple[MemoryTransport, MemoryTransport]:
    server_protocol = server.protocol_factory()
    near = MemoryTransport(
        loop, client_protocol, {"peername": server.address, "sockname": client_address, "socket": None}
    )
    far = MemoryTransport(
        loop, server_protocol, {"peername": client_address, "sockname": server.address, "socket": None}
    )
    near.join(far)
    far.join(near)
    server_protocol.connection_made(far)
    client_protocol.connection_made(near)
    return near, far


def run(
    main: Coroutine[Any, Any, Result],
    start: datetime,
    on_advance: Callable[[datetime], None] | None = None,
    loop_type: type[VirtualLoop] = VirtualLoop,
) -> Result:
    """Run `main` to its end in virtual time that begins at `start` (aware), and return its result.

    An exception in a callback, which asyncio would only log, ends the run and is raised. Raises StalledError
    when nothing can happen any more. Tasks that are left over are cancelled.
    """
    loop = loop_type(start, on_advance)
    failures: list[BaseException] = []

    def on_failure(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        failure = context.get("exception")
        if failure is not None and "handle" in context:
            failures.append(failure)
            task.cancel()
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(on_failure)
    task = loop.create_task(main)
    # Older client code asks the policy for its loop, even where one is running.
    asyncio.set_event_loop(loop)
    try:
        result = loop.run_until_complete(task)
    except asyncio.CancelledError:
        if failures:
            raise failures[0] from None
        raise
    finally:
        _finish(loop)
    if failures:
        raise failures[0]
    return result


def _finish(loop: VirtualLoop) -> None:
    try:
        # all_tasks is a set of objects; names carry the order of creation.
        names = {task.get_name(): task for task in asyncio.all_tasks(loop) if not task.done()}
        left = [names[name] for name in sorted(names, key=lambda name: (len(name), name))]
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
