"""Cash and positions of the paper account, and the figures the broker reports about them.

The books are kept from raw fills: contracts gained, price, commission. Every amount is rounded to a millionth
of a dollar after each entry, which makes the sums exact decimals: cash, cost and realised P&L always add up
to the cent, and

    equity - starting cash = realised P&L + unrealised P&L (+ interest)

holds at every moment. Options and stocks move cash when they trade. Futures do not: their P&L reaches cash
once a day as variation margin, and `variation_basis` holds the points at which the open contracts were last
settled. At expiry a position becomes cash at the final settlement value; no execution is invented for that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from market.contract import Contract, Right, SecurityType
from simulator.margin import Exposure, Requirement, requirement
from simulator.model import PositionLine, Tick

STARTING_CASH_USD: Final = 1_000_000.0

#: con_id -> price in points, or None when the venue knows none.
Marks = Callable[[int], float | None]


@dataclass(slots=True)
class Holding:
    """One position. `cost_usd` is signed like the quantity and contains multiplier and commissions."""

    contract: Contract
    quantity: int = 0
    cost_usd: float = 0.0
    variation_basis: float = 0.0  # futures: sum over the open contracts of the price last settled, in points
    realised_today_usd: float = 0.0
    day_basis_usd: float = 0.0  # worth at midnight plus what trades of the day have paid for it

    @property
    def average_cost_usd(self) -> float:
        """Cost of one contract, multiplier and commission included, never signed by the side."""
        return _usd(self.cost_usd / self.quantity) if self.quantity else 0.0

    @property
    def is_future(self) -> bool:
        """Whether the position is settled daily."""
        return self.contract.security_type is SecurityType.FUTURE

    def value_usd(self, mark: float) -> float:
        """Quantity times price times multiplier."""
        return _usd(self.quantity * mark * self.contract.multiplier)

    def mark_or_cost(self, marks: Marks) -> float:
        """The price in points; without one, the price at which the position neither gains nor loses."""
        mark = marks(self.contract.con_id)
        return self.average_cost_usd / self.contract.multiplier if mark is None else mark


@dataclass(frozen=True, slots=True)
class Valuation:
    """The account at one moment, in USD."""

    cash: float
    options: float
    stocks: float
    futures_variation: float
    accrued_interest: float
    gross: float
    unrealised: float
    realised: float
    margin: Requirement

    @property
    def equity(self) -> float:
        """NetLiquidation."""
        return _usd(self.cash + self.options + self.stocks + self.futures_variation + self.accrued_interest)

    @property
    def equity_with_loan(self) -> float:
        """What stands against margin: options have no loan value, their premium has left the cash already."""
        return _usd(self.cash + self.stocks + self.futures_variation)

    @property
    def available(self) -> float:
        """AvailableFunds: equity with loan value less initial margin."""
        return _usd(self.equity_with_loan - self.margin.initial_usd)

    @property
    def excess(self) -> float:
        """ExcessLiquidity: equity with loan value less maintenance margin."""
        return _usd(self.equity_with_loan - self.margin.maintenance_usd)


class Account:
    """The books of one account."""

    def __init__(self, account_id: str, cash_usd: float = STARTING_CASH_USD) -> None:
        """A fresh account with `cash_usd`."""
        self.account_id = account_id
        self.cash_usd = cash_usd
        self.holdings: dict[int, Holding] = {}
        self.realised_today_usd = 0.0
        self.realised_total_usd = 0.0
        self.day_start_equity_usd = cash_usd
        self.interest_month_usd = 0.0  # accrued since the month began
        self.interest_due_usd = 0.0  # of months that ended, not paid yet

    def trade(self, contract: Contract, quantity: int, price: float, commission_usd: float) -> float | None:
        """Book `quantity` contracts gained (negative: sold) at `price`; the realised P&L, None when nothing
        was closed.

        The commission enters the cost of what is opened and the P&L of what is closed, in proportion. Raises
        ValueError on a quantity of zero.
        """
        if not quantity:
            raise ValueError("a trade has a quantity")
        held = self.holdings.setdefault(contract.con_id, Holding(contract))
        held.day_basis_usd = _usd(
            held.day_basis_usd + quantity * price * contract.multiplier + commission_usd
        )
        closing = -_clip(held.quantity, -quantity) if held.quantity * quantity < 0 else 0
        close_commission = _usd(commission_usd * closing / quantity)
        realised = None
        if closing:
            realised = self._close(
                held, closing, _usd(closing * price * contract.multiplier), close_commission
            )
        opening = quantity - closing
        if opening:
            open_commission = _usd(commission_usd - close_commission)
            held.quantity += opening
            held.cost_usd = _usd(held.cost_usd + opening * price * contract.multiplier + open_commission)
        if held.is_future:
            held.variation_basis = _usd(held.variation_basis + quantity * price)
            self.cash_usd = _usd(self.cash_usd - commission_usd)
            if not held.quantity:
                self._pay_variation(held, 0.0)
        else:
            self.cash_usd = _usd(self.cash_usd - quantity * price * contract.multiplier - commission_usd)
        return realised

    def correct(self, con_id: int, quantity: int, old_price: float, new_price: float) -> None:
        """Move an executed trade of `quantity` (signed) to another price; the difference stays with what is
        still open.
        """
        held = self.holdings[con_id]
        difference = _usd(quantity * (new_price - old_price) * held.contract.multiplier)
        held.day_basis_usd = _usd(held.day_basis_usd + difference)
        if held.is_future and held.quantity:
            held.variation_basis = _usd(held.variation_basis + quantity * (new_price - old_price))
        else:
            self.cash_usd = _usd(self.cash_usd - difference)
        if held.quantity:
            held.cost_usd = _usd(held.cost_usd + difference)
        else:
            self._realise(held, -difference)

    def vary(self, con_id: int, settlement_price: float) -> None:
        """Daily settlement of a future: pay the move since the last one."""
        held = self.holdings[con_id]
        self._pay_variation(held, held.quantity * settlement_price)

    def settle(self, con_id: int, settlement: float) -> float:
        """Turn an expired position into cash and forget it; USD received, to the cent (negative: paid)."""
        held = self.holdings[con_id]
        contract = held.contract
        value = round(held.quantity * contract.multiplier * contract.payoff(settlement), 2) + 0.0
        self._realise(held, _usd(value - held.cost_usd))
        # What variation margin has paid already is not paid again.
        varied = held.variation_basis * contract.multiplier if held.is_future else 0.0
        paid = round(value - varied, 2) + 0.0
        self.cash_usd = _usd(self.cash_usd + paid)
        del self.holdings[con_id]
        return paid

    def start_day(self, equity_usd: float, marks: Marks) -> None:
        """Midnight: daily figures begin again at `marks` and closed positions disappear."""
        self.day_start_equity_usd = equity_usd
        self.realised_today_usd = 0.0
        self.holdings = {con_id: held for con_id, held in self.holdings.items() if held.quantity}
        for held in self.holdings.values():
            held.realised_today_usd = 0.0
            held.day_basis_usd = held.value_usd(held.mark_or_cost(marks))

    def reset(self, cash_usd: float) -> None:
        """Begin again with nothing but cash."""
        self.cash_usd = self.day_start_equity_usd = cash_usd
        self.realised_today_usd = self.realised_total_usd = 0.0
        self.interest_month_usd = self.interest_due_usd = 0.0
        self.holdings.clear()

    def accrue(self, amount_usd: float) -> None:
        """Interest of one night."""
        self.interest_month_usd = _usd(self.interest_month_usd + amount_usd)

    def end_month(self) -> None:
        """What accrued in the month is due."""
        self.interest_due_usd = _usd(self.interest_due_usd + self.interest_month_usd)
        self.interest_month_usd = 0.0

    def pay_interest(self) -> bool:
        """Book what is due, to the cent; whether there was anything."""
        paid = round(self.interest_due_usd, 2) + 0.0
        self.interest_due_usd = 0.0
        self.cash_usd = _usd(self.cash_usd + paid)
        return bool(paid)

    def positions(self, marks: Marks) -> list[PositionLine]:
        """Every position, and with quantity zero those closed today, in order of con_id."""
        return [self._line(con_id, self.holdings[con_id], marks(con_id)) for con_id in sorted(self.holdings)]

    def valuation(self, marks: Marks, underlying: Marks) -> Valuation:
        """Value and margin of everything at `marks`; `underlying` gives the spot below an option for naked
        margin.
        """
        options = stocks = variation = gross = unrealised = 0.0
        exposures = []
        for con_id in sorted(self.holdings):
            held = self.holdings[con_id]
            if not held.quantity:
                continue
            mark = held.mark_or_cost(marks)
            value = held.value_usd(mark)
            unrealised += value - held.cost_usd
            if held.is_future:
                variation += value - held.variation_basis * held.contract.multiplier
            else:
                gross += abs(value)
                if held.contract.security_type is SecurityType.OPTION:
                    options += value
                else:
                    stocks += value
            spot = underlying(con_id) if held.quantity < 0 else None
            exposures.append(Exposure(held.contract, held.quantity, held.cost_usd, mark, spot))
        accrued = _usd(self.interest_month_usd + self.interest_due_usd)
        return Valuation(
            self.cash_usd, _usd(options), _usd(stocks), _usd(variation), accrued, _usd(gross),
            _usd(unrealised), self.realised_today_usd, requirement(exposures),
        )  # fmt: skip

    def copy(self) -> "Account":
        """An independent copy, on which an order can be tried out."""
        return Account.load(self.account_id, self.dump())

    def dump(self) -> dict[str, Any]:
        """The books as JSON values, keys in fixed order."""
        return {
            "cash_usd": self.cash_usd,
            "realised_today_usd": self.realised_today_usd,
            "realised_total_usd": self.realised_total_usd,
            "day_start_equity_usd": self.day_start_equity_usd,
            "interest_month_usd": self.interest_month_usd,
            "interest_due_usd": self.interest_due_usd,
            "holdings": [
                {
                    "contract": contract_to_json(held.contract),
                    "quantity": held.quantity,
                    "cost_usd": held.cost_usd,
                    "variation_basis": held.variation_basis,
                    "realised_today_usd": held.realised_today_usd,
                    "day_basis_usd": held.day_basis_usd,
                }
                for _, held in sorted(self.holdings.items())
            ],
        }

    @classmethod
    def load(cls, account_id: str, state: Mapping[str, Any]) -> "Account":
        """The account that `dump` described. Raises KeyError or ValueError on anything else."""
        account = cls(account_id, float(state["cash_usd"]))
        account.realised_today_usd = float(state["realised_today_usd"])
        account.realised_total_usd = float(state["realised_total_usd"])
        account.day_start_equity_usd = float(state["day_start_equity_usd"])
        account.interest_month_usd = float(state.get("interest_month_usd", 0.0))
        account.interest_due_usd = float(state.get("interest_due_usd", 0.0))
        for row in state["holdings"]:
            contract = contract_from_json(row["contract"])
            account.holdings[contract.con_id] = Holding(
                contract,
                int(row["quantity"]),
                float(row["cost_usd"]),
                float(row["variation_basis"]),
                float(row["realised_today_usd"]),
                float(row.get("day_basis_usd", row["cost_usd"])),
            )
        return account

    def _close(self, held: Holding, closing: int, outlay: float, commission_usd: float) -> float:
        remaining = held.quantity + closing
        # The last contract takes what is left of the cost, so that nothing remains of a closed position.
        removed = held.cost_usd if not remaining else _usd(held.cost_usd * -closing / held.quantity)
        held.cost_usd = _usd(held.cost_usd - removed)
        held.quantity = remaining
        realised = _usd(-outlay - commission_usd - removed)
        self._realise(held, realised)
        return realised

    def _realise(self, held: Holding, amount: float) -> None:
        held.realised_today_usd = _usd(held.realised_today_usd + amount)
        self.realised_today_usd = _usd(self.realised_today_usd + amount)
        self.realised_total_usd = _usd(self.realised_total_usd + amount)

    def _pay_variation(self, held: Holding, new_basis: float) -> None:
        self.cash_usd = _usd(self.cash_usd + (new_basis - held.variation_basis) * held.contract.multiplier)
        held.variation_basis = _usd(new_basis)

    @staticmethod
    def _line(con_id: int, held: Holding, mark: float | None) -> PositionLine:
        if mark is None and not held.quantity:
            mark = 0.0
        value = None if mark is None else held.value_usd(mark)
        return PositionLine(
            con_id,
            float(held.quantity),
            held.average_cost_usd,
            mark,
            value,
            None if value is None else _usd(value - held.cost_usd),
            held.realised_today_usd,
            None if value is None else _usd(value - held.day_basis_usd),
        )


def mark_of(tick: Tick) -> float | None:
    """The price at which a position is marked: the middle of a two-sided quote, else model, last or previous
    close.
    """
    if tick.bid is not None and tick.ask is not None and tick.bid >= 0 and tick.ask > 0:
        return (tick.bid + tick.ask) / 2
    for price in (tick.model_price, tick.last, tick.close):
        if price is not None:
            return price
    return None


def contract_to_json(contract: Contract) -> dict[str, Any]:
    """Every fact of a contract: the security master may forget an expired one."""
    return {
        "security_type": contract.security_type.value,
        "symbol": contract.symbol,
        "trading_class": contract.trading_class,
        "expiry": None if contract.expiry is None else contract.expiry.isoformat(),
        "strike": contract.strike,
        "right": None if contract.right is None else contract.right.value,
        "multiplier": contract.multiplier,
        "exchange": contract.exchange,
        "currency": contract.currency,
        "con_id": contract.con_id,
    }


def contract_from_json(state: Mapping[str, Any]) -> Contract:
    """The contract that `contract_to_json` described."""
    return Contract(
        SecurityType(state["security_type"]),
        str(state["symbol"]),
        str(state["trading_class"]),
        None if state["expiry"] is None else date.fromisoformat(state["expiry"]),
        float(state["strike"]),
        None if state["right"] is None else Right(state["right"]),
        int(state["multiplier"]),
        str(state["exchange"]),
        str(state["currency"]),
        int(state["con_id"]),
    )


def _clip(held: int, limit: int) -> int:
    """The part of `held` that a trade of `-limit` takes away."""
    return held if abs(held) <= abs(limit) else limit


def _usd(amount: float) -> float:
    return round(amount, 6) + 0.0
