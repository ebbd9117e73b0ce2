"""Five-second bars, single ticks, bars within a session, schedules, and calculations."""

from datetime import UTC, datetime, timedelta

import pytest

from market.contract import Right
from simulator.entitlements import Entitlements
from simulator.gateway import Gateway
from simulator.instruments import stock
from tests.simulator.client_library import decoded
from tests.simulator.fixture_venue import (
    NOBODY,
    SPX,
    START,
    Clock,
    Line,
    codes,
    contract,
    encode,
    open_gateway,
    options,
)

SPY = (stock("SPY").con_id, "SPY", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")


def bars(
    req_id: int, fields: tuple[object, ...] = SPX, size: int = 5, what: str = "TRADES"
) -> tuple[object, ...]:
    return (50, 3, req_id, *fields, size, what, 1, "")


def single_ticks(
    req_id: int, kind: str, fields: tuple[object, ...] = SPY, number: int = 0, ignore_size: int = 0
) -> tuple[object, ...]:
    return (97, req_id, *fields, kind, number, ignore_size)


def step(gateway: Gateway, clock: Clock, seconds: float, times: int = 1) -> None:
    for _ in range(times):
        clock.pass_by(seconds)
        gateway.step()


# ---------------------------------------------------------------- five-second bars


def test_five_second_bars_hold_what_the_steps_showed(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    assert line.ask(*bars(4)) == []
    before, shown = len(line.sent), []
    for _ in range(11):
        shown.append(gateway.venue.market.ticks([416904])[0].last)
        gateway.step()
        clock.pass_by(1.0)
    told = [m for m in line.fresh(before) if m[0] == "50"]
    assert [int(m[3]) - int(START.timestamp()) for m in told] == [0, 5]
    for number, message in enumerate(told):
        seen = [price for price in shown[5 * number : 5 * number + 5] if price is not None]
        assert [float(field) for field in message[4:8]] == [seen[0], max(seen), min(seen), seen[-1]]
    line.ask(51, 1, 4)
    before = len(line.sent)
    step(gateway, clock, 5.0, 2)
    assert line.fresh(before) == []


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (bars(4, size=10), ("4", "420")),
        (bars(4, what="OPTION_IMPLIED_VOLATILITY"), ("4", "420")),
        (bars(4, NOBODY), ("4", "200")),
        (single_ticks(4, "Every"), ("4", "10189")),
        (single_ticks(4, "Last", number=5), ("4", "10189")),
        (single_ticks(4, "Last", NOBODY), ("4", "200")),
    ],
)
def test_a_stream_that_cannot_be_had_is_refused(
    gateway: Gateway, request_: tuple[object, ...], answer: tuple[str, str]
) -> None:
    assert codes(Line(gateway).ask(*request_)) == [answer]


def test_streams_need_live_data_and_an_id_of_their_own(gateway: Gateway) -> None:
    line = Line(gateway)
    line.ask(*bars(4))
    line.ask(*single_ticks(5, "Last"))
    assert codes(line.ask(*bars(4))) == [("4", "420")]
    assert codes(line.ask(*single_ticks(5, "Last"))) == [("5", "102")]
    blind = Line(open_gateway(entitlements=Entitlements(symbols_not_subscribed={"SPX", "SPY"})))
    assert codes(blind.ask(*bars(4))) == [("4", "420")]
    assert codes(blind.ask(*single_ticks(5, "Last"))) == [("5", "10189")]


# ---------------------------------------------------------------- single ticks


