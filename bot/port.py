"""The seams between the daemon and the world: the broker and the slow feeds (time is in bot/clock.py).

The live client, the embedded gateway in virtual time and nothing else stand behind them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from bot.engine.decision import Decision
from bot.events import (
    AccountTaken,
    Alert,
    AskMargin,
    CancelOrder,
    Connected,
    ContractsNamed,
    Event,
    ListOptions,
    MarginTold,
    ObservationsKnown,
    OptionsListed,
    PlaceOrder,
    QuotesTaken,
    Reconciled,
    ReplaceOrder,
)
from market.contract import Contract


class MarginPort(Protocol):
    """Questions about margin."""

    async def ask(self, command: AskMargin) -> MarginTold:
        """The margin an order would need, by an order that is only judged; without a figure, why."""


class BrokerPort(Protocol):
    """One paper account at one gateway.

    Every await has a deadline of its own.
    """

    sink: Callable[[Event], None]
    margin: MarginPort
    epoch: int  # number of the connection; a link to the broker that came back counts as another
    heard_at: Callable[[], datetime | None]  # when the last message of any kind came

    @property
    def is_connected(self) -> bool:
        """Whether a session with the gateway stands; its link to the broker may be down all the same."""

    async def connect(self) -> Connected:
        """Open the session.

        Raises NotPaperAccountError before anything else, ReadOnlyApiError where no order would be taken,
        BrokerUnreachableError otherwise.
        """

    async def disconnect(self) -> None:
        """Close the session."""

    async def name_contracts(self) -> ContractsNamed:
        """Indexes and monthly VX futures with their ids."""

    async def list_options(self, request: ListOptions) -> OptionsListed:
        """All options of one class and expiry."""

    def stream(self, con_ids: Sequence[int]) -> None:
        """Make this the set of streamed contracts."""

    def take_quotes(self, anyway: bool = False) -> QuotesTaken | None:
        """What changed since the last take, or None when nothing did; with `anyway` never None."""

    def remember(self, contracts: Iterable[Contract]) -> None:
        """Learn contracts the journal knows, so that they can be streamed before they are listed again."""

    def account_now(self) -> AccountTaken | None:
        """The account's figures, or None while the broker does not tell them all."""

    async def reconcile(self) -> Reconciled:
        """All the broker knows, each list complete."""

    async def heartbeat(self) -> datetime:
        """Prove that requests are answered; the gateway's time.

        Raises BrokerUnreachableError.
        """

    def place(self, command: PlaceOrder) -> None:
        """Put a new order on the wire."""

    def replace(self, command: ReplaceOrder) -> None:
        """Move a working order's limit."""

    def cancel(self, command: CancelOrder) -> None:
        """Cancel a working order."""


class SlowFeeds(Protocol):
    """Daily and monthly series the broker does not carry."""

    async def warm_up(self, last_session: date, sessions: int) -> Sequence[ObservationsKnown]:
        """Everything known of the sessions up to `last_session`.

        Raises FeedError.
        """

    async def update(self, last_session: date) -> Sequence[ObservationsKnown]:
        """The rows published since the warm-up or the last update."""


@dataclass(frozen=True, slots=True)
class Observers:
    """Who is told what happens: each decision as it is made, and each alert."""

    decision: Callable[[datetime, Decision], None]
    alert: Callable[[datetime, Alert], None]
    status: Callable[[datetime, str], None]
