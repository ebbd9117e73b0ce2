"""Our contracts and the broker's: expiries by settlement day, either printed form, nothing ambiguous."""

from datetime import UTC, date, datetime

import pytest

from bot.broker.compat import RawContract
from bot.broker.contracts import from_client, is_settled, printed_expiry, settlement_day, to_client
from bot.errors import BrokerError
from bot.events import ListOptions
from market.contract import Contract, Right, SecurityType
from market.sessions import spx_monthly_expiries, spxw_expiries, vix_expiries, vixw_expiries
from simulator.wire import Value
from tests.bot.broker.scripted import CALL, Desk, ScriptedGateway, at_the_desk

FIRST, LAST = date(2016, 1, 1), date(2027, 12, 31)
CLASSES = {
    "SPX": spx_monthly_expiries(FIRST, LAST),
    "SPXW": spxw_expiries(FIRST, LAST),
    "VIX": vix_expiries(FIRST, LAST),
    "VIXW": vixw_expiries(FIRST, LAST),
}


@pytest.mark.parametrize("trading_class", sorted(CLASSES))
def test_both_printed_forms_of_every_expiry_are_read_as_the_settlement_day(trading_class: str) -> None:
    for settles in CLASSES[trading_class]:
        assert settlement_day(trading_class, printed_expiry(trading_class, settles)) == settles
        assert settlement_day(trading_class, settles) == settles


def test_a_vix_option_that_settles_on_a_tuesday_is_printed_as_the_monday() -> None:
    assert printed_expiry("VIX", date(2026, 5, 19)) == date(2026, 5, 18)
    assert settlement_day("VIX", date(2026, 5, 18)) == date(2026, 5, 19)


def test_a_future_is_named_by_its_final_settlement_in_either_form() -> None:
    assert settlement_day("VX", date(2020, 4, 15)) == date(2020, 4, 15)
    assert settlement_day("VX", date(2020, 4, 14)) == date(2020, 4, 15)


@pytest.mark.parametrize("right", ["C", "CALL", "P", "PUT"])
def test_an_option_is_read_in_full(right: str) -> None:
    raw = RawContract(
        conId=5, symbol="SPX", secType="OPT", lastTradeDateOrContractMonth="20200319 15:15 US/Central",
        strike=2600.0, right=right, multiplier="100", exchange="CBOE", currency="USD", tradingClass="SPX",
    )  # fmt: skip
    assert from_client(raw) == Contract(
        SecurityType.OPTION,
        "SPX",
        "SPX",
        date(2020, 3, 20),
        2600.0,
        Right.CALL if right.startswith("C") else Right.PUT,
        100,
        con_id=5,
    )


def test_a_combo_and_a_kind_we_do_not_trade_are_no_contract_of_ours() -> None:
    assert from_client(RawContract(secType="BAG", symbol="SPX")) is None
    assert from_client(RawContract(secType="CFD", symbol="SPX")) is None


@pytest.mark.parametrize("change", [{"lastTradeDateOrContractMonth": "soon"}, {"multiplier": "many"}])
def test_a_description_that_does_not_read_is_refused(change: dict[str, str]) -> None:
    raw = RawContract(conId=5, symbol="SPX", secType="OPT", tradingClass="SPXW", **change)
    with pytest.raises(BrokerError, match="contract 5 unreadably"):
        from_client(raw)


def test_an_unnamed_contract_is_written_by_its_terms_and_a_named_one_by_its_id() -> None:
    unnamed = Contract(SecurityType.OPTION, "VIX", "VIX", date(2026, 5, 19), 22.0, Right.CALL, 100)
    raw = to_client(unnamed)
    assert (raw.conId, raw.lastTradeDateOrContractMonth, raw.strike, raw.right) == (0, "20260518", 22.0, "C")
    named = to_client(CALL)
    assert (named.conId, named.exchange, named.lastTradeDateOrContractMonth) == (3, "SMART", "")


