"""Instruments beside those the strategies trade: minis, weeklies, micros, notes; sparse chains and halts."""

from datetime import UTC, date, datetime, timedelta

import pytest

from market.contract import Right, SecurityType
from market.sessions import MARKET_TZ, vix_expiries, vixw_expiries
from simulator.classes import CLASSES, CODES
from simulator.instruments import future, index, instrument_of, option, stock
from simulator.listing import Listing
from simulator.model import Tick
from simulator.stochastic import StochasticMarket
from tests.simulator.fixture_venue import Clock, Line, contract, kinds, market_data, open_gateway, place
from tests.simulator.fixture_venue import condor as condor_legs

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=MARKET_TZ)
SPX = 416904


@pytest.fixture(scope="module")
def market() -> StochasticMarket:
    return StochasticMarket(5, NOON, 60.0)


def tick(market: StochasticMarket, con_id: int) -> Tick:
    return market.ticks([con_id])[0]


def test_the_codes_of_the_classes_never_move() -> None:
    assert dict(CODES) == {"SPX": 1, "SPXW": 2, "VIX": 3, "VX": 4, "XSP": 5, "VIXW": 6, "VXM": 7}
    ids = [
        option("XSP", date(2026, 4, 17), 290.0, Right.PUT).con_id,
        option("VIXW", date(2026, 3, 25), 20.0, Right.CALL).con_id,
        future(date(2026, 4, 15), "VXM").con_id,
        index("XSP").con_id,
        stock("VXX").con_id,
        stock("UVXY").con_id,
    ]
    assert len(set(ids)) == len(ids)
    assert max(ids) < 2**31


def friday(market: StochasticMarket) -> date:
    """The seventh Friday on which the full options expire, as the minis do."""
    weekly = next(chain for chain in market.chains(SPX) if chain.trading_class == "SPXW")
    return [day for day in weekly.expiries if day.weekday() == 4][6]


@pytest.mark.parametrize("right", list(Right))
@pytest.mark.parametrize("strike", [2700.0, 3000.0, 3300.0])
def test_a_mini_option_is_a_tenth_of_the_full_one_on_steps_of_a_cent(
    market: StochasticMarket, strike: float, right: Right
) -> None:
    expiry = friday(market)
    full = tick(market, option("SPXW", expiry, strike, right).con_id)
    mini = tick(market, option("XSP", expiry, strike / 10.0, right).con_id)
    assert full.model_price is not None
    assert full.gamma is not None
    assert full.vega is not None
    assert mini.model_price == pytest.approx(full.model_price / 10.0, abs=1e-4)
    assert mini.delta == full.delta
    assert mini.gamma == pytest.approx(full.gamma * 10.0, rel=1e-3)
    assert mini.vega == pytest.approx(full.vega / 10.0, abs=2e-6)
    assert mini.implied_volatility == full.implied_volatility
    assert mini.bid is not None
    assert mini.ask is not None
    assert mini.bid <= full.model_price / 10.0 <= mini.ask
    for price in (mini.bid, mini.ask):
        assert round(price * 100.0, 6) == round(price * 100.0)


def test_full_size_quotes_do_not_depend_on_minis_beside_them(market: StochasticMarket) -> None:
    expiry = friday(market)
    full = [option("SPXW", expiry, strike, Right.PUT).con_id for strike in (2500.0, 2900.0, 3000.0)]
    mini = [option("XSP", expiry, strike, Right.PUT).con_id for strike in (250.0, 290.0, 300.0)]
    together = market.ticks([*mini, *full])
    assert list(together[3:]) == list(market.ticks(full))
    assert list(together[:3]) == list(market.ticks(mini))


def test_the_mini_index_and_its_chain_are_found(market: StochasticMarket) -> None:
    spx, xsp = tick(market, SPX), tick(market, index("XSP").con_id)
    assert spx.last is not None
    assert xsp.last == round(spx.last / 10.0, 2)
    chain = next(iter(market.chains(index("XSP").con_id)))
    assert (chain.trading_class, chain.multiplier) == ("XSP", 100)
    (line,) = market.find(
        symbol="XSP", security_type="OPT", expiry=chain.expiries[0], strike=300.0, right="C"
    )
    assert (line.min_tick, line.local_symbol[:6]) == (0.01, "XSP   ")
    assert line.underlying_con_id == index("XSP").con_id


