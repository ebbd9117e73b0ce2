"""Interest on the account's cash: accrued every night, due when the month ends, paid a few sessions later.

The broker pays its benchmark less a half percent on what lies above a first amount and charges more on what
is borrowed, for actual days over 360, and books a month on the third business day of the next one (its public
interest schedules). The rates are the caller's: the gateway knows no benchmark of the day.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from market.sessions import is_session
from simulator.account import Account

_DAYS_PER_YEAR: Final = 360.0
_PAID_ON_SESSION: Final = 3


@dataclass(frozen=True, slots=True)
class CashInterest:
    """Rates in percent a year; cash up to `free_usd` earns nothing."""

    credit_pct: float
    debit_pct: float
    free_usd: float = 10_000.0

    def night_usd(self, cash_usd: float) -> float:
        """What one night earns (negative: costs)."""
        if cash_usd < 0.0:
            return cash_usd * self.debit_pct / 100.0 / _DAYS_PER_YEAR
        return max(0.0, cash_usd - self.free_usd) * self.credit_pct / 100.0 / _DAYS_PER_YEAR


def pass_nights(account: Account, interest: CashInterest, last: date, today: date) -> bool:
    """Let the nights from `last` to `today` pass over the account; whether anything was paid."""
    paid = False
    for count in range((today - last).days):
        morning = last + timedelta(count + 1)
        account.accrue(interest.night_usd(account.cash_usd))
        if morning.day == 1:
            account.end_month()
        if _is_payday(morning):
            paid = account.pay_interest() or paid
    return paid


def _is_payday(day: date) -> bool:
    first = day.replace(day=1)
    sessions = sum(is_session(first + timedelta(n)) for n in range(day.day))
    return is_session(day) and sessions == _PAID_ON_SESSION
