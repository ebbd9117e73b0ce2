"""Where a case plays: a client of one library, the gateways, the tap between them, and a condor to trade."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from tests.compat.driver import Client, until
from tests.compat.house import House
from tests.compat.tap import Tap, Traffic
from tests.compat.values import Spec

#: The client of the usual gateway, and the one that a case opens beside it.
CLIENT_ID: Final = 7
SECOND_ID: Final = 8
SPX: Final = Spec("IND", "SPX", "CBOE", con_id=416904)
VVIX: Final = Spec("IND", "VVIX", "CBOE")
VIX9D: Final = Spec("IND", "VIX9D", "CBOE")
VNQ: Final = Spec("STK", "VNQ")
_WINGS: Final = ((0.96, "P", "BUY"), (0.97, "P", "SELL"), (1.03, "C", "SELL"), (1.04, "C", "BUY"))

MakeClient = Callable[[], Client]


@dataclass(frozen=True, slots=True)
class Condor:
    """The combination, its legs, and what it costs to buy when every spread is crossed."""

    bag: Spec
    legs: tuple[Spec, ...]
    natural: float


@dataclass
class Scene:
    """One library's stage. Clients and taps are kept until the end."""

    make: MakeClient
    house: House
    clients: dict[str, Client] = field(default_factory=dict)
    taps: dict[str, Tap] = field(default_factory=dict)
    _condors: dict[str, Condor] = field(default_factory=dict)

    def port(self, opening: str) -> int:
        """The tap's port before a gateway."""
        if opening not in self.taps:
            self.taps[opening] = Tap(self.house.port(opening))
        return self.taps[opening].port

    def client(self, opening: str = "usual", client_id: int = CLIENT_ID) -> Client:
        """A client that is connected; one for each gateway and id, and a new one after it was hung up on."""
        name = f"{opening}/{client_id}"
        if name in self.clients and not self.clients[name].connected():
            self.clients.pop(name).disconnect()
        if name not in self.clients:
            made = self.make()
            assert made.connect(self.port(opening), client_id), "the gateway does not take the client"
            self.clients[name] = made
        return self.clients[name]

    def traffic(self) -> Traffic:
        """Messages so far, of clients and of gateways."""
        sent: Counter[int] = Counter()
        received: Counter[int] = Counter()
        for tap in self.taps.values():
            of_clients, of_gateways = tap.traffic()
            sent += of_clients
            received += of_gateways
        return sent, received

    def listed(self, spec: Spec, client: Client | None = None) -> Spec:
        """The contract with its id."""
        (details,) = (client or self.client()).reference.details(spec)
        return Spec(
            spec.kind, spec.symbol, spec.exchange, details.con_id, details.expiry, spec.strike, spec.right,
            spec.trading_class,
        )  # fmt: skip

    def condor(self, opening: str = "usual") -> Condor:
        """A condor five weeks out with legs 3 and 4 % from the index."""
        if opening not in self._condors:
            self._condors[opening] = self._find_condor(self.client(opening))
        return self._condors[opening]

    def _find_condor(self, client: Client) -> Condor:
        chain = next(one for one in client.reference.chains(SPX) if one.trading_class == "SPXW")
        near = date.fromisoformat(chain.expiries[0]) + timedelta(days=35)
        expiry = next(text for text in chain.expiries if date.fromisoformat(text) >= near)
        level = quoted(client, SPX, sides=False)[0]
        legs, actions, natural = [], [], 0.0
        for target, right, action in _WINGS:
            wanted = level * target
            strike = min((s for s in chain.strikes if s % 25 == 0), key=lambda s: abs(s - wanted))
            asked = Spec("OPT", "SPX", expiry=expiry, strike=strike, right=right, trading_class="SPXW")
            leg = self.listed(asked, client)
            bid, ask = quoted(client, leg)
            natural += ask if action == "BUY" else -bid
            legs.append(leg)
            actions.append(action)
        pairs = tuple((leg.con_id, action) for leg, action in zip(legs, actions, strict=True))
        return Condor(Spec("BAG", "SPX", legs=pairs), tuple(legs), natural)

    def close(self) -> None:
        """Every client leaves."""
        for client in self.clients.values():
            client.disconnect()
        for tap in self.taps.values():
            tap.close()


def quoted(client: Client, spec: Spec, *, sides: bool = True) -> tuple[float, ...]:
    """Bid and ask, or the last price, as soon as they are told; the line is closed again."""
    line = client.quotes.watch(spec)

    def told() -> tuple[float, ...] | None:
        quote = client.quotes.quote(line)
        if not sides:
            return None if quote.last is None else (quote.last,)
        if quote.bid is None or quote.ask is None or quote.bid <= 0 or quote.ask <= 0:
            return None
        return quote.bid, quote.ask

    until(told, f"for a quote of {spec}")
    found = told()
    client.quotes.unwatch(line)
    assert found is not None
    return found


def nickel(price: float) -> float:
    """The nearest price of a combination."""
    return round(round(price / 0.05) * 0.05, 2)
