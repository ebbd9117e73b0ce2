"""What market data an account may see."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Entitlements:
    """What the account may see. Faults and tests change it while the gateway runs."""

    lines: int = 100
    symbols_not_subscribed: set[str] = field(default_factory=set)
    #: Subscribed on the broker's screen, but not over the API.
    symbols_without_api: set[str] = field(default_factory=set)
    #: Who may not see live data is shown delayed data on request.
    delayed_data: bool = False
    competing_session: bool = False
    #: How long a snapshot takes until its end is told, in seconds of market time; 0: no time.
    snapshot_s: float = 11.0

    def live(self, symbol: str) -> bool:
        """Whether live data of the symbol may be seen."""
        return symbol not in self.symbols_not_subscribed and symbol not in self.symbols_without_api