def test_weekly_vix_options_stand_in_the_weeks_without_a_monthly(market: StochasticMarket) -> None:
    chains = {chain.trading_class: chain for chain in market.chains(index("VIX").con_id)}
    printed = chains["VIXW"].expiries
    settles = vixw_expiries(date(2026, 3, 4), date(2026, 4, 15))
    assert [day + timedelta(1) for day in printed] == [day for day in settles if day > date(2026, 3, 4)]
    assert not set(settles) & set(vix_expiries(date(2026, 1, 1), date(2026, 12, 31)))


def test_a_weekly_vix_option_hangs_on_the_curve_between_its_neighbours(market: StochasticMarket) -> None:
    near, far = (tick(market, future(day).con_id) for day in (date(2026, 3, 18), date(2026, 4, 15)))
    assert near.last is not None
    assert far.last is not None
    weekly = tick(market, option("VIXW", date(2026, 4, 1), 20.0, Right.CALL).con_id)
    assert weekly.underlying == pytest.approx((near.last + far.last) / 2.0, abs=0.06)
    call = tick(market, option("VIXW", date(2026, 4, 1), 15.0, Right.CALL).con_id)
    put = tick(market, option("VIXW", date(2026, 4, 1), 15.0, Right.PUT).con_id)
    assert call.model_price is not None
    assert put.model_price is not None
    assert weekly.underlying is not None
    assert call.model_price - put.model_price == pytest.approx(weekly.underlying - 15.0, abs=0.02)


def test_a_weekly_vix_option_settles_on_its_own_wednesday_morning() -> None:
    market = StochasticMarket(5, NOON, 60.0)
    call = option("VIXW", date(2026, 3, 11), 12.0, Right.CALL).con_id
    assert market.settlement(call) is None
    market.advance(datetime(2026, 3, 11, 9, 31, tzinfo=MARKET_TZ))
    opened = tick(market, index("VIX").con_id).open
    assert market.settlement(call) == opened
    assert tick(market, call).bid is None


def test_a_mini_option_settles_on_a_tenth_of_the_close() -> None:
    market = StochasticMarket(5, NOON, 60.0)
    call = option("XSP", date(2026, 3, 6), 300.0, Right.CALL).con_id
    market.advance(datetime(2026, 3, 6, 16, 1, tzinfo=MARKET_TZ))
    spx = tick(market, SPX).last
    assert spx is not None
    assert market.settlement(call) == round(spx / 10.0, 2)


def test_a_micro_future_is_the_same_curve_in_cents_and_a_tenth_of_the_money(market: StochasticMarket) -> None:
    full, micro = future(date(2026, 4, 15)), future(date(2026, 4, 15), "VXM")
    assert (micro.symbol, micro.multiplier, instrument_of(micro).min_tick) == ("VXM", 100, 0.01)
    wide, fine = tick(market, full.con_id), tick(market, micro.con_id)
    assert wide.last is not None
    assert fine.last is not None
    assert fine.last == pytest.approx(wide.last, abs=0.026)
    assert fine.bid is not None
    assert fine.ask is not None
    assert fine.bid < fine.last < fine.ask
    (found,) = market.find(symbol="VXM", security_type="FUT", expiry=(2026, 4))
    assert found.local_symbol == "VXMJ6"


def test_micro_futures_begin_in_august_2020() -> None:
    def classes(session: date) -> tuple[date, ...]:
        listing = Listing(session, 3000.0, 3400.0, 2000.0, 3400.0, (date(2020, 9, 16),))
        return listing.expiries("VXM", datetime(2020, 8, 7, 16, 0, tzinfo=UTC))

    assert classes(date(2020, 8, 7)) == ()
    assert classes(date(2020, 8, 10)) == (date(2020, 9, 16),)


