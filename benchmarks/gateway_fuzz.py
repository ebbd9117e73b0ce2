"""Mutated frames against the embedded gateway: nothing a client may send takes it down.

Every message a client library can write, orders included, is sent with fields dropped, doubled, swapped, cut,
filled with numbers too large or with bytes that are no text, in whole frames and in frames whose length lies.
After each one a witness on another connection must still be answered. Then come bursts of ten megabytes:
honest requests, mutated ones, and bytes that are no protocol. At the end the counts are printed. Run
`python -m benchmarks.gateway_fuzz [--frames N] [--seed S] [--burst-mb N]`.
"""

import argparse
import collections
import random
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ib_async import ComboLeg, Contract, LimitOrder

from benchmarks.gateway_memory import Writer
from simulator.exchange import Exchange
from simulator.gateway import Gateway
from simulator.session import Session
from simulator.stochastic import StochasticMarket
from simulator.wire import MAX_FRAME, frame, split

FRAMES = 20_000
BURST_MB = 10
SEGMENT = 1 << 14
START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
CONTRACT = ("416904", "SPX", "IND", "", "0.0", "", "", "CBOE", "", "USD", "", "")
COMBO = ("0", "SPX", "BAG", "", "0.0", "", "", "SMART", "", "USD", "", "")
NASTY = (
    "", "-1", "0", "1", "nan", "inf", "-inf", "Infinite", "1e308", "1e-308", "9" * 30, "2147483648", "\x7f",
    "BAG", "OPT", "20260320", "\u00e9\u4e16", "US/Eastern", "SPX\n", "%s%n", "1.7976931348623157E308",
)  # fmt: skip


def seeds() -> list[list[str]]:
    """Messages as an honest client writes them."""
    writer, legs = Writer(), ((1420846216, "BUY"), (1420846218, "SELL"))
    combo = [ComboLeg(conId=con_id, ratio=1, action=action, exchange="SMART") for con_id, action in legs]
    bag = Contract(symbol="SPX", secType="BAG", exchange="SMART", currency="USD", comboLegs=combo)
    write: Any = writer.placeOrder
    write(1, bag, LimitOrder("BUY", 1, -0.05, tif="DAY", account="DU0000000", orderRef="fuzz"))
    order = split(writer.written[4:])
    return [
        ["71", "2", "5", ""], ["61", "1"], ["5", "1"], ["16", "1"], ["15", "1", "1"], ["99", "0"],
        ["49", "1"],
        ["7", "3", "9", "0", "", "", "", "", "", ""], ["6", "2", "1", "DU0000000"], ["8", "1", "1"],
        ["1", "11", "4", *CONTRACT, "0", "", "0", "0", ""], ["2", "2", "4"], ["59", "1", "3"],
        ["1", "11", "5", *COMBO, "1", "416904", "1", "BUY", "SMART", "0", "", "0", "0", ""],
        ["9", "8", "6", *CONTRACT, "0", "", "", ""], ["78", "7", "SPX", "", "IND", "416904"], ["91", "110"],
        ["20", "8", *CONTRACT, "0", "", "1 day", "5 D", "1", "TRADES", "1", "0", ""], ["25", "1", "8"],
        ["62", "1", "9", "All", "NetLiquidation"], ["76", "1", "10", "DU0000000", "", "1"], ["58", "1"],
        ["92", "11", "DU0000000", ""], ["94", "12", "DU0000000", "", "416904"], ["4", "1", "1", ""],
        ["81", "13", "SPX"], ["87", "14", *CONTRACT, "0", "1", "TRADES", "1"],
        order, order, order,
    ]  # fmt: skip


def mutated(message: list[str], chance: random.Random) -> bytes:
    """The message with a few of its fields gone wrong, as a frame that may lie about its length."""
    fields = list(message)
    for _ in range(chance.randrange(4)):
        place = chance.randrange(len(fields)) if fields else 0
        turn = chance.randrange(5)
        if turn == 0 and fields:
            del fields[place]
        elif turn == 1:
            fields.insert(place, NASTY[chance.randrange(len(NASTY))])
        elif turn == 2 and fields:
            fields[place] = NASTY[chance.randrange(len(NASTY))]
        elif turn == 3 and fields:
            fields = fields[:place]
        elif fields:
            fields[place] = fields[place] * chance.randrange(1, 40)
    payload = "".join(f"{field}\0" for field in fields).encode("utf-8", "surrogatepass")
    if chance.random() < 0.05:
        payload = bytes(chance.randrange(256) for _ in range(chance.randrange(60)))
    whole = frame(payload)
    if chance.random() < 0.02:
        whole = struct.pack(">I", chance.randrange(1 << 32)) + payload
    return whole