def test_settlement_follows_the_class() -> None:
    third_friday = date(2020, 3, 20)
    morning = Contract(SecurityType.OPTION, "SPX", "SPX", third_friday, 2600.0, Right.PUT, 100)
    evening = Contract(SecurityType.OPTION, "SPX", "SPXW", third_friday, 2600.0, Right.PUT, 100)
    noon = datetime(2020, 3, 20, 16, 0, tzinfo=UTC)
    assert is_settled(morning, noon)
    assert not is_settled(evening, noon)
    assert is_settled(evening, datetime(2020, 3, 20, 20, 0, tzinfo=UTC))
    assert not is_settled(Contract(SecurityType.INDEX, "SPX"), noon)
    unknown = Contract(SecurityType.OPTION, "XYZ", "XYZ", third_friday, 1.0, Right.PUT, 100)
    assert not is_settled(unknown, noon)
    assert is_settled(unknown, datetime(2020, 3, 21, 0, 0, tzinfo=UTC))


# ---------------------------------------------------------------- asking the broker


def details(
    gateway: ScriptedGateway,
    request: str,
    con_id: int,
    symbol: str,
    kind: str,
    printed: str = "",
    trading_class: str = "",
    multiplier: str = "100",
    strike: float = 0.0,
    right: str = "",
) -> None:
    values: tuple[Value, ...] = (
        request, symbol, kind, printed, strike, right, "CBOE", "USD", "", "", trading_class, con_id, 0.05,
        multiplier, "", "CBOE", 1, 0, "", "", "", "", "", "", "US/Eastern", "", "", "", 0, 0, 0, "", "", "",
        printed, "", 1, 1, 1,
    )  # fmt: skip
    gateway.say(10, *values)


def listing(answer: dict[tuple[str, str], list[tuple[object, ...]]], gateway: ScriptedGateway) -> None:
    """Answer contract requests by (symbol, printed expiry)."""

    def reply(fields: list[str]) -> None:
        rows = answer.get((fields[4], fields[6]), [])
        for row in rows:
            details(gateway, fields[2], *row)  # type: ignore[arg-type]  # rows are laid out for it
        if rows:
            gateway.say(52, 1, fields[2])
        else:
            gateway.error(int(fields[2]), 200, "No security definition has been found for the request")

    gateway.answers[9] = reply


def test_indexes_monthly_futures_of_both_sizes_and_shares_are_named() -> None:
    gateway = ScriptedGateway()
    futures = [
        (30, "VIX", "FUT", "20200617", "VX", "1000"),
        (31, "VIX", "FUT", "20200318", "VX", "1000"),
        (32, "VIX", "FUT", "20200415", "VX", "1000"),
        (33, "VIX", "FUT", "20200519", "VX", "1000"),  # last trade printed; settles on the 20th
        (34, "VIX", "FUT", "20200722", "VX", "1000"),
        (35, "VIX", "FUT", "20200819", "VX", "1000"),
        (36, "VIX", "FUT", "20200325", "VX13", "1000"),  # a weekly
        (37, "VXM", "FUT", "20200415", "VXM", "100"),
        (38, "VIX", "FUT", "20200219", "VX", "1000"),  # settled
    ]
    indexes: dict[tuple[str, str], list[tuple[object, ...]]] = {
        ("SPX", ""): [(416904, "SPX", "IND")],
        ("AD-NYSE", ""): [(77, "AD-NYSE", "IND")],
        ("VXX", ""): [(78, "VXX", "STK")],
    }
    calls: list[str] = []

    async def script(desk: Desk) -> None:
        listing(indexes, gateway)
        plain = gateway.answers[9]

        def reply(fields: list[str]) -> None:
            calls.append(fields[5])
            if fields[5] == "FUT":
                for row in futures:
                    if row[1] == fields[4]:
                        details(gateway, fields[2], *row)
                gateway.say(52, 1, fields[2])
            else:
                plain(fields)

        gateway.answers[9] = reply
        named = await desk.broker.name_contracts()
        assert [contract.symbol for contract in named.contracts[:2]] == ["SPX", "AD-NYSE"]
        assert [(future.con_id, future.expiry) for future in named.contracts[2:]] == [
            (31, date(2020, 3, 18)),
            (32, date(2020, 4, 15)),
            (33, date(2020, 5, 20)),
            (30, date(2020, 6, 17)),
            (34, date(2020, 7, 22)),
            (35, date(2020, 8, 19)),
            (37, date(2020, 4, 15)),
            (78, None),
        ]
        missing = [alert.text for alert in desk.alerts if alert.name == "contract_missing"]
        assert missing == ["the broker does not know VIX", "the broker does not know VVIX"]
        assert calls == [*["IND"] * 4, *["FUT"] * 2, *["STK"] * 3]

    at_the_desk(script, gateway=gateway)


