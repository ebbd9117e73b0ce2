"""Positions follow from the set of executions: not from their order, their repetition or their corrections'
timing.
"""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from market.order import Fill
from market.portfolio import Portfolio, Position, fold
from tests.market.options import NOW


def fill(
    exec_id: str, con_id: int = 1, quantity: int = 1, price: float = 2.0, commission: float | None = None
) -> Fill:
    return Fill(exec_id, "ref", 7, con_id, quantity, price, NOW, commission)


def held(portfolio: Portfolio) -> dict[int, int]:
    return {con_id: position.quantity for con_id, position in portfolio.positions().items()}


executions = st.lists(
    st.builds(
        fill,
        st.builds("e{}.{:02d}".format, st.integers(1, 6), st.integers(1, 3)),
        st.integers(1, 3),
        st.integers(-3, 3).filter(bool),
        st.integers(1, 400).map(lambda n: n / 20),
    ),
    max_size=14,
    unique_by=lambda one: one.exec_id,
)


@given(executions.flatmap(lambda fills: st.tuples(st.just(fills), st.permutations(fills))))
def test_the_order_in_which_executions_arrive_does_not_matter(pair: tuple[list[Fill], list[Fill]]) -> None:
    assert fold(pair[0]).positions() == fold(pair[1]).positions()


@given(executions, st.integers(1, 3))
def test_hearing_of_an_execution_again_changes_nothing(fills: list[Fill], times: int) -> None:
    once = fold(fills)
    assert fold(fills * times + fills[:3]) == once


@given(executions)
def test_only_the_latest_correction_of_each_execution_counts(fills: list[Fill]) -> None:
    latest: dict[str, Fill] = {}
    for one in sorted(fills, key=lambda one: one.exec_id):
        latest[one.exec_id.rpartition(".")[0]] = one
    net: dict[int, int] = {}
    for one in latest.values():
        net[one.con_id] = net.get(one.con_id, 0) + one.quantity
    assert held(fold(fills)) == {con_id: quantity for con_id, quantity in net.items() if quantity}


def test_a_correction_replaces_what_it_corrects_and_a_late_original_does_not_come_back() -> None:
    portfolio = fold(
        [fill("a.01", quantity=5), fill("a.02", quantity=3, price=4.0), fill("a.01", quantity=5)]
    )
    assert portfolio.positions() == {1: Position(1, 3)}
    assert portfolio.knows("a.01")
    assert not portfolio.knows("a.03")


def test_a_commission_stays_with_its_execution_through_a_correction() -> None:
    portfolio = fold([fill("a.01")]).commission("a.01", 1.3)
    assert portfolio.apply(fill("a.02", quantity=2)).fills["a"].commission == 1.3
    assert portfolio.commission("unknown.01", 9.0) is portfolio
    assert portfolio.commission("a.01", 1.3) is portfolio


def test_what_is_sold_again_is_no_position() -> None:
    assert fold([fill("a.01", quantity=2), fill("b.01", quantity=-2, price=3.0)]).positions() == {}


def test_positions_are_told_by_ascending_contract() -> None:
    assert list(fold([fill("a.01", 3), fill("b.01", 1), fill("c.01", 2)]).positions()) == [1, 2, 3]


@given(executions, st.integers(0, 14))
def test_carrying_old_executions_forward_keeps_what_is_held(fills: list[Fill], cut: int) -> None:
    bases = {one.exec_id.rpartition(".")[0] for one in fills[:cut]}
    aged = [
        Fill(f.exec_id, f.order_ref, f.perm_id, f.con_id, f.quantity, f.price, NOW - timedelta(days=9))
        if f.exec_id.rpartition(".")[0] in bases
        else f
        for f in fills
    ]
    whole = fold(aged)
    carried = whole.carry(NOW - timedelta(days=1))
    assert held(carried) == held(whole)
    assert all(one.time >= NOW for one in carried.fills.values())
    assert carried.carry(NOW - timedelta(days=1)) is carried


def test_settled_contracts_leave_the_portfolio() -> None:
    portfolio = fold([fill("a.01", 1), fill("b.01", 2)]).carry(NOW + timedelta(days=1)).apply(fill("c.01", 1))
    assert list(portfolio.settle([1]).positions()) == [2]
    assert Portfolio().settle([1]) == Portfolio()


def test_an_execution_told_anew_takes_the_place_of_the_first_telling_and_keeps_its_commission() -> None:
    first = Portfolio().apply(fill("e1.01", commission=1.25))
    again = first.retold(fill("e1.01", quantity=3))
    assert held(again) == {1: 3}
    assert again.fills["e1"].commission == 1.25
