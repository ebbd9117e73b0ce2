"""The operator's settings: how to reach the paper account and where things are kept. Frozen and strict: an
unknown key, a value of the wrong type or a number that is not finite is refused. What may be traded and when
is not here but in the governed rules (`config/rules.py`).
"""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SHIPPED_FOLDER = Path(__file__).parent
PAPER_PROFILE = SHIPPED_FOLDER / "paper.toml"
SIMULATED_PROFILE = SHIPPED_FOLDER / "simulated.toml"
SHIPPED_RULES = SHIPPED_FOLDER / "rules.toml"

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Section(BaseModel):
    """Strict and frozen: nothing is silently converted, dropped or changed later."""

    model_config = ConfigDict(
        allow_inf_nan=False,
        defer_build=True,
        extra="forbid",
        frozen=True,
        strict=True,
        validate_default=False,
    )


def _fetchable(url: str) -> str:
    """A feed is fetched over https, or over http from this machine only."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise ValueError("a feed must be fetched over https, or over http from this machine")
    if not parts.hostname:
        raise ValueError("the address names no host")
    return url


def _dated(url: str) -> str:
    """The address of a daily file holds the day."""
    if "{date}" not in url:
        raise ValueError("the address must hold {date}, which stands for the day as YYYY-MM-DD")
    return url


def _inside(folder: str) -> str:
    """A folder may not climb out of the place it is given."""
    if ".." in PurePosixPath(folder).parts:
        raise ValueError("a folder may not contain '..'")
    return folder


FeedUrl = Annotated[str, AfterValidator(_fetchable)]
DatedFeedUrl = Annotated[str, AfterValidator(_dated), AfterValidator(_fetchable)]
Folder = Annotated[str, Field(min_length=1), AfterValidator(_inside)]
Timeout = Annotated[float, Field(gt=0, le=120)]


class BrokerSettings(Section):
    """Where the gateway listens and which paper account it must announce."""

    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 4002
    client_id: Annotated[int, Field(ge=1, le=2**31 - 1)] = 442  # 0 would adopt orders placed by hand
    account: Annotated[str, Field(pattern=r"^DU[0-9]+$")] = "DU0000000"
    connect_timeout_s: Timeout = 10.0
    request_timeout_s: Timeout = 10.0
    restart_time: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "23:45"  # New York


class MarketDataSettings(Section):
    """How many market-data lines the account has, and how often the engine looks at the market."""

    lines_max: Annotated[int, Field(ge=1, le=10_000)] = 100
    evaluation_interval_s: Annotated[float, Field(ge=0.25, le=300)] = 5.0


class JournalSettings(Section):
    """Where the journal is kept; the mode is added to the path, so that two modes never share a journal."""

    folder: Folder = "journal"


class GatewaySettings(Section):
    """The embedded gateway: whether it is used, its seed, and the folder in which its account lives on."""

    embedded: bool = False
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    state_folder: Folder = "gateway"


class ClockSettings(Section):
    """Whose clock tells market time: the gateway's, measured by asking it, or this machine's."""

    source: Literal["host", "broker"] = "broker"


class RestartSettings(Section):
    """How many unclean starts within ten minutes are a crash loop, which refuses the next start."""

    unclean_starts_max: Annotated[int, Field(ge=1, le=50)] = 3


class FeedsSettings(Section):
    """Public addresses of the daily and monthly series that the broker does not carry."""

    reer_url: FeedUrl = "https://fred.stlouisfed.org/graph/fredgraph.csv?id=RBUSBIS"
    ppi_url: FeedUrl = "https://fred.stlouisfed.org/graph/fredgraph.csv?id=PPIACO"
    treasury_10y_url: FeedUrl = "https://fred.stlouisfed.org/graph/fredgraph.csv?id=DGS10"
    baa_yield_url: FeedUrl = "https://fred.stlouisfed.org/graph/fredgraph.csv?id=DBAA"
    fed_funds_url: FeedUrl = "https://fred.stlouisfed.org/graph/fredgraph.csv?id=DFF"
    spx_url: FeedUrl = "https://cdn.cboe.com/api/global/us_indices/daily_prices/SPX_History.csv"
    vix_url: FeedUrl = "https://cdn.cboe.com/api/global/us_indices/daily_prices/VIX_History.csv"
    vvix_url: FeedUrl = "https://cdn.cboe.com/api/global/us_indices/daily_prices/VVIX_History.csv"
    vx_settlement_url: DatedFeedUrl = (
        "https://www.cboe.com/us/futures/market_statistics/settlement/csv?dt={date}"
    )
    # date,close and ex_date,amount of VNQ: nobody publishes them in a settled format, so there is no default.
    vnq_url: FeedUrl | None = None
    vnq_distribution_url: FeedUrl | None = None
    timeout_s: Timeout = 20.0


class HistorySettings(Section):
    """The folder with imported daily history that warms up the slow signals, if there is one."""

    folder: Annotated[str, Field(min_length=1)] | None = None


class RulesSettings(Section):
    """The governed rules to trade by, if not the shipped ones."""

    file: Annotated[str, Field(min_length=1)] | None = None


class Settings(Section):
    """Everything the operator chose."""

    broker: BrokerSettings = Field(default_factory=BrokerSettings)
    market_data: MarketDataSettings = Field(default_factory=MarketDataSettings)
    journal: JournalSettings = Field(default_factory=JournalSettings)
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    clock: ClockSettings = Field(default_factory=ClockSettings)
    restart: RestartSettings = Field(default_factory=RestartSettings)
    feeds: FeedsSettings = Field(default_factory=FeedsSettings)
    history: HistorySettings = Field(default_factory=HistorySettings)
    rules: RulesSettings = Field(default_factory=RulesSettings)

    @model_validator(mode="after")
    def _embedded_gateway_is_local(self) -> Self:
        if self.gateway.embedded and self.broker.host not in LOOPBACK:
            raise ValueError("broker.host must be this machine (127.0.0.1) when gateway.embedded is true")
        return self

    @property
    def mode(self) -> Literal["paper", "simulated"]:
        """Which kind of account is traded. There is no third kind."""
        return "simulated" if self.gateway.embedded else "paper"

    @property
    def journal_folder(self) -> Path:
        """The journal of this mode."""
        return Path(self.journal.folder) / self.mode

    @property
    def rules_file(self) -> Path:
        """The rules to trade by."""
        return SHIPPED_RULES if self.rules.file is None else Path(self.rules.file)
