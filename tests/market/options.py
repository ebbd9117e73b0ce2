"""Options for the market tests."""

from datetime import UTC, date, datetime

from market.contract import Contract, Right, SecurityType

EXPIRY = date(2020, 3, 20)
NOW = datetime(2020, 2, 3, 15, 0, tzinfo=UTC)


def option(strike: float, right: Right, expiry: date = EXPIRY) -> Contract:
    """A listed SPXW option; its id follows from its terms."""
    con_id = int(strike) * 10 + (right is Right.PUT) + 100_000 * expiry.day
    return Contract(
        SecurityType.OPTION, "SPX", "SPXW", expiry, float(strike), right, multiplier=100, con_id=con_id
    )
