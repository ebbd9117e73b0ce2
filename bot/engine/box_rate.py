"""Whether the rate a chain's boxes imply is a believable one (METHOD 4.4).

A box is a loan; its rate lies a little above the overnight one. No overnight index swap is imported, so that
the newest known effective federal funds rate stands in for it: it is what such a swap averages, as of today
and not until expiry, so that the band is as much wider as the Federal Reserve may move meanwhile. A rate
outside of it is told and blocks nothing; without a known rate the reading is unknown.
"""

from datetime import date
from math import log

from bot.engine.observations import Known
from bot.engine.state import EngineState
from market.rounding import round_ratio
from strategies.base import Reading
from strategies.expiry_parity import ExpiryParity


def box_readings(
    state: EngineState, structure_id: str, reading: ExpiryParity, session: date
) -> tuple[Reading, ...]:
    """The box rate over the federal funds rate in basis points, against both ends of its band."""
    if state.parameters is None:
        return ()
    rules, age_max = state.parameters.condor, state.parameters.signals.reserve.yield_age_max_sessions
    funds = Known(yields=dict(state.daily.yields)).at(session, age_max).fed_funds
    name = f"{structure_id}.box_over_fed_funds_bps"
    least, most = rules.box_over_fed_funds_min_bps, rules.box_over_fed_funds_max_bps
    if funds is None:
        reason = "no federal funds rate known"
        return tuple(
            Reading(name, None, limit, relation, None, reason=reason)
            for limit, relation in ((least, ">="), (most, "<="))
        )
    box = reading.rate if reading.box_rate is None else reading.box_rate
    over = round_ratio(1e4 * (box - continuous(funds)))
    as_of = state.daily.yields["fed_funds"][0].isoformat()
    return (
        Reading(name, over, least, ">=", over >= least, as_of, "fed_funds"),
        Reading(name, over, most, "<=", over <= most, as_of, "fed_funds"),
    )


def continuous(overnight: float) -> float:
    """An overnight rate (simple, actual/360, renewed each day) as a continuous one on actual/365."""
    return 365.0 * log(1.0 + overnight / 360.0)
