"""What happens to positions without an order: daily variation of futures, cash settlement at expiry, and the
change of day.

The venue asks once a step whether anything is due; between two due moments the answer costs one comparison.
Final settlement values come from the market and are booked when they are known, or after a lag, as the broker
books them overnight.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from simulator.account import Account
from simulator.appraisal import Appraisal
from simulator.blotter import NEW_YORK, last_midnight, next_midnight
from simulator.interest import CashInterest, pass_nights
from simulator.model import Market

#: CFE settles VIX futures daily at the close of the cash market (Cboe notice C2020092202).
VARIATION_TIME: Final = time(16, 0)

_AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Clearing:
    """The moments at which positions move by themselves. `day` and `varied_on` are New York dates already
    dealt with.
    """

    day: date
    varied_on: date
    settlement_lag: timedelta = timedelta(0)
    interest: CashInterest | None = None
    booked_at: dict[int, datetime] = field(default_factory=dict)  # con_id -> when its settlement is booked
    next_due: datetime = _AT_ONCE

    @classmethod
    def opened(
        cls, now: datetime, settlement_lag: timedelta, interest: CashInterest | None = None
    ) -> "Clearing":
        """Clearing of an account opened at `now`."""
        return cls(last_midnight(now).date(), _last_variation(now), settlement_lag, interest)

    def run(self, market: Market, account: Account) -> tuple[int, ...] | None:
        """Book everything due at the market's time; the contracts settled, in order, None when nothing at all
        changed.
        """
        now = market.now
        before = (self.day, len(self.booked_at))
        varied = self._vary(now, market, account)
        settled = self._settle(now, market, account)
        day = last_midnight(now).date()
        if day > self.day:
            if self.interest is not None:
                pass_nights(account, self.interest, self.day, day)
            morning = Appraisal(market, account)
            account.start_day(morning.valuation().equity, morning.mark)
            self.day = day
        self.next_due = self._next_due(now, market, account)
        something = varied or settled or before != (self.day, len(self.booked_at))
        return tuple(settled) if something else None

    def dump(self) -> dict[str, Any]:
        """State as JSON values."""
        return {
            "day": self.day.isoformat(),
            "varied_on": self.varied_on.isoformat(),
            "booked_at": [[con_id, due.isoformat()] for con_id, due in sorted(self.booked_at.items())],
        }

    @classmethod
    def load(
        cls, state: Mapping[str, Any], settlement_lag: timedelta, interest: CashInterest | None = None
    ) -> "Clearing":
        """What `dump` described."""
        return cls(
            date.fromisoformat(state["day"]),
            date.fromisoformat(state["varied_on"]),
            settlement_lag,
            interest,
            {int(con_id): datetime.fromisoformat(due) for con_id, due in state["booked_at"]},
        )

    def _vary(self, now: datetime, market: Market, account: Account) -> bool:
        last = _last_variation(now)
        if last <= self.varied_on:
            return False
        futures = [
            con_id for con_id, held in sorted(account.holdings.items()) if held.is_future and held.quantity
        ]
        if futures:
            appraisal = Appraisal(market, account)
            for con_id in futures:
                mark = appraisal.mark(con_id)
                if mark is not None:
                    account.vary(con_id, mark)
        self.varied_on = last
        return bool(futures)

    def _settle(self, now: datetime, market: Market, account: Account) -> list[int]:
        settled = []
        for con_id in sorted(con_id for con_id, held in account.holdings.items() if held.quantity):
            value = market.settlement(con_id)
            if value is not None and now >= self.booked_at.setdefault(con_id, now + self.settlement_lag):
                account.settle(con_id, value)
                del self.booked_at[con_id]
                settled.append(con_id)
        return settled

    def _next_due(self, now: datetime, market: Market, account: Account) -> datetime:
        due = [next_midnight(now), _next_variation(now), *self.booked_at.values()]
        upcoming = market.next_settlement()
        if upcoming is not None:
            due.append(upcoming)
        for con_id, held in account.holdings.items():
            instrument = market.instrument(con_id)
            expired = (
                instrument is not None and instrument.last_trade is not None and instrument.last_trade < now
            )
            if held.quantity and expired and con_id not in self.booked_at:
                return now  # its settlement value may be published at any step
        return min(due)


def _last_variation(now: datetime) -> date:
    local = now.astimezone(NEW_YORK)
    return local.date() if local.time() >= VARIATION_TIME else local.date() - timedelta(days=1)


def _next_variation(now: datetime) -> datetime:
    return datetime.combine(_last_variation(now) + timedelta(days=1), VARIATION_TIME, NEW_YORK)
