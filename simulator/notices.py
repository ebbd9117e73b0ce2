"""System notices: what the broker tells every client about its connections, in its own words.

The codes and texts are those of the published message list. A notice carries no request id; what it means
for data and orders is acted out in `simulator/connectivity.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NOTICES: Final[Mapping[int, str]] = {
    1100: "Connectivity between IB and Trader Workstation has been lost.",
    1101: "Connectivity between IB and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IB and Trader Workstation has been restored - data maintained.",
    1300: "Socket port has been reset and this connection is being dropped."
    " Please reconnect on the new port -{port}",
    2103: "Market data farm connection is broken:{farm}",
    2104: "Market data farm connection is OK:{farm}",
    2105: "HMDS data farm connection is broken:{farm}",
    2106: "HMDS data farm connection is OK:{farm}",
    2107: "HMDS data farm connection is inactive but should be available upon demand.{farm}",
    2108: "Market data farm connection is inactive but should be available upon demand.{farm}",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
    2119: "Market data farm is connecting:{farm}",
    2157: "Sec-def data farm connection is broken:{farm}",
    2158: "Sec-def data farm connection is OK:{farm}",
}


@dataclass(frozen=True, slots=True)
class _FarmCodes:
    name: str
    broken: int
    ok: int


class Farm(StrEnum):
    """The three services behind the gateway whose loss a client is told of."""

    MARKET_DATA = "market_data"
    HISTORY = "history"
    SECURITY_DEFINITIONS = "security_definitions"


_FARMS: Final[Mapping[Farm, _FarmCodes]] = {
    Farm.MARKET_DATA: _FarmCodes("usopt", 2103, 2104),
    Farm.HISTORY: _FarmCodes("ushmds", 2105, 2106),
    Farm.SECURITY_DEFINITIONS: _FarmCodes("secdefnj", 2157, 2158),
}


def notice(code: int, *, port: int = 0, farm: str = "usopt") -> tuple[int, str]:
    """Code and text of a system notice. Raises KeyError for a code the broker does not have."""
    return code, NOTICES[code].format(port=port, farm=farm)


def farm_notice(farm: Farm, *, works: bool) -> tuple[int, str]:
    """What clients are told when a farm breaks or comes back."""
    codes = _FARMS[farm]
    return notice(codes.ok if works else codes.broken, farm=codes.name)
