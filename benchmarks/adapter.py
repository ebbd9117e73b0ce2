"""Market-data messages a second through the broker adapter, beside a bare ib_async handler on the same bytes.

Both take the same stream in the same pieces, in turns, in one process, from the moment the socket would hand
the bytes over to the moment the quotes of all lines are in a dictionary; the median ratio of the rounds
counts. The stream is what options send: a bid and an ask with their sizes, a size alone, and a model
computation. The bare handler reads bid and ask off the library's own tickers once a piece, as its
documentation shows; the adapter hands over validated, rounded quotes with proof of life. Run
`python -m benchmarks.adapter [--json]`.
"""

import argparse
import asyncio
import json
import logging
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import ib_async

from bot.broker.pacing import Pacer
from bot.broker.quotes import LineBook
from bot.broker.session import Hooks, Session
from bot.clock import WallClock
from market.contract import Contract, Right, SecurityType
from simulator.wire import message, to_bytes

LINES = 100
MESSAGES = 40_000
PIECE_BYTES = 16_384
ROUNDS = 7
VERSION = 176
TARGET = 0.9

Quotes = dict[int, tuple[float | None, float | None]]


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant's median."""

    name: str
    messages_per_s: float
    us_per_message: float


def stream(seed: int = 1) -> list[bytes]:
    """A seeded stream of ticks on all lines, cut as TCP reads would be."""
    generator = random.Random(seed)
    texts = []
    for number in range(MESSAGES // 4):
        line = 1 + number % LINES
        bid = round(generator.uniform(1.0, 40.0), 2)
        size = generator.randint(1, 90)
        texts += [
            message(1, 6, line, 1, bid, size, 0),
            message(1, 6, line, 2, round(bid + 0.2, 2), size + 1, 0),
            message(2, 6, line, 0, size + 2),
            message(21, line, 13, 0, 0.21, -0.16, bid, 0.0, 0.002, 1.4, -0.3, 3000.0),
        ]
    data = to_bytes(texts)
    return [data[start : start + PIECE_BYTES] for start in range(0, len(data), PIECE_BYTES)]


def ready(client: Any) -> None:
    """Put a client past its handshake."""
    client._serverVersion = client.decoder.serverVersion = VERSION
    client.connState = client.CONNECTED
    client._apiReady = True


def bare(pieces: Sequence[bytes]) -> tuple[float, Quotes]:
    """Seconds a plain ib_async handler takes, and the quotes it ends with."""
    ib = ib_async.IB()
    ready(ib.client)
    for line in range(1, LINES + 1):
        ib.wrapper.startTicker(line, ib_async.Contract(conId=1000 + line), "mktData")
    quotes: Quotes = {}

    def take(tickers: Any) -> None:
        for ticker in tickers:
            quotes[ticker.contract.conId] = (ticker.bid, ticker.ask)

    ib.pendingTickersEvent += take
    return fed(ib.client, pieces), quotes


def adapted(pieces: Sequence[bytes]) -> tuple[float, Quotes]:
    """Seconds the adapter takes, and the quotes it ends with."""
    lines = LineBook(timedelta(seconds=30))
    session = Session(
        account="DU0000000",
        client_id=1,
        clock=WallClock(),
        lines=lines,
        contracts={},
        pacer=Pacer(time.perf_counter),
        answers_within_s=1.0,
        hooks=Hooks(_nothing, _nothing, _nothing, _nothing),
    )
    ready(session.client)
    for line in range(1, LINES + 1):
        lines.open(
            line,
            Contract(
                SecurityType.OPTION, "SPX", "SPXW", strike=float(line), right=Right.CALL, con_id=1000 + line
            ),
        )
    quotes: Quotes = {}
    now = datetime(2020, 3, 16, 14, tzinfo=UTC)

    def take() -> None:
        taken = lines.take(now)
        if taken is not None:
            quotes.update({con_id: (bid, ask) for con_id, bid, ask, _ in taken.quotes})

    return fed(session.client, pieces, take), quotes


def fed(client: Any, pieces: Sequence[bytes], after: Callable[[], None] | None = None) -> float:
    """Seconds to hand all pieces to a client, with `after` run after each."""
    began = time.perf_counter()
    for piece in pieces:
        client.conn.hasData.emit(piece)
        if after is not None:
            after()
    return time.perf_counter() - began


async def measure() -> tuple[list[Row], float]:
    """The two medians and the median ratio, adapter to bare."""
    pieces = stream()
    bare_s, adapted_s = [], []
    for _ in range(ROUNDS):
        seconds, expected = bare(pieces)
        bare_s.append(seconds)
        seconds, found = adapted(pieces)
        adapted_s.append(seconds)
        if found != expected or len(found) != LINES:
            raise SystemExit("the two do not end with the same quotes: the comparison means nothing")
    ratio = statistics.median(plain / own for plain, own in zip(bare_s, adapted_s, strict=True))
    rows = [
        Row(name, round(MESSAGES / seconds), round(seconds / MESSAGES * 1e6, 2))
        for name, seconds in (
            ("ib_async", statistics.median(bare_s)),
            ("adapter", statistics.median(adapted_s)),
        )
    ]
    return rows, round(ratio, 3)


def main() -> None:
    """Print the figures, or one JSON object with --json."""
    parser = argparse.ArgumentParser(description="messages a second through the broker adapter")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    rows, ratio = asyncio.run(measure())
    if arguments.json:
        print(json.dumps({"rounds": ROUNDS, "rows": [asdict(row) for row in rows], "ratio": ratio}))
        return
    for row in rows:
        print(f"{row.name:10} {row.messages_per_s:12,.0f} messages/s {row.us_per_message:8.2f} us a message")
    print(
        f"adapter / ib_async {ratio:.2f} (target {TARGET}), {LINES} lines, median of {ROUNDS} rounds in turns"
    )


def _nothing(*_: object) -> None:
    return None


if __name__ == "__main__":
    main()
