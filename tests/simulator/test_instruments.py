"""The security master: stable ids, full ladders, expiries that come and go."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.contract import Right, SecurityType
from market.sessions import MARKET_TZ, option_last_trade, sessions
from simulator.instruments import (
    MARKET_RULES,
    contract_id,
    contract_of,
    future,
    index,
    instrument_of,
    option,
    stock,
)
from simulator.listing import Listing
from simulator.stochastic import StochasticMarket

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=MARKET_TZ)
SESSIONS = sessions(date(2004, 1, 1), date(2034, 12, 31))


@pytest.fixture(scope="module")
def market() -> StochasticMarket:
    return StochasticMarket(5, NOON, 60.0)


def listing(session: date, *vx: date) -> Listing:
    return Listing(session, 1200.0, 1300.0, 1100.0, 1400.0, vx)


def test_ids_known_from_the_broker_are_kept() -> None:
    known = {"SPX": 416904, "VIX": 13455763, "VIX3M": 300591602, "VIX9D": 329498498}
    assert {symbol: index(symbol).con_id for symbol in known} == known


def test_ids_computed_today_are_the_ids_of_every_later_release() -> None:
    put = option("SPXW", date(2026, 4, 17), 2900.0, Right.PUT)
    assert [put.con_id, future(date(2026, 4, 15)).con_id] == [1420846216, 1689264128]
    assert [stock("VNQ").con_id, index("AD-NYSE").con_id] == [740507938, 1041378298]


@settings(max_examples=150)
@given(
    expiry=st.sampled_from(SESSIONS),
    points=st.integers(1, 4095),
    right=st.sampled_from(Right),
    name=st.sampled_from(["SPX", "SPXW", "VIX", "VIXW", "XSP"]),
)
def test_an_id_reads_back_into_the_contract_it_was_made_from(
    expiry: date, points: int, right: Right, name: str
) -> None:
    contract = option(name, expiry, points * (5.0 if name in {"SPX", "SPXW"} else 0.5), right)
    assert contract_of(contract.con_id) == contract
    assert 2**30 <= contract.con_id < 2**31


def test_no_two_listed_contracts_share_an_id(market: StochasticMarket) -> None:
    ids = [line.contract.con_id for line in market.find()]
    assert len(ids) > 20_000
    assert len(set(ids)) == len(ids)


def test_an_id_that_names_nothing_is_unknown(market: StochasticMarket) -> None:
    assert market.instrument(12345) is None
    assert market.instrument(2**31 - 1) is None
    assert contract_of(2**30 + (4 << 27) + 1) is None


def test_a_strike_off_the_grid_has_no_id() -> None:
    with pytest.raises(ValueError, match="no id"):
        contract_id(SecurityType.OPTION, "SPX", "SPXW", date(2026, 4, 17), 2901.0, Right.PUT)


def test_every_announced_strike_exists_for_every_announced_expiry(market: StochasticMarket) -> None:
    for underlying in (416904, 13455763):
        for chain in market.chains(underlying):
            for expiry in chain.expiries:
                lines = market.find(
                    symbol="SPX" if underlying == 416904 else "VIX",
                    security_type=SecurityType.OPTION,
                    trading_class=chain.trading_class,
                    expiry=expiry,
                    right=Right.PUT,
                )
                assert tuple(line.contract.strike for line in lines) == chain.strikes


def test_strikes_stand_every_five_points_near_the_money_and_every_25_far_away(
    market: StochasticMarket,
) -> None:
    spot = market.ticks([416904])[0].last
    assert spot is not None
    strikes = set(market.chains(416904)[0].strikes)
    assert {5.0 * n for n in range(int(spot * 0.9 / 5), int(spot * 1.1 / 5))} <= strikes
    assert {25.0 * n for n in range(int(spot * 0.6 / 25), int(spot * 1.4 / 25))} <= strikes


def test_vix_strikes_stand_at_half_points_whole_points_and_fives(market: StochasticMarket) -> None:
    strikes = market.chains(13455763)[0].strikes
    assert {14.5, 15.0, 16.0, 49.0, 50.0, 55.0, 200.0} <= set(strikes)
    assert not {15.5, 51.0} & set(strikes)


def test_an_option_is_found_by_settlement_day_and_by_last_trading_day(market: StochasticMarket) -> None:
    wanted = {"symbol": "SPX", "security_type": "OPT", "trading_class": "SPX", "strike": 3000.0, "right": "P"}
    by_friday = market.find(**wanted, expiry=date(2026, 3, 20), exchange="SMART")
    by_thursday = market.find(**wanted, expiry=date(2026, 3, 19), exchange="CBOE")
    assert [line.local_symbol for line in by_friday] == ["SPX   260320P03000000"]
    assert by_thursday == by_friday


def test_a_vx_contract_without_its_class_or_month_is_ambiguous_and_with_them_unique(
    market: StochasticMarket,
) -> None:
    assert len(market.find(symbol="VIX", security_type="FUT", exchange="CFE")) == 9
    found = market.find(symbol="VIX", security_type="FUT", trading_class="VX", expiry=(2026, 4))
    assert [(line.contract.expiry, line.contract.multiplier) for line in found] == [(date(2026, 4, 15), 1000)]
    assert found == market.find(local_symbol="VXJ6")


def test_details_name_ticks_rules_and_underlying() -> None:
    put = instrument_of(option("SPXW", date(2026, 4, 17), 2900.0, Right.PUT))
    assert (put.local_symbol, put.min_tick, put.underlying_con_id) == ("SPXW  260417P02900000", 0.05, 416904)
    assert MARKET_RULES[put.market_rules[0][1]] == ((0.0, 0.05), (3.0, 0.10))
    call = instrument_of(option("VIX", date(2026, 4, 15), 22.5, Right.CALL))
    assert call.last_trade == option_last_trade("VIX", date(2026, 4, 15)).astimezone(UTC)
    assert MARKET_RULES[call.market_rules[0][1]] == ((0.0, 0.01), (3.0, 0.05))


def test_an_expired_option_is_found_by_its_id_only() -> None:
    market = StochasticMarket(5, NOON, 60.0)
    line = market.find(trading_class="SPXW", expiry=date(2026, 3, 6), strike=3000.0, right="C")[0]
    market.advance(datetime(2026, 3, 6, 15, 59, tzinfo=MARKET_TZ))
    assert market.find(local_symbol=line.local_symbol) == [line]
    market.advance(datetime(2026, 3, 6, 16, 0, tzinfo=MARKET_TZ))
    assert market.find(local_symbol=line.local_symbol) == []
    assert market.find(con_id=line.contract.con_id) == [line]
    assert market.instrument(line.contract.con_id) == line


def test_new_expiries_are_listed_as_time_goes_on() -> None:
    market = StochasticMarket(5, NOON, 60.0)
    first = market.chains(416904)
    assert all(max(chain.expiries) <= date(2027, 3, 5) for chain in first)
    market.advance(datetime(2026, 4, 1, 12, 0, tzinfo=MARKET_TZ))
    later = market.chains(416904)
    assert max(later[0].expiries) > max(first[0].expiries)
    assert min(later[0].expiries) > min(first[0].expiries)


def test_chains_print_the_last_trading_day_of_classes_that_settle_in_the_morning(
    market: StochasticMarket,
) -> None:
    chains = {chain.trading_class: chain for chain in (*market.chains(416904), *market.chains(13455763))}
    assert date(2026, 3, 19) in chains["SPX"].expiries
    assert {date(2026, 3, 13), date(2026, 3, 20)} <= set(chains["SPXW"].expiries)
    assert date(2026, 3, 17) in chains["VIX"].expiries
    assert {chain.exchange for chain in market.chains(416904)} == {"SMART", "CBOE"}


def test_before_december_2010_only_monthly_morning_expiries_are_listed() -> None:
    before, after = listing(date(2010, 11, 30)), listing(date(2010, 12, 1))
    noon = datetime(2010, 11, 30, 17, 0, tzinfo=UTC)
    assert before.expiries("SPXW", noon) == ()
    assert before.expiries("SPX", noon)[0] == date(2010, 12, 17)
    assert date(2010, 12, 3) in after.expiries("SPXW", noon)
    assert [chain.trading_class for chain in before.chains(416904, noon)] == ["SPX", "SPX"]
