"""Market-data lines of raw clients over the real market."""

from datetime import UTC, date, datetime

import pytest

from market.contract import Right
from market.sessions import MARKET_TZ
from simulator.entitlements import Entitlements
from simulator.gateway import Gateway
from simulator.instruments import stock
from simulator.model import Instrument
from simulator.open_interest import counted
from tests.simulator.fixture_venue import (
    NOBODY,
    Clock,
    Line,
    codes,
    condor,
    contract,
    encode,
    market_data,
    messages,
    open_gateway,
    options,
)
from tests.simulator.set_days import flat, set_market


def test_first_ticks_come_with_the_subscription_and_later_only_changes(
    gateway: Gateway, clock: Clock
) -> None:
    line = Line(gateway)
    first = line.ask(*market_data(4))
    assert [m[0] for m in first][:2] == ["58", "81"]
    assert {m[3] for m in first if m[0] == "1"} >= {"4", "9"}
    before = len(line.sent)
    gateway.step()
    assert line.fresh(before) == []
    clock.pass_by(60.0)
    gateway.step()
    assert {m[3] for m in line.fresh(before)} <= {"4", "6", "7"}
    assert "4" in {m[3] for m in line.fresh(before)}


def test_one_write_carries_a_whole_step(gateway: Gateway, clock: Clock) -> None:
    writes: list[bytes] = []
    line = Line(gateway)
    line.session._send = writes.append
    line.session.receive(
        b"".join(
            encode(*market_data(n, contract(o)))
            for n, o in enumerate(options(gateway, [2800.0 + 25 * k for k in range(9)]))
        )
    )
    assert len(writes) == 1
    clock.pass_by(60.0)
    gateway.step()
    assert len(writes) == 2
    assert len(messages(writes[1])) > 9


def test_a_cancelled_line_is_silent_and_an_unknown_one_is_300(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*market_data(4))
    assert line.ask(2, 2, 4) == []
    assert codes(line.ask(2, 2, 4)) == [("4", "300")]
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert line.fresh(before) == []


def test_a_snapshot_ends_after_eleven_seconds_and_takes_no_line(gateway: Gateway, clock: Clock) -> None:
    gateway.entitlements.lines = 0
    line = Line(gateway)
    assert {m[0] for m in line.ask(*market_data(4, snapshot=1))} == {"58", "81", "1"}
    assert codes(line.ask(*market_data(4, snapshot=1))) == [("4", "102")]
    before = len(line.sent)
    clock.pass_by(10.9)
    gateway.step()
    assert line.fresh(before) == []
    clock.pass_by(0.1)
    gateway.step()
    assert line.fresh(before) == [["57", "1", "4"]]
    assert codes(line.ask(2, 2, 4)) == [("4", "300")]


def test_a_snapshot_that_is_cancelled_does_not_end(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*market_data(4, snapshot=1))
    assert line.ask(2, 2, 4) == []
    before = len(line.sent)
    clock.pass_by(20.0)
    gateway.step()
    assert line.fresh(before) == []


def test_a_snapshot_may_take_no_time() -> None:
    line = Line(open_gateway(entitlements=Entitlements(snapshot_s=0.0)))
    assert line.ask(*market_data(4, snapshot=1))[-1] == ["57", "1", "4"]


def test_duplicate_ids_and_too_many_lines_are_refused() -> None:
    line = Line(open_gateway(entitlements=Entitlements(lines=2)))
    line.ask(*market_data(4))
    assert codes(line.ask(*market_data(4))) == [("4", "102")]
    line.ask(*market_data(5))
    assert codes(line.ask(*market_data(6))) == [("6", "101")]
    line.ask(2, 2, 5)
    assert codes(line.ask(*market_data(6))) == []


def test_data_without_subscription_are_refused() -> None:
    line = Line(open_gateway(entitlements=Entitlements(symbols_not_subscribed={"SPX"})))
    assert codes(line.ask(*market_data(4))) == [("4", "354")]
    line.ask(59, 1, 3)
    assert codes(line.ask(*market_data(4))) == [("4", "10186")]
    assert codes(line.ask(*market_data(5, NOBODY))) == [("5", "200")]


