"""Where the embedded gateway serves what others publish: the same formats, under addresses of its own."""

_PATHS = {
    "breadth": "/breadth.csv",
    "vx_settlement": "/us/futures/market_statistics/settlement/csv?dt={date}",
    "spx": "/api/global/us_indices/daily_prices/SPX_History.csv",
    "vix": "/api/global/us_indices/daily_prices/VIX_History.csv",
    "vvix": "/api/global/us_indices/daily_prices/VVIX_History.csv",
    "reer": "/graph/fredgraph.csv?id=RBUSBIS",
    "ppi": "/graph/fredgraph.csv?id=PPIACO",
    "treasury_10y": "/graph/fredgraph.csv?id=DGS10",
    "baa": "/graph/fredgraph.csv?id=DBAA",
    "fed_funds": "/graph/fredgraph.csv?id=DFF",
    "vnq": "/vnq.csv",
    "vnq_distribution": "/vnq_dividends.csv",
}


def stand_ins(origin: str) -> dict[str, str]:
    """The address of each slow series on a gateway whose pages are served at `origin`."""
    return {series: f"{origin}{path}" for series, path in _PATHS.items()}
