"""Streamed lines: raw ticks in, quotes out.

The ticks are taken as the decoder hands them over, before either library's own rules: ib_async replaces a
bid or an ask by -1 whenever its size is 0, which destroys AD-NYSE, where the "bid" counts advancing issues
and has no size; ib_insync keeps the price of a side nobody offers. Here the rule is the same on both: a side
without size is no quote, except on lines that count issues; a price that is not finite and positive is no
quote anywhere. Data that is delayed or frozen is no quote either.
"""

from datetime import datetime, timedelta

from bot.broker.interest import InterestBook, interest_kind
from bot.events import Feed, QuotesTaken
from market.contract import Contract, SecurityType
from market.rounding import round_price

BREADTH_SYMBOL = "AD-NYSE"
_FEEDS = {
    SecurityType.INDEX: Feed.INDEX,
    SecurityType.FUTURE: Feed.FUTURE,
    SecurityType.OPTION: Feed.OPTION,
    SecurityType.STOCK: Feed.INDEX,
}
_BID, _ASK, _LAST = 1, 2, 4
_BID_SIZE, _ASK_SIZE = 0, 3
_LIVE = 1
_HALTED = 49
_PRICE_MAX = 1e7

QuoteRow = tuple[int, float | None, float | None, float | None]


class Line:
    """The raw top of book of one streamed contract, as last ticked."""

    __slots__ = (
        "ask",
        "ask_size",
        "bid",
        "bid_size",
        "con_id",
        "feed",
        "interest",
        "interest_kind",
        "is_halted",
        "is_live",
        "last",
        "needs_size",
        "taken",
    )

    def __init__(self, contract: Contract) -> None:
        self.con_id = contract.con_id
        self.feed = _FEEDS.get(contract.security_type, Feed.OPTION)
        self.needs_size = contract.symbol != BREADTH_SYMBOL
        self.interest_kind = interest_kind(contract)
        self.interest: int | None = None
        self.is_live = True
        self.is_halted = False
        self.bid = self.ask = self.last = self.bid_size = self.ask_size = 0.0
        self.taken: QuoteRow = (self.con_id, None, None, None)

    def quote(self) -> QuoteRow:
        """(con_id, bid, ask, last), each side None where it is no quote."""
        if not self.is_live or self.is_halted:
            return (self.con_id, None, None, None)
        sized = self.needs_size
        bid = None if sized and not self.bid_size > 0.0 else _price(self.bid)
        ask = None if sized and not self.ask_size > 0.0 else _price(self.ask)
        return (self.con_id, bid, ask, _price(self.last))