def test_single_ticks_come_when_they_move(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    first = [line.ask(*single_ticks(4 + n, kind)) for n, kind in enumerate(("Last", "BidAsk", "MidPoint"))]
    tick = gateway.venue.market.ticks([stock("SPY").con_id])[0]
    assert [[m[2] for m in found] for found in first] == [["1"], ["3"], ["4"]]
    assert float(first[0][0][4]) == tick.last
    assert [float(field) for field in first[1][0][4:8]] == [tick.bid, tick.ask, tick.bid_size, tick.ask_size]
    before = len(line.sent)
    gateway.step()
    assert line.fresh(before) == []
    step(gateway, clock, 60.0)
    assert {m[2] for m in line.fresh(before)} == {"1", "3", "4"}
    for req_id in (4, 5, 6):
        line.ask(98, req_id)
    before = len(line.sent)
    step(gateway, clock, 60.0)
    assert line.fresh(before) == []


def test_a_size_that_moves_alone_is_no_tick_where_sizes_are_ignored(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*single_ticks(4, "BidAsk", ignore_size=1))
    line.ask(*single_ticks(5, "BidAsk"))
    before = len(line.sent)
    clock.now = datetime(2020, 3, 2, 21, 0, tzinfo=UTC)  # after the close nothing but sizes may move
    gateway.step()
    step(gateway, clock, 10.0, 30)
    ignoring = [m[4:6] for m in line.fresh(before) if m[1] == "4"]
    assert len(ignoring) == len({tuple(m) for m in ignoring}) == 1


def test_options_have_no_single_ticks_and_five_streams_are_the_most(gateway: Gateway) -> None:
    line = Line(gateway)
    option = contract(options(gateway, [3000.0])[0])
    assert codes(line.ask(*single_ticks(3, "BidAsk", option))) == [("3", "10189")]
    for req_id in range(4, 9):
        assert codes(line.ask(*single_ticks(req_id, "Last"))) == []
    assert codes(line.ask(*single_ticks(9, "Last"))) == [("9", "10190")]


def test_without_the_line_to_the_broker_streams_are_silent(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*single_ticks(4, "Last"))
    line.ask(*bars(5))
    gateway.connectivity.lost = True
    before = len(line.sent)
    step(gateway, clock, 60.0)
    assert line.fresh(before) == []


# ---------------------------------------------------------------- bars within a session, and schedules


def history(
    req_id: int, size: str, span: str, what: str = "TRADES", style: int = 1, grow: int = 0
) -> tuple[object, ...]:
    return (20, req_id, *SPX, 0, "", size, span, 1, what, style, grow, "")


def test_the_bars_within_a_session_make_its_daily_bar(gateway: Gateway) -> None:
    market = gateway.venue.market
    (day,) = market.bars(416904, START, 1)
    within = market.bars(416904, START - timedelta(days=1), 1, 300)
    assert len(within) == 78
    assert (within[0].open, within[-1].close) == (day.open, day.close)
    assert (max(bar.high for bar in within), min(bar.low for bar in within)) == (day.high, day.low)
    assert within[0].time == day.time


def test_bars_within_a_session_are_dated_by_their_beginning(gateway: Gateway) -> None:
    line = Line(gateway)
    (answer,) = line.ask(*history(4, "15 mins", "1800 S"))
    assert (answer[4], answer[5], answer[13]) == (
        "2",
        "20200302 09:45:00 US/Eastern",
        "20200302 10:00:00 US/Eastern",
    )
    (answer,) = line.ask(*history(5, "1 hour", "2 D", style=2))
    assert answer[5] == str(int(datetime(2020, 2, 28, 14, 30, tzinfo=UTC).timestamp()))
    assert codes(line.ask(*history(6, "5 mins", "1 Y"))) == [("6", "162")]
    assert codes(line.ask(*history(7, "1 secs", "60 S"))) == [("7", "162")]  # finer than this market's steps


def test_a_bar_within_the_session_grows_until_the_next_begins(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*history(4, "5 mins", "1 D", grow=1))
    before = len(line.sent)
    step(gateway, clock, 150.0, 3)
    dates = [m[3] for m in line.fresh(before) if m[0] == "90"]
    assert dates == ["20200302 10:00:00 US/Eastern", *["20200302 10:05:00 US/Eastern"] * 2]


def test_a_schedule_names_regular_sessions(gateway: Gateway) -> None:
    (answer,) = Line(gateway).ask(*history(4, "1 day", "3 D", "SCHEDULE"))
    (name, read), *_ = decoded(176, _framed(answer))
    assert name == "historicalSchedule"
    assert read[3] == "US/Eastern"
    assert [(one.startDateTime, one.endDateTime, one.refDate) for one in read[4]][1:] == [
        ("20200228-09:30:00", "20200228-16:00:00", "20200228"),
        ("20200302-09:30:00", "20200302-16:00:00", "20200302"),
    ]
    assert codes(Line(gateway, 8).ask(*history(4, "1 hour", "3 D", "SCHEDULE"))) == [("4", "162")]


def _framed(fields: list[str]) -> str:
    return encode(*fields).decode("latin-1")


# ---------------------------------------------------------------- calculations


@pytest.mark.parametrize("right", [Right.CALL, Right.PUT])
def test_a_calculation_at_the_markets_own_terms_is_the_markets_own_model(
    gateway: Gateway, right: Right
) -> None:
    (option,) = options(gateway, [3000.0], right)
    (tick,) = gateway.venue.market.ticks([option.contract.con_id])
    line, fields = Line(gateway), contract(option)
    (priced,) = line.ask(55, 3, 4, *fields, tick.implied_volatility, tick.underlying, "", "")
    (solved,) = line.ask(54, 3, 5, *fields, tick.model_price, tick.underlying, "", "")
    for answer in (priced, solved):
        assert answer[0] == "21"
        assert answer[2] == "53"
        volatility, delta, price, _, gamma, vega, theta, spot = (float(field) for field in answer[4:12])
        assert volatility == pytest.approx(tick.implied_volatility, abs=1e-5)
        assert price == pytest.approx(tick.model_price, abs=2e-3)
        assert delta == pytest.approx(tick.delta, abs=1e-5)
        assert gamma == pytest.approx(tick.gamma, abs=1e-6)
        assert vega == pytest.approx(tick.vega, abs=1e-3)
        assert theta == pytest.approx(tick.theta, abs=1e-3)
        assert spot == tick.underlying


def test_a_price_without_a_volatility_is_answered_with_unset_values(gateway: Gateway) -> None:
    (option,) = options(gateway, [3000.0])
    (answer,) = Line(gateway).ask(54, 3, 5, *contract(option), 3500.0, 3000.0, "", "")
    assert answer[4:6] == ["-1", "-2"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ((55, 3, 4, *SPX, 0.2, 3000.0, "", ""), "200"),
        ((55, 3, 4, *NOBODY, 0.2, 3000.0, "", ""), "200"),
    ],
)
def test_only_options_are_calculated(gateway: Gateway, request_: tuple[object, ...], code: str) -> None:
    assert codes(Line(gateway).ask(*request_)) == [("4", code)]


