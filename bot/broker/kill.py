"""Cancelling everything that works in the account, from outside of the daemon."""

import asyncio
import logging
from datetime import timedelta

from bot.broker.compat import LIBRARY_NAME
from bot.broker.inbox import TIME
from bot.broker.pacing import Pacer
from bot.broker.quotes import LineBook
from bot.broker.session import Hooks, Session
from bot.clock import WallClock

ANSWER_S = 5.0


async def cancel_everything(host: str, port: int, client_id: int, account: str) -> None:
    """Cancel every order of every client at the gateway, and wait until it has heard it.

    The account is checked first, as on every connection. Raises NotPaperAccountError and
    BrokerUnreachableError.
    """
    # What the library would print on its own stands in the error that is raised.
    logging.getLogger(LIBRARY_NAME).addHandler(logging.NullHandler())
    session = Session(
        account=account,
        client_id=client_id,
        clock=WallClock(),
        lines=LineBook(timedelta(seconds=60)),
        contracts={},
        pacer=Pacer(asyncio.get_running_loop().time),
        answers_within_s=ANSWER_S,
        hooks=Hooks(lambda _: None, lambda _: None, lambda *_: None, lambda *_: None),
    )
    await session.open(host, port, ANSWER_S)
    try:
        session.require_paper()
        session.client.reqGlobalCancel()
        # Messages are dealt with in their order: the answer proves that the one before was heard.
        await session.ask(TIME, session.client.reqCurrentTime)
    finally:
        await session.close()
        await asyncio.sleep(0)
