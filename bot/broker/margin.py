"""What margin an order would need, by an order that the broker only judges (METHOD 4.3).

A what-if order travels as any order does and is told apart by a flag alone, so the account is checked as for
any order and the flag is set where the message is made. The answer is one openOrder with margins in it; what
does not come within its deadline is no figure, never zero.
"""

from collections.abc import Callable
from math import isfinite
from typing import Any

from bot.broker.contracts import order_terms, order_to_client
from bot.broker.session import Session
from bot.errors import BrokerError
from bot.events import AskMargin, MarginTold
from market.rounding import round_price

_FIGURE_MAX_USD = 1e15  # unset figures are the largest float there is


class MarginDesk:
    """Questions about margin through one session at a time.

    `trading` gives the session orders may go through, or raises; `numbered` is told the next free id.
    """

    def __init__(
        self,
        account: str,
        client_id: int,
        trading: Callable[[], Session],
        numbered: Callable[[Session, int], None],
    ) -> None:
        self._account = account
        self._client_id = client_id
        self._trading = trading
        self._numbered = numbered

    async def ask(self, command: AskMargin) -> MarginTold:
        """The rise of the initial margin in USD, or why there is no figure. Nothing is ever placed."""
        try:
            change = await self._change_usd(command)
        except BrokerError as error:
            return MarginTold(command.key, None, str(error))
        if change is None:
            return MarginTold(command.key, None, "the broker's answer holds no margin")
        return MarginTold(command.key, change)

    async def _change_usd(self, command: AskMargin) -> float | None:
        session = self._trading()
        terms = order_terms(command.combo, command.quantity, round_price(command.limit))
        order_id = session.next_id()
        self._numbered(session, order_id + 1)
        raw = order_to_client(
            terms, order_id=order_id, client_id=self._client_id, account=self._account, order_ref=""
        )
        raw.whatIf = True

        def send() -> None:
            # A question that waited for its turn is judged again at the moment it is written.
            if self._trading() is not session:
                raise BrokerError("the session was replaced before the question was put")
            session.client.placeOrder(order_id, terms.contract, raw)

        states = await session.ask(order_id, send)
        return _figure(states[0].initMarginChange) if states else None


def _figure(text: Any) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return round_price(value) if isfinite(value) and abs(value) < _FIGURE_MAX_USD else None