def test_nonsense_terms_are_refused(gateway: Gateway) -> None:
    line, fields = Line(gateway), contract(options(gateway, [3000.0])[0])
    assert codes(line.ask(55, 3, 4, *fields, 0.0, 3000.0, "", "")) == [("4", "321")]
    assert codes(line.ask(54, 3, 5, *fields, 10.0, 0.0, "", "")) == [("5", "321")]


def test_a_middle_price_is_followed_where_there_are_two_sides(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*bars(4, SPY, what="MIDPOINT"))
    line.ask(*bars(5, what="MIDPOINT"))  # an index has no sides
    before = len(line.sent)
    step(gateway, clock, 5.0, 2)
    assert {m[2] for m in line.fresh(before) if m[0] == "50"} == {"4"}


def test_a_growing_bar_rests_while_the_market_is_closed(gateway: Gateway, clock: Clock) -> None:
    line = Line(gateway)
    line.ask(*history(4, "1 day", "5 D", grow=1))
    line.ask(*history(5, "5 mins", "1 D", grow=1))
    before = len(line.sent)
    clock.now = datetime(2020, 3, 2, 22, 0, tzinfo=UTC)
    gateway.step()
    assert not [m for m in line.fresh(before) if m[0] == "90"]


def test_a_schedule_of_days_without_a_session_is_empty(gateway: Gateway) -> None:
    sunday = (20, 4, *SPX, 0, "20200301 12:00:00 US/Eastern", "1 day", "3600 S", 1, "SCHEDULE", 1, 0, "")
    assert codes(Line(gateway).ask(*sunday)) == [("4", "162")]


def test_an_option_that_has_expired_is_not_calculated(gateway: Gateway, clock: Clock) -> None:
    (option,) = options(gateway, [3000.0])
    clock.now = START + timedelta(days=120)
    gateway.step()
    assert codes(Line(gateway).ask(55, 3, 4, *contract(option), 0.2, 3000.0, "", ""))[0][0] == "4"
