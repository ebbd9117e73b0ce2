"""The rounding boundary: what it does to one float it does to an array."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.rounding import round_price, round_ratio, round_volatility


def test_each_boundary_keeps_its_own_number_of_decimals() -> None:
    assert round_price(1.23456789012345) == 1.234568
    assert round_ratio(1.23456789012345) == 1.23456789
    assert round_ratio(0.0123456789012) == 0.012345679
    assert round_volatility(1.23456789012345) == 1.23456789
    assert round_volatility(0.123456789) == 0.12345679


def test_last_bits_of_two_machines_round_to_the_same_number() -> None:
    price = 43.25234974539335
    assert round_price(price) == round_price(math.nextafter(price, 100.0))


@pytest.mark.parametrize("rounded", [round_price, round_ratio, round_volatility])
def test_nan_and_infinity_pass_and_negative_zero_becomes_zero(rounded) -> None:  # type: ignore[no-untyped-def]  # three overloads
    assert math.isnan(rounded(math.nan))
    assert rounded(math.inf) == math.inf
    assert math.copysign(1.0, rounded(-0.0)) == 1.0
    assert math.copysign(1.0, rounded(-1e-12)) == 1.0
    array = rounded(np.array([[math.nan, -math.inf], [-0.0, -1e-12]]))
    assert array.shape == (2, 2)
    assert math.isnan(array[0, 0])
    assert array[0, 1] == -math.inf
    assert not np.signbit(array[1]).any()


def test_an_integer_comes_back_as_a_float() -> None:
    assert isinstance(round_price(5), float)


def test_a_scalar_array_and_an_empty_array_keep_their_shape() -> None:
    assert round_price(np.array(1.23456789)).shape == ()
    assert round_price(np.array([])).shape == (0,)


FLOATS = st.floats(allow_nan=False) | st.integers(-(10**9), 10**9).map(lambda i: (i + 0.5) / 1e6)


@given(st.lists(FLOATS, max_size=20))
def test_an_array_rounds_exactly_like_its_elements(values: list[float]) -> None:
    for rounded in (round_price, round_ratio, round_volatility):
        assert rounded(np.array(values, dtype=np.float64)).tolist() == [rounded(v) for v in values]


@given(FLOATS)
def test_rounding_twice_is_rounding_once(value: float) -> None:
    for rounded in (round_price, round_ratio, round_volatility):
        assert rounded(rounded(value)) == rounded(value)


near_ties = st.builds(
    lambda whole, shift: math.nextafter((whole + 0.5) / 1e6, math.inf) if shift else (whole + 0.5) / 1e6,
    st.integers(-(10**13), 10**13),
    st.booleans(),
)


@given(st.floats() | near_ties | st.floats(-1e5, 1e5))
def test_the_short_way_gives_what_decimal_rounding_gives(value: float) -> None:
    for rounded, decimals in ((round_price, 6), (round_ratio, 9), (round_volatility, 8)):
        expected = value if not math.isfinite(value) else round(value, decimals) + 0.0
        assert np.array_equal(rounded(value), expected, equal_nan=True)