def test_a_name_that_means_two_contracts_is_refused() -> None:
    gateway = ScriptedGateway()
    listing({("SPX", ""): [(1, "SPX", "IND"), (2, "SPX", "IND")]}, gateway)

    async def script(desk: Desk) -> None:
        with pytest.raises(BrokerError, match="SPX names 2 contracts"):
            await desk.broker.name_contracts()

    at_the_desk(script, gateway=gateway)


@pytest.mark.parametrize("printed", ["20260518", "20260519"])
def test_options_are_listed_by_settlement_day_in_whichever_form_the_broker_prints(printed: str) -> None:
    gateway = ScriptedGateway()
    rows: list[tuple[object, ...]] = [
        (51, "VIX", "OPT", printed, "VIX", "100", 22.0, "C"),
        (52, "VIX", "OPT", printed, "VIX", "100", 20.0, "P"),
        (53, "VIX", "OPT", printed, "VIX", "100", 22.0, "P"),
        (54, "VIX", "OPT", printed, "VIXW", "100", 22.0, "P"),
    ]
    listing({("VIX", printed): rows}, gateway)

    async def script(desk: Desk) -> None:
        listed = await desk.broker.list_options(ListOptions("VIX", "VIX", date(2026, 5, 19)))
        assert listed.rows == ((20.0, 0, 52), (22.0, 51, 53))
        assert (listed.multiplier, listed.exchange, listed.expiry) == (100, "SMART", date(2026, 5, 19))

    at_the_desk(script, gateway=gateway)


def test_an_expiry_that_is_not_listed_has_no_rows() -> None:
    gateway = ScriptedGateway()
    listing({}, gateway)

    async def script(desk: Desk) -> None:
        assert (await desk.broker.list_options(ListOptions("SPX", "SPXW", date(2020, 4, 17)))).rows == ()

    at_the_desk(script, gateway=gateway)


def test_options_with_several_multipliers_are_refused() -> None:
    gateway = ScriptedGateway()
    rows: list[tuple[object, ...]] = [
        (51, "SPX", "OPT", "20200417", "SPXW", "100", 2600.0, "C"),
        (52, "SPX", "OPT", "20200417", "SPXW", "10", 2650.0, "C"),
    ]
    listing({("SPX", "20200417"): rows}, gateway)

    async def script(desk: Desk) -> None:
        with pytest.raises(BrokerError, match="several multipliers"):
            await desk.broker.list_options(ListOptions("SPX", "SPXW", date(2020, 4, 17)))

    at_the_desk(script, gateway=gateway)


@pytest.mark.parametrize("code", [321, 322, 165])
def test_a_definition_that_is_refused_or_never_comes_ends_at_its_deadline(code: int) -> None:
    gateway = ScriptedGateway()
    gateway.answers[9] = lambda fields: gateway.error(int(fields[2]), code, "text")

    async def script(desk: Desk) -> None:
        with pytest.raises(BrokerError):
            await desk.broker.list_options(ListOptions("SPX", "SPXW", date(2020, 4, 17)))

    at_the_desk(script, gateway=gateway, request_timeout_s=2.0)