def test_the_volatility_notes_follow_the_two_contracts_around_thirty_days() -> None:
    market = StochasticMarket(5, NOON, 60.0, "shock")
    held = {day: future(day).con_id for day in (date(2026, 3, 18), date(2026, 4, 15))}
    before = {day: tick(market, con_id).close for day, con_id in held.items()}
    now = {day: tick(market, con_id).last for day, con_id in held.items()}
    share = ((date(2026, 4, 15) - date(2026, 3, 3)).days - 30) / 28.0
    near, far = (now[day] / before[day] - 1.0 for day in held)  # type: ignore[operator]  # both are quoted
    vxx, uvxy = (tick(market, stock(name).con_id) for name in ("VXX", "UVXY"))
    assert (vxx.close, uvxy.close) == (20.0, 15.0)
    assert vxx.last == pytest.approx(20.0 * (1.0 + share * near + (1.0 - share) * far), abs=0.06)
    assert uvxy.last == pytest.approx(15.0 * (1.0 + 1.5 * (share * near + (1.0 - share) * far)), abs=0.06)


def test_the_notes_go_on_from_close_to_close_and_over_a_restart() -> None:
    market = StochasticMarket(5, NOON, 60.0, "shock")
    market.advance(datetime(2026, 3, 6, 16, 0, tzinfo=MARKET_TZ))
    ends = {name: tick(market, stock(name).con_id).last for name in ("VXX", "UVXY")}
    market.advance(datetime(2026, 3, 9, 9, 31, tzinfo=MARKET_TZ))
    closes = {name: tick(market, stock(name).con_id).close for name in ("VXX", "UVXY")}
    for name, end in ends.items():
        assert end is not None
        assert closes[name] == pytest.approx(end, rel=0.01)
    again = StochasticMarket(5, NOON, 60.0, "shock")
    again.load(market.dump())
    assert again.ticks([stock("VXX").con_id]) == market.ticks([stock("VXX").con_id])
    bars = market.bars(stock("VXX").con_id, market.now, 10)
    assert [bar.close for bar in bars][-1] == closes["VXX"]
    assert bars[0].close == 20.0


def test_sparse_chains_lack_strikes_between_the_fives_and_25s_for_each_expiry_its_own() -> None:
    full, sparse = (StochasticMarket(5, NOON, 60.0, sparse_chains=flag) for flag in (False, True))
    chain = next(chain for chain in full.chains(SPX) if chain.trading_class == "SPXW")
    assert sparse.chains(SPX) == full.chains(SPX)
    found = {}
    for expiry in chain.expiries[:4]:
        lines = sparse.find(
            symbol="SPX", security_type=SecurityType.OPTION, trading_class="SPXW", expiry=expiry, right="P"
        )
        found[expiry] = {line.contract.strike for line in lines}
        assert {strike for strike in chain.strikes if strike % 25.0 == 0.0} <= found[expiry]
        assert 0.5 * len(chain.strikes) < len(found[expiry]) < 0.9 * len(chain.strikes)
    assert len({frozenset(strikes) for strikes in found.values()}) == 4
    missing = next(strike for strike in chain.strikes if strike not in found[chain.expiries[0]])
    con_id = option("SPXW", chain.expiries[0], missing, Right.PUT).con_id
    assert sparse.instrument(con_id) is None
    assert full.instrument(con_id) is not None


def test_a_halt_is_told_as_tick_49_and_nothing_trades_until_it_ends() -> None:
    clock = Clock()
    gateway = open_gateway(clock)
    line = Line(gateway)
    legs = condor_legs(gateway)
    option_line = gateway.venue.market.instrument(legs[0].con_id)
    assert option_line is not None
    line.ask(*market_data(4, contract(option_line)))
    gateway.venue.market.halted.add("SPX")
    before = len(line.sent)
    gateway.step()
    assert [m[3:5] for m in line.fresh(before) if m[0] == "45"] == [["49", "1"]]
    line.session.receive(place(1, legs, 5.0))
    assert "11" not in kinds(line.fresh(before))
    gateway.venue.market.halted.clear()
    before = len(line.sent)
    clock.pass_by(1.0)
    gateway.step()
    assert [m[3:5] for m in line.fresh(before) if m[0] == "45"] == [["49", "0"]]
    assert "11" in kinds(line.fresh(before))


def test_the_ten_year_yield_is_quoted_as_ten_times_its_percent(market: StochasticMarket) -> None:
    last = tick(market, index("TNX").con_id).last
    assert last is not None
    assert 1.0 < last < 200.0


def test_every_class_has_a_rule_that_the_gateway_can_report() -> None:
    gateway = open_gateway()
    line = Line(gateway)
    for one in CLASSES.values():
        assert line.ask(91, one.market_rule)[0][:2] == ["93", str(one.market_rule)]
