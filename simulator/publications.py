"""Stand-ins for the web pages that publish slow series, as pure answers to a path and query.

| path | answers |
|---|---|
| /graph/fredgraph.csv?id=DGS10[,...][&cosd=..][&coed=..] | FRED graph: DGS10, DBAA, DFF, RBUSBIS, PPIACO |
| /api/global/us_indices/daily_prices/VVIX_History.csv | Cboe index history: SPX, VIX, VVIX, VIX9D, VIX3M |
| /us/futures/market_statistics/settlement/csv?dt=YYYY-MM-DD | CFE settlements of the monthly VX contracts |
| /breadth.csv | date,advances,declines of the New York Stock Exchange |
| /vnq.csv | date,close of VNQ |
| /vnq_dividends.csv | ex_date,amount of VNQ |

Only what `simulator/releases.py` calls public at market time is in an answer. What a page does not know is a
404 and a line of text, as is a settlement file that is not out yet: a client has to live with both.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from urllib.parse import parse_qs, unquote

from simulator.model import Market

Answer = tuple[int, str, bytes]

_FRED = {"DGS10": "treasury_10y", "DBAA": "baa", "DFF": "fed_funds", "RBUSBIS": "reer", "PPIACO": "ppi"}
_CBOE = {"SPX": "spx", "VIX": "vix", "VVIX": "vvix", "VIX9D": "vix9d", "VIX3M": "vix3m"}
_CBOE_FOLDER = "/api/global/us_indices/daily_prices/"
_CSV = "text/csv; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"
_MONTH_CODES = "FGHJKMNQUVXZ"


def respond(market: Market, path_and_query: str) -> Answer:
    """Status, content type and body of a GET. Never raises on what a client sends."""
    raw, _, arguments = path_and_query.partition("?")
    query = {name: values[-1] for name, values in parse_qs(arguments).items()}
    path = unquote(raw).rstrip("/")
    if path.startswith(_CBOE_FOLDER):
        return _cboe(market, path[len(_CBOE_FOLDER) :])
    page = _PAGES.get(path)
    return page(market, query) if page is not None else _missing(f"no page {path!r}")


def _fred(market: Market, query: Mapping[str, str]) -> Answer:
    """One date column and a column for each id; a day on which a series is silent is a dot, as FRED writes
    it.
    """
    names = [name for name in query.get("id", "").split(",") if name]
    unknown = [name for name in names if name not in _FRED]
    if unknown or not names:
        return _missing(f"no series {unknown!r}" if unknown else "no series asked for")
    first, last = _day(query, "cosd", date.min), _day(query, "coed", date.max)
    if first is None or last is None:
        return 400, _TEXT, b"cosd and coed are dates\n"
    columns = [{day: row["value"] for day, row in market.daily_rows(_FRED[name])} for name in names]
    days = sorted({day for column in columns for day in column if first <= day <= last})
    rows = [[day.isoformat(), *(_text(column.get(day), ".") for column in columns)] for day in days]
    return _table(["observation_date", *names], rows)


def _cboe(market: Market, file: str) -> Answer:
    name = file.removesuffix("_History.csv")
    if name not in _CBOE or name == file:
        return _missing(f"no file {file!r}")
    rows = market.daily_rows(_CBOE[name])
    if name in ("SPX", "VVIX"):
        column = "close" if name == "SPX" else "value"
        return _table(["DATE", name], [[f"{day:%m/%d/%Y}", f"{row[column]:.6f}"] for day, row in rows])
    # A series known by its closes repeats them, as Cboe's own files do for early years.
    prices = [(day, [row.get(name, row.get("value", 0.0)) for name in _OHLC]) for day, row in rows]
    lines = [[f"{day:%m/%d/%Y}", *(f"{price:.6f}" for price in bar)] for day, bar in prices]
    return _table(["DATE", "OPEN", "HIGH", "LOW", "CLOSE"], lines)


def _settlements(market: Market, query: Mapping[str, str]) -> Answer:
    """Settlements of the session `dt`, or of the last one that is out."""
    wanted = _day(query, "dt", date.min)
    if wanted is None:
        return 400, _TEXT, b"dt is a date\n"
    rows = market.daily_rows("vx_settlements", wanted)
    day, curve = rows[0 if "dt" in query else -1] if rows else (date.min, {})
    if not curve or ("dt" in query and day != wanted):
        return _missing(f"no settlements for {wanted}")
    lines = []
    for expiry in sorted(curve):
        month = f"{_MONTH_CODES[int(expiry[5:7]) - 1]}{expiry[3]}"
        lines.append(["VX", f"VX/{month}", expiry, f"{curve[expiry]:.4f}"])
    return _table(["Product", "Symbol", "Expiration Date", "Price"], lines)


def _breadth(market: Market, _: Mapping[str, str]) -> Answer:
    rows = market.daily_rows("breadth")
    lines = [[day.isoformat(), f"{row['advances']:.0f}", f"{row['declines']:.0f}"] for day, row in rows]
    return _table(["date", "advances", "declines"], lines)


def _dividends(market: Market, _: Mapping[str, str]) -> Answer:
    rows = market.daily_rows("vnq_dividends")
    return _table(["ex_date", "amount"], [[day.isoformat(), f"{row['value']:.4f}"] for day, row in rows])


def _reit(market: Market, _: Mapping[str, str]) -> Answer:
    rows = market.daily_rows("vnq")
    return _table(["date", "close"], [[day.isoformat(), f"{row['close']:.4f}"] for day, row in rows])


_OHLC = ("open", "high", "low", "close")
_PAGES: dict[str, Callable[[Market, Mapping[str, str]], Answer]] = {
    "/graph/fredgraph.csv": _fred,
    "/us/futures/market_statistics/settlement/csv": _settlements,
    "/breadth.csv": _breadth,
    "/vnq.csv": _reit,
    "/vnq_dividends.csv": _dividends,
}


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Answer:
    lines = [",".join(header), *(",".join(row) for row in rows)]
    return 200, _CSV, ("\n".join(lines) + "\n").encode("ascii")


def _missing(text: str) -> Answer:
    return 404, _TEXT, f"{text}\n".encode()


def _text(value: float | None, absent: str) -> str:
    return absent if value is None else f"{value:.10g}"


def _day(query: Mapping[str, str], name: str, default: date) -> date | None:
    text = query.get(name)
    if text is None:
        return default
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