def test_a_competing_session_stops_the_data_until_it_ends(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*market_data(4))
    before = len(line.sent)
    gateway.compete(elsewhere=True)
    clock.pass_by(60.0)
    gateway.step()
    assert codes(line.fresh(before)) == [("4", "10197")]
    assert codes(line.ask(*market_data(5))) == [("5", "10197")]
    gateway.compete(elsewhere=False)
    before = len(line.sent)
    gateway.step()
    assert {m[0] for m in line.fresh(before)} == {"1"}


def test_the_quote_of_a_combo_is_the_net_of_its_legs(gateway: Gateway) -> None:
    line = Line(gateway)
    legs = condor(gateway)
    rows = [field for leg in legs for field in (leg.con_id, leg.ratio, leg.action, leg.exchange)]
    bag = (0, "SPX", "BAG", "", "0.0", "", "", "SMART", "", "USD", "", "", len(legs), *rows)
    found = line.ask(*market_data(4, bag))
    bid, ask_price = (next(float(m[4]) for m in found if m[0] == "1" and m[3] == side) for side in "12")
    ticks = gateway.venue.market.ticks([leg.con_id for leg in legs])
    bought, sold = (ticks[0], ticks[3]), (ticks[1], ticks[2])
    assert bid == pytest.approx(sum(t.bid or 0.0 for t in bought) - sum(t.ask or 0.0 for t in sold))
    assert ask_price == pytest.approx(sum(t.ask or 0.0 for t in bought) - sum(t.bid or 0.0 for t in sold))
    assert bid < ask_price < 0.0


@pytest.mark.parametrize(("vix", "spread", "size_max"), [(15.0, 0.02, 34), (50.0, 0.10, 8)])
def test_a_stock_is_wider_and_thinner_under_stress(vix: float, spread: float, size_max: int) -> None:
    monday = date(2024, 3, 11)
    market = set_market(
        datetime(2024, 3, 11, 15, tzinfo=UTC), date(2024, 3, 12), {monday: {"vix": flat(vix)}}
    )
    (tick,) = market.ticks([stock("SPY").con_id])
    assert tick.bid is not None
    assert tick.ask is not None
    assert round(tick.ask - tick.bid, 2) == spread
    assert 1 <= min(tick.bid_size, tick.ask_size) <= max(tick.bid_size, tick.ask_size) <= size_max


def watch(req_id: int, instrument: Instrument, generic: str = "") -> tuple[object, ...]:
    return (1, 11, req_id, *contract(instrument), 0, generic, 0, 0, "")