class LineBook:
    """All streamed lines by request id, and those that ticked since the last look.

    `silence` is how long a class of data may say nothing before it stops counting as alive.
    """

    def __init__(self, silence: timedelta) -> None:
        self.interest = InterestBook()
        self.heard_at: datetime | None = None  # when the last bytes of any message came
        self._silence = silence
        self._lines: dict[int, Line] = {}
        self._requests: dict[int, int] = {}
        self._refused: frozenset[int] = frozenset()
        self._ticked: dict[int, Line] = {}
        self._proves_nothing: set[int] = set()  # ticked before the interruption, and not since
        self._proved: dict[Feed, datetime] = {}
        self._alive: tuple[Feed, ...] = ()

    @property
    def streamed(self) -> frozenset[int]:
        """Ids of the contracts that are subscribed, or were refused since the wish for lines last changed."""
        return self._refused.union(self._requests)

    def open(self, request_id: int, contract: Contract) -> None:
        """A line was subscribed."""
        self._lines[request_id] = Line(contract)
        self._requests[contract.con_id] = request_id

    def close(self, con_id: int) -> int:
        """A line is no longer wanted; returns the request to cancel."""
        request_id = self._requests.pop(con_id)
        line = self._lines.pop(request_id)
        self._ticked.pop(line.con_id, None)
        return request_id

    def refuse(self, request_id: int) -> None:
        """The account has no more lines (error 101): this one never was. It is tried again by `retry`."""
        line = self._lines.pop(request_id)
        self._requests.pop(line.con_id)
        self._ticked.pop(line.con_id, None)
        self._refused |= {line.con_id}

    def retry(self) -> None:
        """The wish for lines has changed, and some may be free now."""
        self._refused = frozenset()

    def clear(self) -> None:
        """The broker forgot all subscriptions, or we lost the broker."""
        self._lines.clear()
        self._requests.clear()
        self._ticked.clear()
        self.retry()
        self.interrupt()

    def interrupt(self) -> None:
        """A data farm broke: every class of data has to prove itself anew, by a tick from now on."""
        self._proved.clear()
        self._proves_nothing.update(self._ticked)

    def contract_of(self, request_id: int) -> int | None:
        """The contract streamed under a request id."""
        line = self._lines.get(request_id)
        return None if line is None else line.con_id

    def price_tick(self, request_id: int, kind: int, price: float, size: float) -> None:
        """A price and its size, raw."""
        line = self._lines.get(request_id)
        if line is None:
            return
        if kind == _BID:
            line.bid = price
            line.bid_size = size
        elif kind == _ASK:
            line.ask = price
            line.ask_size = size
        elif kind == _LAST:
            line.last = price
        else:
            return
        self._tick(line)

    def size_tick(self, request_id: int, kind: int, size: float) -> None:
        """A size alone, raw."""
        line = self._lines.get(request_id)
        if line is None:
            return
        if kind == _BID_SIZE:
            line.bid_size = size
        elif kind == _ASK_SIZE:
            line.ask_size = size
        else:
            if kind == line.interest_kind:
                line.interest = self.interest.tell(line.con_id, line.interest, size)
            return
        self._tick(line)

    def blank(self, request_id: int | None) -> None:
        """A tick of this line, or of one we cannot tell, could not be read: what stood may no longer hold."""
        lines = self._lines.values() if request_id is None else [self._lines.get(request_id)]
        for line in lines:
            if line is None:
                continue
            line.bid = line.ask = line.last = 0.0
            self._tick(line)

    def generic_tick(self, request_id: int, kind: int, value: float) -> None:
        """Trading in the contract is halted (1 by an authority, 2 by volatility), or goes on (0): what is
        quoted meanwhile is no market.
        """
        line = self._lines.get(request_id)
        if line is not None and kind == _HALTED and line.is_halted is not (value > 0.0):
            line.is_halted = value > 0.0
            self._tick(line)

    def data_type(self, request_id: int, kind: int) -> None:
        """The broker says whether a line is live (1), frozen (2) or delayed (3, 4)."""
        line = self._lines.get(request_id)
        if line is not None and line.is_live is not (kind == _LIVE):
            line.is_live = kind == _LIVE
            self._tick(line)

    def take(self, now: datetime, anyway: bool = False) -> QuotesTaken | None:
        """Quotes that changed since the last look and the feeds that are alive.

        None when neither changed, unless the answer is wanted anyway.
        Quotes are in order of con_id. A feed proves itself by any tick of a live line, changed or not.
        """
        quotes: list[QuoteRow] = []
        for con_id in sorted(self._ticked):
            line = self._ticked[con_id]
            if line.is_live and con_id not in self._proves_nothing:
                self._proved[line.feed] = now
            quote = line.quote()
            if quote != line.taken:
                line.taken = quote
                quotes.append(quote)
        self._ticked.clear()
        self._proves_nothing.clear()
        alive = tuple(feed for feed in Feed if self._is_alive(feed, now))
        if not quotes and alive == self._alive and not anyway:
            return None
        self._alive = alive
        return QuotesTaken(tuple(quotes), alive)

    def _tick(self, line: Line) -> None:
        self._ticked[line.con_id] = line
        self._proves_nothing.discard(line.con_id)

    def _is_alive(self, feed: Feed, now: datetime) -> bool:
        proved = self._proved.get(feed)
        return proved is not None and now - proved <= self._silence


def _price(value: float) -> float | None:
    # The comparison is false for NaN, so that it needs no case of its own.
    return round_price(value) if 0.0 < value < _PRICE_MAX else None
