"""The state folder: nothing acknowledged is ever lost, nothing foreign or damaged is ever believed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from simulator.exchange import Exchange
from simulator.store import StateError, Store
from tests.simulator.hand_market import ACCOUNT, EXPIRY_CLOSE, PUT_WING, HandMarket, condor, single


class Killed(BaseException):
    """The process ends here."""


def test_a_new_folder_is_empty_and_a_saved_document_comes_back(tmp_path: Path) -> None:
    with Store(tmp_path / "state") as store:
        assert store.load() is None
        store.save({"b": 1.1, "a": [1, "é"]})
        loaded = store.load()
        assert loaded == {"b": 1.1, "a": [1, "é"]}
        assert list(loaded) == ["b", "a"]


def test_equal_states_are_equal_bytes(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        with Store(tmp_path / name) as store:
            store.save({"x": 0.1 + 0.2, "y": None})
            texts.append((tmp_path / name / "account.json").read_bytes())
    assert texts[0] == texts[1]


def test_a_place_that_is_no_folder_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "file/below"):
        with pytest.raises(StateError, match="cannot hold the account"):
            Store(tmp_path / place)


def test_a_second_gateway_is_kept_out_until_the_first_is_gone(tmp_path: Path) -> None:
    first = Store(tmp_path)
    with pytest.raises(StateError, match="in use by another gateway"):
        Store(tmp_path)
    first.close()
    first.close()
    Store(tmp_path).close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not the state of a paper gateway"),
        (b'{"format":"something else"}', "not the state of a paper gateway"),
        (b'{"format":"paper-gateway-state","version":2,"sha256":"","state":{}}', "version 2"),
        (b'{"format":"paper-gateway-state","version":1,"sha256":"00","state":{}}', "check sum"),
        (b'{"format":"paper-gateway-state","version":1}', "check sum"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_with_the_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "account.json").write_bytes(content)
    with Store(tmp_path) as store, pytest.raises(StateError, match=reason):
        store.load()


def test_a_document_cut_off_or_changed_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    with Store(tmp_path) as store:
        store.save({"cash": 123456.78, "orders": [1, 2, 3]})
        whole = path.read_bytes()
        for length in range(len(whole.rstrip())):
            path.write_bytes(whole[:length])
            with pytest.raises(StateError, match="damaged"):
                store.load()
        start = whole.index(b'"state"')
        for index in range(start, len(whole)):
            if chr(whole[index]).isdigit():
                path.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
                with pytest.raises(StateError, match="damaged"):
                    store.load()


def test_what_is_not_json_is_not_written(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store.save({"cash": 1.0})
        with pytest.raises(ValueError, match="Out of range"):
            store.save({"cash": float("nan")})
        assert store.load() == {"cash": 1.0}


def _noted(name: str, real: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    def call(*args: Any) -> Any:
        calls.append(name)
        return real(*args)

    return call


def test_a_document_is_on_the_disk_before_it_takes_its_name_and_the_name_before_saving_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    store = Store(tmp_path)
    for name in ("write", "fsync", "replace"):
        monkeypatch.setattr(os, name, _noted(name, getattr(os, name), calls))
    store.save({"a": 1})
    store.close()
    assert calls == ["write", "fsync", "replace", "fsync"]


def _killed_after(calls: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Kill at the given call of open, write, fsync, close or replace; a write is cut in the middle first."""
    count = 0

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == calls:
                if name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                raise Killed
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    for name in ("open", "write", "fsync", "replace", "close"):
        wrap(name)
    return lambda: count


def test_a_kill_at_any_system_call_leaves_the_old_document_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes = set()
    for calls in range(1, 40):
        folder = tmp_path / str(calls)
        store = Store(folder)
        store.save({"generation": 1})
        with monkeypatch.context() as patch:
            total = _killed_after(calls, patch)
            try:
                store.save({"generation": 2, "more": "x" * 1000})
                finished = True
            except Killed:
                finished = False
        store.close()
        with Store(folder) as reopened:
            state = reopened.load()
        assert state is not None
        assert not finished or state["generation"] == 2
        outcomes.add(state["generation"])
        if finished:
            assert total() < calls
            break
    else:
        pytest.fail("saving never finished")
    assert outcomes == {1, 2}


def test_a_kill_anywhere_never_loses_an_order_the_client_was_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for calls in range(1, 60, 3):
        folder = tmp_path / str(calls)
        market = HandMarket()
        market.condor()
        store = Store(folder)
        exchange = Exchange(market, ACCOUNT, store=store)
        told: dict[int, tuple[int, float]] = {}
        with monkeypatch.context() as patch:
            _killed_after(calls, patch)
            try:
                for order_id in range(1, 6):
                    for report in exchange.submit(condor("BUY", order_id, -11.0, order_id=order_id)):
                        order = getattr(report, "order", None)
                        if order is not None:
                            told[order.perm_id] = (order_id, order.filled)
            except Killed:
                pass
        store.close()
        with Store(folder) as reopened:
            again = Exchange(market, ACCOUNT, store=reopened)
            known = {order.perm_id: order for order in (*again.open_orders(None), *again.completed_orders())}
            for perm_id, (order_id, filled) in told.items():
                assert known[perm_id].request.order_id == order_id
                assert known[perm_id].filled >= filled
            assert again.next_order_id(7) > max((order_id for order_id, _ in told.values()), default=0)
            held = {line.con_id: line.quantity for line in again.positions()}
            assert held.get(PUT_WING, 0) == sum(order.filled for order in known.values())


