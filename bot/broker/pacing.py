"""A pace below the broker's limit, so that no message ever waits in the client library's own queue.

That queue is lost without a word when the socket drops, and an order in it looks sent. The library begins to
queue at 45 messages a second; we stop at what the rules allow (40) and keep eight of them for orders, so that
a resubscription of every line never delays one.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

MESSAGES_PER_S = 40
RESERVED_FOR_ORDERS = 8
_WINDOW_S = 1.0
# Seconds by which a wait is rounded up: a timer that fires a last bit early would spin.
_MARGIN_S = 0.001


class Pacer:
    """Counts what was sent in the last second of `time`, the running loop's seconds.

    At most `messages_per_s` go out in any second, and some of them are kept for orders.
    """

    def __init__(self, time: Callable[[], float], messages_per_s: int = MESSAGES_PER_S) -> None:
        self._time = time
        self._all = messages_per_s
        self._common = messages_per_s - min(RESERVED_FOR_ORDERS, messages_per_s // 2)
        self._sent: deque[float] = deque()

    def wait_s(self, *, urgent: bool = False) -> float:
        """Seconds until the next message may go; 0.0 when it may go now. Orders are urgent."""
        now = self._time()
        while self._sent and now - self._sent[0] >= _WINDOW_S:
            self._sent.popleft()
        allowed = self._all if urgent else self._common
        if len(self._sent) < allowed:
            return 0.0
        return self._sent[len(self._sent) - allowed] + _WINDOW_S - now + _MARGIN_S

    def sent(self, messages: int = 1) -> None:
        """Count messages that were just sent."""
        self._sent.extend([self._time()] * messages)


class Outbox:
    """What still has to go out in one session: orders as they were given, and the lines that should stream.

    `subscribe` and `unsubscribe` send one message for a contract. Changes of the lines are not queued but
    worked out anew each time, so that the last wish counts and nothing is lost or doubled.
    """

    def __init__(
        self,
        pacer: Pacer,
        streamed: Callable[[], frozenset[int]],
        subscribe: Callable[[int], None],
        unsubscribe: Callable[[int], None],
    ) -> None:
        self.pacer = pacer
        self._streamed = streamed
        self._subscribe = subscribe
        self._unsubscribe = unsubscribe
        self._orders: deque[tuple[str, Callable[[], None]]] = deque()
        self._wanted: frozenset[int] = frozenset()
        self._timer: asyncio.TimerHandle | None = None

    def order(self, order_ref: str, send: Callable[[], None]) -> None:
        """Send an order's message now, or as soon as the pace allows."""
        self._orders.append((order_ref, send))
        self.flush()

    def withdraw(self, order_ref: str) -> bool:
        """Take back what waits for this order; whether anything did."""
        kept = deque(one for one in self._orders if one[0] != order_ref)
        waited, self._orders = len(kept) < len(self._orders), kept
        return waited

    def stream(self, con_ids: Iterable[int]) -> None:
        """Stream exactly these contracts from now on."""
        self._wanted = frozenset(con_ids)
        self.flush()

    def flush(self) -> None:
        """Send what the pace allows, orders first, then ended lines, then new ones; the rest later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._orders and not self.pacer.wait_s(urgent=True):
            self.pacer.sent()
            self._orders.popleft()[1]()
        if not self._orders:
            self._change_lines(self._streamed())
        if self._orders or self._streamed() != self._wanted:
            wait_s = self.pacer.wait_s(urgent=bool(self._orders))
            self._timer = asyncio.get_running_loop().call_later(wait_s, self.flush)

    def close(self) -> tuple[str, ...]:
        """Stop. Returns the references of orders whose messages were never written."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        unsent = tuple(order_ref for order_ref, _ in self._orders)
        self._orders.clear()
        return unsent

    def _change_lines(self, streamed: frozenset[int]) -> None:
        # Ended lines first: the account's number of lines is limited.
        changes = [(self._unsubscribe, con_id) for con_id in sorted(streamed - self._wanted)]
        changes += [(self._subscribe, con_id) for con_id in sorted(self._wanted - streamed)]
        for change, con_id in changes:
            if self.pacer.wait_s():
                return
            self.pacer.sent()
            change(con_id)