def test_a_stock_says_when_it_traded_last_and_an_index_does_not(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    spy = gateway.venue.market.instrument(stock("SPY").con_id)
    assert spy is not None
    first = [m for m in line.ask(*watch(4, spy)) if m[0] == "46"]
    assert first == [["46", "6", "4", "45", str(int(clock.now.timestamp()))]]
    assert "46" not in {m[0] for m in line.ask(*market_data(5))}
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert [m[4] for m in line.fresh(before) if m[0] == "46"] == [str(int(clock.now.timestamp()))]
    line.ask(2, 2, 4)
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert "46" not in {m[0] for m in line.fresh(before)}


def test_delayed_trades_are_as_old_as_their_prices(clock: Clock) -> None:
    late = Entitlements(symbols_not_subscribed={"SPY"}, delayed_data=True)
    gateway = open_gateway(clock, entitlements=late)
    line = Line(gateway)
    line.ask(59, 1, 3)
    spy = gateway.venue.market.instrument(stock("SPY").con_id)
    assert spy is not None
    (told,) = [m for m in line.ask(*watch(4, spy, "221")) if m[0] == "46"]
    assert told[3:] == ["88", str(int(clock.now.timestamp()) - 900)]
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert [m[3] for m in line.fresh(before) if m[0] == "46"] == ["88"]


def test_a_mark_comes_when_it_is_asked_for(gateway: Gateway) -> None:
    line = Line(gateway)
    (option,) = options(gateway, [2800.0])
    (tick,) = gateway.venue.market.ticks([option.contract.con_id])
    marks = [m for m in line.ask(*watch(4, option, "100, 232")) if m[0] == "1" and m[3] == "37"]
    assert tick.bid is not None
    assert tick.ask is not None
    assert [float(m[4]) for m in marks] == [pytest.approx((tick.bid + tick.ask) / 2.0)]
    assert not [m for m in line.ask(*watch(5, option)) if m[0] == "1" and m[3] == "37"]


def test_open_interest_comes_when_it_is_asked_for_once_a_day_and_for_both_rights(
    gateway: Gateway, clock: Clock
) -> None:
    line = Line(gateway)
    (option,) = options(gateway, [2800.0])
    market = gateway.venue.market
    count = counted(market, option, market.now.astimezone(MARKET_TZ).date())
    assert count
    told = [m for m in line.ask(*watch(4, option, "101")) if m[0] == "2" and m[3] in {"27", "28"}]
    is_call = option.contract.right is Right.CALL
    assert {m[3]: int(m[4]) for m in told} == {"27": count * is_call, "28": count * (not is_call)}
    before = len(line.sent)
    clock.pass_by(60.0)
    gateway.step()
    assert not [m for m in line.fresh(before) if m[0] == "2" and m[3] in {"27", "28"}]
    assert not [m for m in line.ask(*watch(5, option)) if m[0] == "2" and m[3] in {"27", "28"}]


def test_a_generic_tick_that_does_not_exist_is_refused(gateway: Gateway) -> None:
    (option,) = options(gateway, [2800.0])
    line = Line(gateway)
    assert codes(line.ask(*watch(4, option, "232,999"))) == [("4", "321")]
    assert codes(line.ask(*watch(5, option, "mdoff,292:BRFG"))) == []


def test_options_and_others_can_be_sent_apart(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*market_data(4))
    line.ask(*market_data(5, contract(options(gateway, [3000.0])[0])))
    for options_due, others_due, req_id in ((True, False, "5"), (False, True, "4")):
        clock.pass_by(60.0)
        before = len(line.sent)
        gateway.step(options=options_due, others=others_due)
        assert {m[1] if m[0] == "21" else m[2] for m in line.fresh(before)} == {req_id}


def test_delayed_lines_show_the_quotes_of_a_quarter_of_an_hour_ago(clock: Clock) -> None:
    rights = Entitlements(symbols_not_subscribed={"SPX"}, delayed_data=True)
    gateway = open_gateway(clock, entitlements=rights)
    line = Line(gateway)
    assert line.ask(59, 1, 3) == []
    found = line.ask(*market_data(4))
    assert codes(found) == [("4", "10167")]
    assert [m[3] for m in found if m[0] == "58"] == ["3"]
    sent = {m[3]: float(m[4]) for m in found if m[0] == "1"}
    assert set(sent) == {"68", "72", "73", "75", "76"}
    past = gateway.venue.market.ticks([416904], 900.0)[0]
    now = gateway.venue.market.ticks([416904])[0]
    assert sent["68"] == past.last != now.last
    before = len(line.sent)
    clock.pass_by(900.0)
    gateway.step()
    told = [float(m[4]) for m in line.fresh(before) if m[0] == "1" and m[3] == "68"]
    assert told == [now.last]


def test_delayed_options_carry_delayed_sides_and_greeks(clock: Clock) -> None:
    gateway = open_gateway(clock, entitlements=Entitlements(symbols_without_api={"SPX"}, delayed_data=True))
    line = Line(gateway)
    line.ask(59, 1, 4)
    found = line.ask(*market_data(4, contract(options(gateway, [3000.0])[0])))
    assert {m[3] for m in found if m[0] == "1"} == {"66", "67"}
    assert [m[2] for m in found if m[0] == "21"] == ["83"]
    assert [m[3] for m in found if m[0] == "58"] == ["3"]


def test_whoever_may_see_live_data_gets_them_though_delayed_ones_were_asked_for(gateway: Gateway) -> None:
    line = Line(gateway)
    line.ask(59, 1, 3)
    found = line.ask(*market_data(4))
    assert codes(found) == []
    assert [m[3] for m in found if m[0] == "58"] == ["1"]


def test_a_line_that_may_freeze_says_so_at_the_close_and_thaws_at_the_open(clock: Clock) -> None:
    gateway = open_gateway(clock, own_market=True)
    line = Line(gateway)
    line.ask(59, 1, 2)
    line.ask(*market_data(4))
    for hours, kind in ((7.0, "2"), (16.5, "1")):
        before = len(line.sent)
        clock.pass_by(hours * 3600.0)
        gateway.step()
        assert [m[3] for m in line.fresh(before) if m[0] == "58"] == [kind]
        clock.pass_by(1.0)
        before = len(line.sent)
        gateway.step()
        assert [m for m in line.fresh(before) if m[0] == "58"] == []
