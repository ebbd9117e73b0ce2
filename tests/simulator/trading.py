"""The unmodified client library on a gateway of this process, for tests that trade through it."""

import asyncio
from collections.abc import Callable
from datetime import date
from typing import Self

from ib_async import IB, ComboLeg, Contract, Option

from simulator.gateway import Gateway
from simulator.server import HOST, GatewayServer, Pace

PORT = 4002


class Trading:
    """A client on a gateway, on the running loop."""

    def __init__(self, gateway: Gateway, port: int, pace: Pace, client_id: int = 7) -> None:
        self.gateway = gateway
        self.client_id = client_id
        self.server = GatewayServer(gateway, port, pace)
        self.ib = IB()
        self.told: list[tuple[int, int, str]] = []
        self.ib.errorEvent += lambda req_id, code, text, *_: self.told.append((req_id, code, text))

    @property
    def errors(self) -> list[tuple[int, int]]:
        """Id and code of everything told."""
        return [(req_id, code) for req_id, code, _ in self.told]

    async def __aenter__(self) -> Self:
        await self.server.start()
        await self.ib.connectAsync(HOST, self.server.port, clientId=self.client_id, raiseSyncErrors=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.ib.disconnect()
        await asyncio.sleep(0.05)
        await self.server.stop()


async def until(condition: Callable[[], object], limit_s: float = 10.0) -> None:
    """Wait for something to become true. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    end = loop.time() + limit_s
    while not condition():
        if loop.time() > end:
            raise TimeoutError
        await asyncio.sleep(0.01)


async def condor(ib: IB) -> Contract:
    chains = await ib.reqSecDefOptParamsAsync("SPX", "", "IND", 416904)
    chain = next(c for c in chains if c.tradingClass == "SPXW" and c.exchange == "SMART")
    far = [day for day in chain.expirations if date.fromisoformat(day).weekday() == 4][10]
    wanted = [
        Option("SPX", far, strike, right, "SMART", tradingClass="SPXW")
        for strike, right in ((2800.0, "P"), (2850.0, "P"), (3200.0, "C"), (3250.0, "C"))
    ]
    legs = await ib.qualifyContractsAsync(*wanted)
    assert [leg.strike for leg in legs if isinstance(leg, Contract)] == [2800.0, 2850.0, 3200.0, 3250.0]
    return Contract(
        symbol="SPX",
        secType="BAG",
        exchange="SMART",
        currency="USD",
        comboLegs=[
            ComboLeg(conId=leg.conId, ratio=1, action=action, exchange="SMART")
            for leg, action in zip(legs, ("BUY", "SELL", "SELL", "BUY"), strict=True)
            if isinstance(leg, Contract)
        ],
    )
