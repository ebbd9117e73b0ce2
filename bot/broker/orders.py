"""Writing orders, moves of their limits and cancellations into one session."""

from collections.abc import Callable

from bot.broker.contracts import OrderTerms, order_to_client
from bot.broker.evidence import KnownOrder
from bot.broker.session import Session
from bot.errors import BrokerError
from bot.events import MoveWithheld, OrderReported
from market.contract import Action
from market.rounding import round_price


class OrderDesk:
    """The orders of one account through one session at a time. `tell` takes what cannot be sent, and why."""

    def __init__(
        self, account: str, client_id: int, tell: Callable[[OrderReported | MoveWithheld], None]
    ) -> None:
        self._account = account
        self._client_id = client_id
        self._tell = tell

    def place(self, session: Session, order_ref: str, terms: OrderTerms, order_id: int) -> None:
        """Send a new order under an id the session has not used."""
        order = KnownOrder(
            order_ref,
            order_id=order_id,
            client_id=self._client_id,
            contract=terms.contract,
            action=terms.action,
            quantity=terms.quantity,
            is_written=False,
        )
        session.evidence.placed(order)
        self._write(session, order, terms)

    def replace(self, session: Session, order_ref: str, limit: float) -> None:
        """Send a working order again with another signed limit: same id, the contract the broker returned."""
        order = self._working(session, order_ref)
        if order is None:
            self._tell(MoveWithheld(order_ref, limit, "not an order at work in this broker session"))
        else:
            # A combo's price is signed and its side is BUY; a single contract that is sold has a plain price.
            is_sold = order.contract.secType != "BAG" and order.action is Action.SELL
            price = round_price(-limit if is_sold else limit)
            terms = OrderTerms(order.contract, order.action, order.quantity, price)
            self._write(session, order, terms, moved_to=limit)

    def cancel(self, session: Session, order_ref: str) -> None:
        """Ask for a working order's cancellation. What still waits for its turn is not sent any more."""
        order = self._working(session, order_ref)
        if order is None:
            return
        if session.outbox.withdraw(order_ref) and not order.is_written:
            session.evidence.doubt(order_ref, "never written: cancelled while it waited for its turn")
        else:
            order_id = order.order_id
            session.outbox.order(order_ref, lambda: session.client.cancelOrder(order_id, ""))

    def _working(self, session: Session, order_ref: str) -> KnownOrder | None:
        order = session.evidence.find(order_ref)
        # One without an order id has no client's number either, and ours is never 0.
        if order is None or order.client_id != self._client_id:
            session.evidence.doubt(order_ref, "not an order of this broker session")
            return None
        if order.status.is_terminal:
            self._tell(order.report())
            return None
        return order

    def _write(
        self, session: Session, order: KnownOrder, terms: OrderTerms, moved_to: float | None = None
    ) -> None:
        raw = order_to_client(
            terms,
            order_id=order.order_id,
            client_id=self._client_id,
            account=self._account,
            order_ref=order.order_ref,
        )

        links = session.links

        def withhold(reason: str) -> None:
            session.evidence.doubt(order.order_ref, f"never written: {reason}")
            if moved_to is not None:
                self._tell(MoveWithheld(order.order_ref, moved_to, f"never written: {reason}"))

        def send() -> None:
            # An order that waited for its turn is judged again at the moment it is written.
            try:
                session.require_paper()
            except BrokerError as error:
                withhold(str(error))
                return
            if not session.is_linked or session.links != links:
                # A message that reaches the gateway while it has no broker can come to life twice.
                withhold("the gateway lost the broker meanwhile")
                return
            order.is_written = True
            session.client.placeOrder(order.order_id, terms.contract, raw)

        session.outbox.order(order.order_ref, send)
