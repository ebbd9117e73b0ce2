"""The `[account]` table of a script: what the account may see, what its user set, what its cash earns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from simulator.api_settings import ApiSettings
from simulator.entitlements import Entitlements
from simulator.faults import FaultPlanError
from simulator.interest import CashInterest


@dataclass(frozen=True, slots=True)
class ScriptAccount:
    """What a script says about the account; what it leaves out stays as it is."""

    lines: int | None = None  # market-data lines
    not_subscribed: tuple[str, ...] = ()  # symbols without live data
    without_api: tuple[str, ...] = ()  # symbols with live data on the screen only
    delayed_data: bool | None = None
    messages_per_s: int | None = None  # beyond them error 100; the third ends the session
    read_only: bool | None = None
    master_client: int | None = None
    credit_pct: float | None = None  # interest a year on cash
    debit_pct: float | None = None  # and on debts

    @property
    def interest(self) -> CashInterest | None:
        """What cash earns and costs, where the script says so."""
        if self.credit_pct is None and self.debit_pct is None:
            return None
        return CashInterest(self.credit_pct or 0.0, self.debit_pct or 0.0)

    def apply(self, entitlements: Entitlements, settings: ApiSettings) -> None:
        """Change what clients may see and do."""
        if self.lines is not None:
            entitlements.lines = self.lines
        entitlements.symbols_not_subscribed |= set(self.not_subscribed)
        entitlements.symbols_without_api |= set(self.without_api)
        if self.delayed_data is not None:
            entitlements.delayed_data = self.delayed_data
        if self.messages_per_s is not None:
            settings.messages_per_s = self.messages_per_s
        if self.read_only is not None:
            settings.read_only = self.read_only
        if self.master_client is not None:
            settings.master_client_id = self.master_client


_COUNTS: Final = frozenset({"lines", "messages_per_s", "master_client"})
_FLAGS: Final = frozenset({"delayed_data", "read_only"})
_SYMBOLS: Final = frozenset({"not_subscribed", "without_api"})
_PERCENTS: Final = frozenset({"credit_pct", "debit_pct"})


def script_account(row: object, where: str) -> ScriptAccount:
    """The table as a ScriptAccount. Raises FaultPlanError."""
    if not isinstance(row, Mapping):
        raise FaultPlanError(f"{where}: `account` is a table")
    known = _COUNTS | _FLAGS | _SYMBOLS | _PERCENTS
    unknown = sorted(set(row) - known)
    if unknown:
        raise FaultPlanError(
            f"{where}: account: {unknown[0]!r} is unknown; it may have {', '.join(sorted(known))}"
        )
    return ScriptAccount(**{name: _value(name, value, where) for name, value in row.items()})


def _value(name: str, value: Any, where: str) -> Any:
    if name in _FLAGS:
        if isinstance(value, bool):
            return value
        wanted = "true or false"
    elif name in _SYMBOLS:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        wanted = "a list of symbols"
    elif name in _COUNTS:
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31:
            return value
        wanted = "a whole number from 0 on"
    else:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100:
            return float(value)
        wanted = "a number of percent a year from 0 to 100"
    raise FaultPlanError(f"{where}: account: {name!r} is {wanted}, not {value!r}")
