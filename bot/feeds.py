"""Slow series for the engine: fetched from public pages or read from a folder of history.

A value is handed over once, and again when it was revised; each carries the moment from which it was known.
What fails to arrive stays unknown to the engine and is told as an alert; one page that is down never takes
the others with it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bot import publications
from bot.clock import Clock
from bot.errors import FeedError
from bot.events import DISTRIBUTION, NET_ADVANCES, VX_SETTLEMENT, Alert, ObservationsKnown
from market.series import Observation
from market.sessions import session_offset, sessions

if TYPE_CHECKING:
    import httpx

Fetch = Callable[[str], Awaitable[bytes]]
Answer = Callable[[str], tuple[int, str, bytes]]

BODY_BYTES_MAX = 16 * 1024 * 1024
SETTLEMENT_FILES_MAX = 30
_NOT_FOUND = 404
# How far back an update looks for daily values that came late.
_UPDATE_SESSIONS = 5
_CBOE_PAGES = frozenset({"spx", "vix", "vvix"})
# Price pages of our own: value column and date column by series.
_PLAIN_PAGES = {"vnq": ("close", "date"), DISTRIBUTION: ("amount", "ex_date")}
_MONTHS_KEPT = timedelta(days=366 * 7)
_DISTRIBUTIONS_KEPT = timedelta(days=366 * 3)


class NotPublishedError(FeedError):
    """The page says that this is not out (yet)."""


def answered_by(answer: Answer) -> Fetch:
    """Fetch from a function of path and query that returns status, content type and body."""

    async def fetch(url: str) -> bytes:
        parts = urlsplit(url)
        status, _, body = answer(parts.path + (f"?{parts.query}" if parts.query else ""))
        return _checked_body(url, status, body)

    return fetch


def over_http(timeout_s: float = 20.0, attempts: int = 3) -> Fetch:
    """Fetch over the network: a deadline for the whole of each attempt, a cap on the size, few repeats.

    Only errors that may pass are repeated (no connection, time-outs, status 429 and 5xx). The HTTP client is
    imported at the first use.
    """

    async def fetch(url: str) -> bytes:
        import httpx

        last: Exception | None = None
        for attempt in range(attempts):
            if attempt:
                await asyncio.sleep(2.0**attempt)
            try:
                async with asyncio.timeout(timeout_s), httpx.AsyncClient(follow_redirects=True) as client:
                    status, body = await _stream(client, url)
            except (httpx.HTTPError, TimeoutError) as error:
                last = error
                continue
            if status == 429 or status >= 500:
                last = FeedError(f"{url}: status {status}")
                continue
            return _checked_body(url, status, body)
        raise FeedError(
            f"{url}: not reached in {attempts} attempts ({last!r}): check the network and the address"
        )

    return fetch


class PublishedFeeds:
    """The daily and monthly series the broker does not carry.

    `addresses` by name: reer, ppi, treasury_10y, baa, fed_funds (FRED graph files), spx, vix, vvix (Cboe
    index histories), breadth (date, advances, declines), vnq (date, close), vnq_distribution (ex_date,
    amount) and vx_settlement, whose {date} stands for the session; a name left out is not fetched.
    `history` is a folder of daily files read once, at the warm-up.
    """

    def __init__(
        self,
        fetch: Fetch,
        addresses: Mapping[str, str],
        clock: Clock,
        *,
        history: Path | None = None,
        notify: Callable[[Alert], None] = lambda _: None,
        settlement_files_max: int = SETTLEMENT_FILES_MAX,
    ) -> None:
        self._fetch = fetch
        self._addresses = dict(addresses)
        self._clock = clock
        self._history = history
        self._notify = notify
        self._settlement_files_max = settlement_files_max
        self._told: dict[str, dict[date, float]] = {}

    async def warm_up(self, last_session: date, sessions: int) -> Sequence[ObservationsKnown]:
        """Everything known of `sessions` sessions up to `last_session`, seven years for monthly series.

        Raises FeedError when there is a source and nothing at all could be had.
        """
        first = session_offset(last_session, -sessions)
        known: list[ObservationsKnown] = []
        failed = 0
        if self._history is not None:
            try:
                known += self._news(history_observations(self._history, first, last_session))
            except FeedError as error:
                failed += self._failed(error)
        fetched, failures = await self._fetch_all(first, last_session)
        known += fetched
        failed += failures
        if failed and not known:
            raise FeedError("no slow series could be had: see the alerts before this one")
        return known

    async def update(self, last_session: date) -> Sequence[ObservationsKnown]:
        """What was published or revised since the warm-up or the last update. Never raises for one source."""
        first = session_offset(last_session, -_UPDATE_SESSIONS)
        known, failures = await self._fetch_all(first, last_session)
        if failures and not known and failures == len(self._addresses):
            raise FeedError("no slow series could be had: see the alerts before this one")
        return known

    async def _fetch_all(self, first: date, last: date) -> tuple[list[ObservationsKnown], int]:
        known: list[ObservationsKnown] = []
        failures = 0
        for name, address in self._addresses.items():
            try:
                if name == "vx_settlement":
                    known += await self._settlements(address, first, last)
                else:
                    known += self._news([await self._series(name, address, first, last)])
            except FeedError as error:
                failures += self._failed(error)
        return known, failures

    async def _series(self, name: str, address: str, first: date, last: date) -> ObservationsKnown:
        text = _text(address, await self._fetch(address))
        if name == "breadth":
            return _within(
                ObservationsKnown(NET_ADVANCES, publications.net_advances(text, address)), first, last
            )
        if name in _PLAIN_PAGES:
            column, day = _PLAIN_PAGES[name]
            return _within(
                ObservationsKnown(name, publications.column(text, address, name, column, day)), first, last
            )
        parse = publications.cboe_history if name in _CBOE_PAGES else publications.fred
        return _within(ObservationsKnown(name, parse(text, address, name)), first, last)

    async def _settlements(self, address: str, first: date, last: date) -> list[ObservationsKnown]:
        found: dict[str, tuple[Observation, ...]] = {}
        told = {day for name, days in self._told.items() if name.startswith(VX_SETTLEMENT) for day in days}
        missing = [day for day in sessions(first, last) if day not in told][-self._settlement_files_max :]
        for day in missing:
            url = address.replace("{date}", day.isoformat())
            try:
                for contract in publications.cfe_settlements(_text(url, await self._fetch(url)), url, day):
                    found[contract.series] = (*found.get(contract.series, ()), *contract.observations)
            except NotPublishedError as error:
                self._failed(error)
        return self._news(ObservationsKnown(series, found[series]) for series in sorted(found))

    def _news(self, found: Iterable[ObservationsKnown]) -> list[ObservationsKnown]:
        """Values not handed over before; one that is fetched before its rule says so is known from now on."""
        now = self._clock.now()
        news: list[ObservationsKnown] = []
        for known in found:
            told = self._told.setdefault(known.series, {})
            fresh: list[Observation] = []
            for observation in known.observations:
                before = told.get(observation.period)
                if before == observation.value:
                    continue
                told[observation.period] = observation.value
                is_early = observation.known_at > now or before is not None
                fresh.append(replace(observation, known_at=now) if is_early else observation)
            if fresh:
                news.append(ObservationsKnown(known.series, tuple(fresh)))
        return news

    def _failed(self, error: FeedError) -> int:
        level = "warning" if isinstance(error, NotPublishedError) else "error"
        self._notify(Alert(level, "feed.failed", str(error)))
        return 1


def history_observations(folder: Path, first: date, last: date) -> tuple[ObservationsKnown, ...]:
    """The daily files in `folder`, sessions `first` to `last`; monthly series reach seven years further back.

    A file that is not there is left out. Raises FeedError when the folder holds none of them, or when a file
    does not read; the message names file, line and remedy.
    """
    known: list[ObservationsKnown] = []
    for name, read in _HISTORY_FILES.items():
        path = folder / name
        if path.is_file():
            text = _text(str(path), path.read_bytes())
            known += [_within(series, first, last) for series in read(text, str(path), first, last)]
    if not known:
        raise FeedError(
            f"{folder}: none of {', '.join(_HISTORY_FILES)} in it: give the folder with the daily series"
        )
    return tuple(series for series in known if series.observations)


HistoryReader = Callable[[str, str, date, date], Iterable[ObservationsKnown]]


def _columns(*pairs: tuple[str, str]) -> HistoryReader:
    def read(text: str, source: str, _first: date, _last: date) -> Iterable[ObservationsKnown]:
        return [
            ObservationsKnown(series, publications.column(text, source, series, name))
            for series, name in pairs
        ]

    return read


def _rates(text: str, source: str, first: date, last: date) -> Iterable[ObservationsKnown]:
    """Yields, and the federal funds rate where the file has it: no signal rests on it."""
    pairs = [("treasury_10y", "treasury_10y_pct"), ("baa", "baa_yield_pct")]
    if "fed_funds_pct" in text.partition("\n")[0].split(","):
        pairs.append(("fed_funds", "fed_funds_pct"))
    return _columns(*pairs)(text, source, first, last)


def _breadth(text: str, source: str, _first: date, _last: date) -> Iterable[ObservationsKnown]:
    return [ObservationsKnown(NET_ADVANCES, publications.net_advances(text, source))]


def _reit(text: str, source: str, _first: date, _last: date) -> Iterable[ObservationsKnown]:
    return [
        ObservationsKnown("vnq", publications.column(text, source, "vnq", "close")),
        ObservationsKnown(DISTRIBUTION, publications.distributions(text, source)),
    ]


_HISTORY_FILES: dict[str, HistoryReader] = {
    "nyse_breadth.csv": _breadth,
    "vx_settlements.csv": publications.settlement_history,
    "spx.csv": _columns(("spx", "close")),
    "vix.csv": _columns(("vix", "close")),
    "vvix.csv": _columns(("vvix", "close")),
    "vnq.csv": _reit,
    "rates.csv": _rates,
    "reer_broad_usd.csv": _columns(("reer", "value")),
    "ppi_all_commodities.csv": _columns(("ppi", "value")),
}


def _within(known: ObservationsKnown, first: date, last: date) -> ObservationsKnown:
    start = first
    if known.series in publications.MONTHLY:
        start = first - _MONTHS_KEPT
    elif known.series == DISTRIBUTION:
        start = first - _DISTRIBUTIONS_KEPT
    inside = tuple(observation for observation in known.observations if start <= observation.period <= last)
    return ObservationsKnown(known.series, inside)


async def _stream(client: "httpx.AsyncClient", url: str) -> tuple[int, bytes]:
    body = bytearray()
    async with client.stream("GET", url) as response:
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > BODY_BYTES_MAX:
                raise FeedError(f"{url}: more than {BODY_BYTES_MAX} bytes: check the address")
        return response.status_code, bytes(body)


def _checked_body(url: str, status: int, body: bytes) -> bytes:
    if status == _NOT_FOUND:
        raise NotPublishedError(
            f"{url}: not published (404): it may not be out yet, or the address has changed"
        )
    if status != 200:
        raise FeedError(f"{url}: status {status}: check the address")
    if len(body) > BODY_BYTES_MAX:
        raise FeedError(f"{url}: more than {BODY_BYTES_MAX} bytes: check the address")
    return body


def _text(source: str, body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FeedError(f"{source}: not a text file: check the address") from None
