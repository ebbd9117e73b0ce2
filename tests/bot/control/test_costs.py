"""What trading cost is added up from bookings and commissions alone, and what is still held has no result."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from bot.engine.decision import Decision, Verb
from bot.events import AccountTaken, CommissionReported, Executed, Reconciled
from bot.journal.writer import Journal
from market.contract import Contract, Right, SecurityType
from market.order import Fill
from tests.bot.control.shell import Shell

NOW, SESSION = datetime(2020, 2, 28, 15, 0, tzinfo=UTC), date(2020, 2, 28)
CALL = Contract(
    SecurityType.OPTION, "VIX", "VIX", date(2020, 3, 18), 25.0, Right.CALL, multiplier=100, con_id=7
)


class Told:
    """A journal in which orders are decided, booked and charged."""

    def __init__(self, folder: Path) -> None:
        self.journal, _ = Journal.open(folder)
        self.orders = 0

    def write(self, what: object) -> None:
        self.journal.append(NOW, type(what).__name__, what)

    def order(self, verb: Verb, structure_id: str, strategy: str, **notes: float) -> str:
        """A decision that orders something; the order's reference."""
        self.orders += 1
        ref = f"alvh:{strategy}:{self.orders}"
        told = tuple(notes.items())
        self.write(Decision(ref, strategy, verb, "due", SESSION, structure_id, ref, notes=told))
        return ref

    def booked(self, ref: str, fee_usd: float, late_fee: bool = False, **notes: float) -> None:
        """What a fill of the order cost, and its commission, told at once or on being asked."""
        fill = Executed(Fill(f"{ref}.01", ref, 900, CALL.con_id, 1, 2.0, NOW), CALL)
        fee = CommissionReported(f"{ref}.01", fee_usd)
        if late_fee:
            self.write(Reconciled((), (fill,), (), (fee,)))
        else:
            self.write(fill)
            self.write(fee)
        self.write(Decision(ref, "", Verb.BOOK, "filled", SESSION, "", ref, notes=tuple(notes.items())))


@pytest.fixture
def traded(tmp_path: Path) -> Path:
    """A condor and a near-term tranche that are closed, and a reserve tranche that is held."""
    folder = tmp_path / "journal" / "simulated"
    told = Told(folder)
    told.write(AccountTaken(1e6, 1e6, 0.0, 0.0))
    near = told.order(Verb.OPEN, "near-1", "near_term", campaign_age_sessions=1)
    told.booked(near, 2.5, fill_units=2, paid_usd=400.0, slippage_usd=4.0)
    told.booked(near, 2.5, fill_units=3, paid_usd=600.0, slippage_usd=6.0)
    told.booked(
        told.order(Verb.OPEN, "reserve-1", "reserve", campaign_age_sessions=1),
        1.25,
        fill_units=1,
        paid_usd=300.0,
        slippage_usd=0.0,
    )
    condor = told.order(Verb.OPEN, "condor-1", "iron_condor")
    told.booked(condor, 10.0, late_fee=True, fill_units=2, paid_usd=-2_400.0)
    moved = told.order(Verb.ADJUST, "condor-1", "iron_condor")
    told.booked(moved, 5.0, fill_units=2, paid_usd=-100.0, slippage_usd=2.0)
    told.booked(
        told.order(Verb.CLOSE, "condor-1", "iron_condor"),
        10.0,
        fill_units=2,
        paid_usd=1_200.0,
        slippage_usd=3.0,
    )
    told.booked(
        told.order(Verb.CLOSE, "near-1", "near_term"), 2.5, fill_units=5, paid_usd=-500.0, slippage_usd=5.0
    )
    told.booked("alvh:by-hand", 99.0, fill_units=1, paid_usd=1.0)
    told.journal.close(NOW)
    return folder


def test_each_structure_has_its_cash_its_slippage_its_fees_and_its_result(alvh: Shell, traded: Path) -> None:
    found = alvh("costs", "--json").json
    near, reserve, condor = found["structures"]
    assert (near["layer"], near["units"], near["closed_units"]) == ("L1", 5, 5)
    assert (near["paid_usd"], near["received_usd"], near["slippage_usd"]) == (1_000.0, 500.0, 15.0)
    # Both fills of the opening carry one execution id: its commission is the last one told, and counts once.
    assert (near["fees_usd"], near["net_usd"], near["net_bps"]) == (5.0, -505.0, -5.05)
    assert (condor["layer"], condor["campaign"], condor["units"]) == ("condor", None, 2)
    assert (condor["paid_usd"], condor["received_usd"]) == (-2_400.0, -1_100.0)
    assert (condor["fees_usd"], condor["net_usd"]) == (25.0, 1_275.0)
    assert (condor["slippage_usd"], condor["fills_without_mid"]) == (5.0, 1)
    assert (reserve["net_usd"], reserve["net_bps"]) == (None, None)


def test_a_campaign_is_dated_by_its_first_session_and_has_no_result_while_one_tranche_is_held(
    alvh: Shell, traded: Path
) -> None:
    found = alvh("costs", "--json").json
    (campaign,) = found["campaigns"]
    assert (campaign["campaign"], campaign["tranches"]) == ("2020-02-27", 2)
    assert (campaign["paid_usd"], campaign["fees_usd"]) == (1_300.0, 6.25)
    assert (campaign["net_usd"], campaign["net_bps"]) == (None, None)
    assert (found["condors_closed"], found["hedge_cost_bps_per_condor"]) == (1, 5.05)


def test_the_tables_show_the_same_and_what_is_held_as_held(alvh: Shell, traded: Path) -> None:
    ended = alvh("costs")
    assert ended.code == 0
    assert "-505.00" in ended.out
    assert "held" in ended.out
    assert "5.05 bp a condor, 1 closed" in ended.out


def test_a_journal_in_which_nothing_traded_says_so(alvh: Shell, journal: Path) -> None:
    ended = alvh("costs")
    assert ended.code == 0
    assert "The hedge by campaign" not in ended.out
    assert alvh("costs", "--json").json["hedge_cost_bps_per_condor"] is None
