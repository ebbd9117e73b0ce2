"""How many contracts of an option are open: a smooth shape over strike and expiry, the same for all of a day.

There is no tape of trades behind the quotes. The counts have the look of real ones: largest a little out of
the money, at round strikes and near expiries, and next to nothing deep in the money or far away from it.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from math import exp, log
from typing import Final

from market.contract import Contract, Right
from market.sessions import MARKET_TZ
from simulator.model import Instrument, Market


@dataclass(frozen=True, slots=True)
class _Shape:
    """Contracts at the peak of a near expiry, how fast that fades, where the peak lies and how wide it is.

    Places are logarithms of strike over level; `round_pts` is the distance of the strikes that are liked.
    """

    peak: float
    fade_days: float
    call_at: float
    put_at: float
    width: float
    round_pts: float


_VIX: Final = _Shape(120_000.0, 70.0, 0.35, -0.12, 0.45, 5.0)
_SHAPES: Final = {
    "VIX": _VIX,
    "SPX": _Shape(20_000.0, 60.0, 0.02, -0.07, 0.08, 50.0),
    "XSP": _Shape(4_000.0, 60.0, 0.02, -0.07, 0.08, 5.0),
}


def counted(market: Market, option: Instrument, day: date) -> int | None:
    """Contracts open on the morning of `day`; None where no earlier close of the underlying is known."""
    morning = datetime.combine(day, time(), MARKET_TZ)
    bars = market.bars(option.underlying_con_id, morning, 1)
    return open_interest(option.contract, bars[-1].close, day) if bars else None


def open_interest(option: Contract, level: float, session: date) -> int:
    """Contracts open on the morning of `session`, in tens; `level` is what the underlying closed at before.

    Raises ValueError for what is no option.
    """
    if option.right is None or option.expiry is None:
        raise ValueError(f"{option.describe()} has no open interest")
    shape = _SHAPES.get("XSP" if option.trading_class == "XSP" else option.symbol, _SHAPES["SPX"])
    away = log(option.strike / level) - (shape.call_at if option.right is Right.CALL else shape.put_at)
    count = shape.peak * exp(-max((option.expiry - session).days, 0) / shape.fade_days)
    count *= exp(-0.5 * (away / shape.width) ** 2)
    if option.strike % shape.round_pts:
        count *= 0.45 if option.strike == int(option.strike) else 0.1
    return 10 * round(count / 10.0)
