"""What is known of one session: the slow inputs of all three layers, as the triggers read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class SessionInputs:
    """One session as it was known the next morning at 09:10, New York time.

    `curve` holds VX settlements by final settlement day; prices are None where none was known. Yields are
    fractions of the newest day published, None when older than five sessions. Distributions are (ex-date, USD
    a share) up to the session, oldest first. `reer` and `ppi` are levels by the first day of their month; the
    mappings are replaced, never changed, when a month becomes known. `vix_in_step` is the index at the
    instant of the VX settlement, None where only its close is known.
    """

    session: date
    net_advances: float | None
    curve: Mapping[date, float]
    vix: float | None
    vvix: float | None
    vnq: float | None
    spx: float | None
    vix3m: float | None
    treasury_10y: float | None
    baa: float | None
    fed_funds: float | None
    distributions: tuple[tuple[date, float], ...]
    reer: Mapping[date, float]
    ppi: Mapping[date, float]
    vix_in_step: float | None = None
