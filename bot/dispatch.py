"""Commands on their way out: to the broker's line, to a question beside the loop, to a person.

What comes here is durable already. An order message still has to pass what may have changed since it was
decided: a pulled switch, a record that took so long that the price is one of before, and a connection that
was lost and came back meanwhile. A new order that does not go out stays as it is: evidence about it falls
due, and reconciliation settles it. A move that does not go out is told: the order keeps the limit it has.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bot.engine.state import EngineState
from bot.errands import Errands
from bot.errors import BrokerError, NotPaperAccountError
from bot.events import (
    Alert,
    AskMargin,
    CancelOrder,
    Command,
    Event,
    ListOptions,
    MoveWithheld,
    PlaceOrder,
    Reconcile,
    ReplaceOrder,
    StreamLines,
)
from bot.port import BrokerPort, Observers
from bot.switch import KillSwitch
from strategies.base import Intent

WIRE = (PlaceOrder, ReplaceOrder, CancelOrder)


def is_opening(state: EngineState, order_ref: str | None = None) -> bool:
    """Whether this order, or any, is at work to open something."""
    return any(
        line.intent is Intent.OPEN and order_ref in (None, line.order.order_ref) for line in state.working()
    )


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Carries commands out."""

    broker: BrokerPort
    errands: Errands
    observers: Observers
    switch: KillSwitch | None
    state: Callable[[], EngineState]
    post: Callable[[Event], None]

    def execute(self, time: datetime, command: Command, *, is_late: bool = False) -> None:
        """Do it; `is_late` when its record took longer than a price may wait.

        Raises NotPaperAccountError.
        """
        if isinstance(command, WIRE):
            self._send(time, command, is_late)
        elif isinstance(command, StreamLines):
            self.broker.stream(command.con_ids)
        elif isinstance(command, ListOptions):
            self.errands.start(self.broker.list_options(command))
        elif isinstance(command, AskMargin):
            self.errands.start(self.broker.margin.ask(command))
        elif isinstance(command, Reconcile):
            self.errands.start(self.broker.reconcile())
        else:
            self.observers.alert(time, command)

    def _send(self, time: datetime, command: PlaceOrder | ReplaceOrder | CancelOrder, is_late: bool) -> None:
        if reason := self._withheld(command, is_late):
            self._not_sent(time, command, reason)
            return
        try:
            if isinstance(command, PlaceOrder):
                self.broker.place(command)
            elif isinstance(command, ReplaceOrder):
                self.broker.replace(command)
            else:
                self.broker.cancel(command)
        except NotPaperAccountError:
            raise
        except BrokerError as error:
            self._not_sent(time, command, str(error))

    def _withheld(self, command: PlaceOrder | ReplaceOrder | CancelOrder, is_late: bool) -> str:
        """Why an order message does not go out. What reduces risk goes out at an old price, too."""
        if isinstance(command, CancelOrder):
            return ""
        if self.switch is not None and self.switch.is_pulled:
            return "halted"
        is_opened = is_opening(self.state(), command.order_ref)
        if is_late and is_opened:
            return "its record took too long, the price is one of before"
        # Moved behind a link that came back, one order can become two; what opens waits for the books.
        is_another = self.broker.epoch != self.state().epoch
        if is_another and (is_opened or isinstance(command, ReplaceOrder)):
            return "the connection was lost and came back since it was decided"
        return ""

    def _not_sent(
        self, time: datetime, command: PlaceOrder | ReplaceOrder | CancelOrder, reason: str
    ) -> None:
        self.observers.alert(time, Alert("error", "order.not_sent", f"{command.order_ref}: {reason}"))
        if isinstance(command, ReplaceOrder):
            self.post(MoveWithheld(command.order_ref, command.limit, reason))
