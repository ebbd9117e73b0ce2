"""What happens to a gateway from outside while it runs: the line to the broker breaks, a farm goes down, the
port moves, the night comes.

Each disturbance is one call, the same from a test, a script, a fault plan and the control port.
"""

from typing import Final

from simulator.gateway import Gateway
from simulator.notices import Farm, farm_notice, notice

#: How many order ids a restart at night hands out again unless told otherwise.
ROLLED_BACK: Final = 4


class Disturbances:
    """The outside world of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def lose_connectivity(self) -> None:
        """The line to the broker's servers breaks (1100); the sockets stay."""
        connectivity = self._gateway.connectivity
        if not connectivity.lost:
            connectivity.lost = True
            self._gateway.notify(*notice(1100))

    def restore_connectivity(self, *, data_kept: bool = True, tell_missed: bool = True) -> None:
        """The line works again: with `data_kept` (1102) quotes go on, else (1101) every line has to be asked
        for anew. Without `tell_missed` nothing that was reported meanwhile reaches the clients by itself.
        """
        gateway = self._gateway
        if not gateway.connectivity.lost:
            return
        reports, orders = gateway.connectivity.restore()
        if not data_kept:
            for session in gateway.sessions.values():
                session.quotes.forget()
        gateway.notify(*notice(1102 if data_kept else 1101))
        gateway.route(reports if tell_missed else [])
        for request in orders:
            gateway.place(request)
        gateway.flush()

    def set_farm(self, farm: Farm, *, works: bool) -> None:
        """One of the broker's farms breaks or comes back (2103 to 2106, 2157, 2158)."""
        broken = self._gateway.connectivity.broken
        if works:
            broken.discard(farm)
        else:
            broken.add(farm)
        self._gateway.notify(*farm_notice(farm, works=works))

    def move_port(self, port: int) -> None:
        """The port was changed in the settings: every client is told (1300) and hung up on."""
        self._gateway.notify(*notice(1300, port=port))
        self._gateway.hang_up()

    def restart(self, roll_back: int = ROLLED_BACK) -> None:
        """The nightly restart: every client is hung up on, and the last `roll_back` order ids of each are
        handed out again. Working orders, executions and permanent ids stay.
        """
        self._gateway.venue.by_hand.roll_back_order_ids(roll_back)
        self._gateway.hang_up()

    def drop_client(self, client_id: int) -> bool:
        """Hang up on one client; False when it is not connected."""
        session = self._gateway.sessions.get(client_id)
        if session is None:
            return False
        session.close()
        return True