class Line:
    """A connection and what came over it."""

    def __init__(self, gateway: Gateway, client_id: int) -> None:
        self.sent: list[bytes] = []
        self.is_closed = False
        self.session: Session = gateway.connect(self.sent.append, self._close)
        self.session.receive(b"API\0" + frame(b"v157..176"))
        self.session.receive(frame(f"71\0002\0{client_id}\0\0".encode()))

    def _close(self) -> None:
        self.is_closed = True


def fuzz(frames: int, seed: int) -> collections.Counter[str]:
    """Send so many frames; counts by outcome. Raises AssertionError when the witness is not answered."""
    now = START
    gateway = Gateway(Exchange(StochasticMarket(1, START, 10.0), "DU0000000"), lambda: now)
    chance, originals = random.Random(seed), seeds()
    witness, attacker = Line(gateway, 1), Line(gateway, 2)
    counts: collections.Counter[str] = collections.Counter()
    for number in range(frames):
        original = originals[chance.randrange(len(originals))]
        if original[0] == "3":
            original = ["3", str(gateway.venue.next_order_id(2)), *original[2:]]
        data = mutated(original, chance)
        middle = chance.randrange(len(data) + 1)
        for piece in (data[:middle], data[middle:]):
            attacker.session.receive(piece)
        answer = b"".join(attacker.sent)
        counts["answered" if answer else "silent"] += 1
        if b"Submitted\x00" in answer:
            counts["orders taken"] += 1
        if b"\x00320\x00" in answer:
            counts["refused as unreadable"] += 1
        attacker.sent.clear()
        witness.sent.clear()
        witness.session.receive(frame(b"49\x001\x00"))
        if [split(one[4:])[0] for one in witness.sent[:1]] != ["49"]:
            raise AssertionError(f"frame {number} silenced the witness: {data[:200]!r}")
        if attacker.is_closed or number % 97 == 96:
            counts["connections"] += 1
            gateway.disconnect(attacker.session)
            attacker = Line(gateway, 2)
        if number % 50 == 49:
            now += timedelta(seconds=10)
            gateway.step()
    return counts


def bursts(size: int, seed: int) -> list[tuple[str, int, int, int]]:
    """Send `size` bytes at once in each of four ways: name, bytes sent and answered, connections it took.

    Raises AssertionError when the witness is not answered afterwards.
    """
    now = START
    gateway = Gateway(Exchange(StochasticMarket(1, START, 10.0), "DU0000000"), lambda: now)
    chance, originals = random.Random(seed), seeds()
    witness = Line(gateway, 1)
    light = [one for one in originals if one[0] in {"5", "8", "49", "91", "99"}]  # short answers
    honest = b"".join(frame("".join(f"{field}\0" for field in one).encode()) for one in light)
    kinds: dict[str, Callable[[], bytes]] = {
        "honest requests": lambda: honest,
        "mutated requests": lambda: mutated(originals[chance.randrange(len(originals))], chance),
        "random bytes": lambda: chance.randbytes(65_536),
        "frames of the largest size": lambda: frame(b"\x7f" * MAX_FRAME),
    }
    found = []
    for name, piece in kinds.items():
        attacker, lines, sent, answered = Line(gateway, 2), 1, 0, 0
        while sent < size:
            # Whole frames, so that the next connection after one that was ended begins with one.
            data = bytearray()
            while len(data) < SEGMENT:
                data += piece()
            attacker.session.receive(bytes(data))
            sent += len(data)
            answered += sum(map(len, attacker.sent))
            attacker.sent.clear()
            if attacker.is_closed:
                gateway.disconnect(attacker.session)
                attacker, lines = Line(gateway, 2), lines + 1
        gateway.disconnect(attacker.session)
        now += timedelta(seconds=10)
        gateway.step()
        witness.sent.clear()
        witness.session.receive(frame(b"49\x001\x00"))
        if [split(one[4:])[0] for one in witness.sent[:1]] != ["49"]:
            raise AssertionError(f"a burst of {name} silenced the witness")
        found.append((name, sent, answered, lines))
    return found


def main() -> int:
    """Print the counts."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--frames", type=int, default=FRAMES)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--burst-mb", type=int, default=BURST_MB)
    options = arguments.parse_args()
    counts = fuzz(options.frames, options.seed)
    told = ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
    print(f"{options.frames:,} frames, no failure: {told}")
    for name, sent, answered, lines in bursts(options.burst_mb << 20, options.seed):
        print(f"burst of {sent / 1e6:.1f} MB of {name}: {answered:,} bytes answered, {lines:,} connections")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
