"""Two values are compared field by field, rows by their names."""

from hypothesis import given
from hypothesis import strategies as st

from bot.review.differences import ABSENT, FieldDifference, field_differences

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_value_does_not_differ_from_itself(value: object) -> None:
    assert list(field_differences(value, value)) == []


@given(JSON, JSON)
def test_different_values_differ_somewhere_and_equal_ones_nowhere(first: object, second: object) -> None:
    same = repr(first) == repr(second)
    if same:
        assert list(field_differences(first, second)) == []
    elif first != second:
        assert list(field_differences(first, second)) != []


def test_rows_are_matched_by_name_and_missing_ones_are_absent() -> None:
    before = {"gates": [{"name": "a", "passed": True}, {"name": "b", "passed": True}]}
    after = {"gates": [{"name": "b", "passed": False}]}
    assert list(field_differences(before, after)) == [
        FieldDifference("gates.a", {"name": "a", "passed": True}, ABSENT),
        FieldDifference("gates.b.passed", True, False),
    ]


def test_two_rows_of_one_name_stay_two_and_the_second_says_so() -> None:
    before = {"readings": [{"name": "r", "value": 1}, {"name": "r", "value": 2}, {"name": "s", "value": 3}]}
    after = {"readings": [{"name": "r", "value": 1}, {"name": "r", "value": 5}, {"name": "s", "value": 3}]}
    assert list(field_differences(before, after)) == [FieldDifference("readings.r#2.value", 2, 5)]


def test_a_number_that_changes_its_type_differs() -> None:
    assert list(field_differences({"a": 1}, {"a": 1.0})) == [FieldDifference("a", 1, 1.0)]
    assert list(field_differences({"a": 1}, {"a": True})) == [FieldDifference("a", 1, True)]
