"""The calendar of releases: complete where it claims to be, equal to what was recorded, never half read."""

import csv
from datetime import date
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.release_calendar import calendar_warnings, first_barred, load_calendar, shipped_calendar

VALIDATION = Path(__file__).parents[3] / "shared" / "data" / "fomc_statement_days.csv"
# The meeting of spring 2026 was held on 28 and 29 April, as announced in 2024; the file has it a week later.
KNOWN_WRONG = {"2026-05-06": "2026-04-29"}


def days(name: str) -> list[str]:
    return [f"{year}-{day}" for year, listed in shipped_calendar()[name].items() for day in listed]


def test_statements_are_known_for_2007_to_2027_and_consumer_prices_for_2007_to_2026() -> None:
    assert list(shipped_calendar()["fomc"]) == [str(year) for year in range(2007, 2028)]
    assert list(shipped_calendar()["cpi"]) == [str(year) for year in range(2007, 2027)]


def test_a_year_has_eight_statements_and_twelve_releases_but_for_those_that_did_not_happen() -> None:
    counts = {
        name: {year: len(listed) for year, listed in shipped_calendar()[name].items()}
        for name in ("fomc", "cpi")
    }
    assert {year for year, count in counts["fomc"].items() if count != 8} == {"2020"}
    assert {year for year, count in counts["cpi"].items() if count != 12} == {"2025"}


def test_no_release_is_on_a_weekend_and_there_is_one_a_month() -> None:
    for name in ("fomc", "cpi"):
        assert [day for day in days(name) if date.fromisoformat(day).weekday() > 4] == []
        assert len({day[:7] for day in days(name)}) == len(days(name))


def test_statement_days_are_those_of_the_validation_file() -> None:
    if not VALIDATION.exists():
        pytest.skip("the validation set is not beside the project")
    with VALIDATION.open(encoding="utf-8") as file:
        rows = [row["date"] for row in csv.DictReader(file) if row["scheduled"] == "true"]
    expected = [KNOWN_WRONG.get(day, day) for day in rows if day >= "2007"]
    assert [day for day in days("fomc") if day < "2027"] == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[days]\n2026 = ["01-28"]\n', "source"),
        ('source = "x"\n', "days"),
        ('source = "x"\n[days]\n2026 = ["02-30"]\n', "days.2026"),
        ('source = "x"\n[days]\n2026 = ["03-18", "01-28"]\n', "days.2026"),
        ('source = "x"\n[days]\n2026 = []\n', "days.2026"),
        ('source = "x"\n[days]\n2026 = "01-28"\n', "days.2026"),
        ('source = "x"\n[days]\nnext = ["01-28"]\n', "days.next"),
        ('source = "x"\nauthor = "y"\n[days]\n2026 = ["01-28"]\n', "author"),
        ("source = \n", "cannot be read"),
    ],
)
def test_a_file_that_is_not_right_is_refused_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    (tmp_path / "cpi.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=place):
        load_calendar(tmp_path)


def test_the_first_barred_session_is_the_eve_of_the_first_year_that_is_missing() -> None:
    assert first_barred(
        {"cpi": {"2025": ["12-18"], "2026": ["12-10"]}, "fomc": {"2025": ["12-10"], "2027": ["01-27"]}}
    ) == {
        "cpi": date(2026, 12, 31),
        "fomc": date(2025, 12, 31),
    }


def test_two_months_before_the_days_run_out_it_is_said_with_the_file_to_add_them_to() -> None:
    calendar = {"cpi": {"2026": ["12-10"]}, "fomc": {"2026": ["12-09"], "2027": ["01-27"]}}
    assert calendar_warnings(calendar, date(2026, 10, 31)) == ()
    (warning,) = calendar_warnings(calendar, date(2026, 11, 1))
    assert "from 2026-12-31 on nothing is opened" in warning
    assert "config/calendar/cpi.toml" in warning
    assert len(calendar_warnings(calendar, date(2028, 1, 3))) == 2