_CHILD = """
import sys
from pathlib import Path
from simulator.exchange import Exchange
from simulator.store import Store
from tests.simulator.hand_market import ACCOUNT, HandMarket, PUT_WING, single
market = HandMarket()
market.quote(PUT_WING, 13.9, 14.1, 100000)
exchange = Exchange(market, ACCOUNT, store=Store(Path(sys.argv[1])))
for order_id in range(1, 100000):
    reports = exchange.submit(single(PUT_WING, "BUY", 1, 14.1, order_id=order_id))
    print(order_id, reports[0].order.perm_id, flush=True)
"""


def test_a_gateway_killed_by_the_system_remembers_every_fill_it_reported(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", _CHILD, str(tmp_path)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        told = [child.stdout.readline().split() for _ in range(25)]
        child.kill()
        told += [line.split() for line in child.stdout if line.endswith("\n")]
    market = HandMarket()
    with Store(tmp_path) as store:
        exchange = Exchange(market, ACCOUNT, store=store)
        known = {str(order.perm_id): str(order.request.order_id) for order in exchange.completed_orders()}
        assert len(told) >= 25
        assert all(known.get(perm_id) == order_id for order_id, perm_id in told)
        (line,) = exchange.positions()
        assert line.quantity == len(known)


def test_a_gateway_that_comes_back_goes_on_with_the_same_orders_account_and_clock(tmp_path: Path) -> None:
    market = HandMarket()
    market.condor()
    with Store(tmp_path) as store:
        exchange = Exchange(market, ACCOUNT, store=store)
        exchange.submit(condor("BUY", 2, -11.0))
        exchange.submit(condor("BUY", 1, -30.0, order_id=2, tif="GTC", raw=("3", "2", "")))
        exchange.clock_offset_s = -12.5
        exchange.checkpoint()
        before = (
            exchange.account_values(),
            exchange.executions(),
            exchange.open_orders(None),
            exchange.positions(),
        )
        written = json.loads((tmp_path / "account.json").read_bytes())
    fresh = HandMarket()
    fresh.condor()
    with Store(tmp_path) as store:
        again = Exchange(fresh, ACCOUNT, store=store)
        after = (again.account_values(), again.executions(), again.open_orders(None), again.positions())
        assert after == before
        assert again.clock_offset_s == -12.5
        assert again.next_order_id(7) == 3
        again.checkpoint()
        assert json.loads((tmp_path / "account.json").read_bytes()) == written
        new = again.submit(single(PUT_WING, "BUY", 1, 14.1, order_id=3))
        perm_ids = [report.order.perm_id for report in new if hasattr(report, "order")]
        assert set(perm_ids).isdisjoint(order.perm_id for order in before[2])
        assert len({line.exec_id for line in again.executions()}) == len(again.executions())


def _fill(market: HandMarket, exchange: Exchange) -> None:
    market.condor(shift=10.0)
    assert exchange.match()


def _close_of_day(market: HandMarket, exchange: Exchange) -> None:
    market.advance(market.now + timedelta(hours=6))
    assert exchange.match()


def _settle(market: HandMarket, exchange: Exchange) -> None:
    market.settle_spx(4700.0)
    market.advance(EXPIRY_CLOSE)
    assert exchange.match()


def _correct(market: HandMarket, exchange: Exchange) -> None:
    assert exchange.correct(exchange.executions()[1].exec_id, 13.0)


@pytest.mark.parametrize(
    "act",
    [
        lambda market, exchange: exchange.cancel(7, 2),
        lambda market, exchange: exchange.cancel_all(),
        lambda market, exchange: exchange.submit(condor("BUY", 3, -30.0, order_id=2)),
        lambda market, exchange: exchange.submit(condor("BUY", 5000, -30.0, order_id=3)),
        _fill,
        _close_of_day,
        _settle,
        _correct,
    ],
    ids=["cancel", "cancel all", "modify", "reject", "fill", "close of day", "settlement", "correction"],
)
def test_whatever_was_reported_is_on_disk_already(
    tmp_path: Path, act: Callable[[HandMarket, Exchange], object]
) -> None:
    def seen(exchange: Exchange) -> tuple[object, ...]:
        return (
            list(exchange.open_orders(None)),
            list(exchange.completed_orders()),
            list(exchange.executions()),
            [(line.con_id, line.quantity, line.average_cost) for line in exchange.positions()],
            [value for key, value, _ in exchange.account_values() if key == "TotalCashValue"],
        )

    market = HandMarket()
    market.condor()
    with Store(tmp_path) as store:
        exchange = Exchange(market, ACCOUNT, store=store)
        exchange.submit(condor("BUY", 2, -11.0))
        exchange.submit(condor("BUY", 1, -30.0, order_id=2))
        before = seen(exchange)
        act(market, exchange)
        after = seen(exchange)
    assert after != before
    now = market.now
    with Store(tmp_path) as store:
        again = Exchange(market, ACCOUNT, store=store)
        assert market.now == now
        assert seen(again) == after


def test_the_state_of_another_account_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        Exchange(HandMarket(), ACCOUNT, store=store)
        with pytest.raises(StateError, match="not of DU7654321"):
            Exchange(HandMarket(), "DU7654321", store=store)


def test_a_state_with_a_hole_is_refused(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        Exchange(HandMarket(), ACCOUNT, store=store)
        state = store.load()
        assert state is not None
        del state["blotter"]["next_fill"]
        store.save(state)
        with pytest.raises(StateError, match="next_fill"):
            Exchange(HandMarket(), ACCOUNT, store=store)
