"""Every small change to a journal is found, and the first record that does not fit is named."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import orjson
import pytest

from bot.journal import verification
from bot.journal.codec import canonical
from bot.journal.writer import Fault, Verification, seal, split_line, verify
from tests.bot.journal.journals import closed_journal, contents, restore_contents


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return contents(closed_journal(tmp_path_factory.mktemp("intact") / "journal"))


@pytest.fixture
def folder(tmp_path: Path, intact: dict[str, bytes]) -> Path:
    restore_contents(tmp_path, intact)
    return tmp_path


def segment_names(files: dict[str, bytes]) -> list[str]:
    return sorted(name for name in files if name.endswith(".jsonl"))


def lines_of(files: dict[str, bytes]) -> list[tuple[str, int]]:
    """Place of every record, in order."""
    return [
        (name, number) for name in segment_names(files) for number in range(1, files[name].count(b"\n") + 1)
    ]


def with_lines(files: dict[str, bytes], lines: dict[tuple[str, int], bytes]) -> dict[str, bytes]:
    """The files with some lines replaced by other bytes (empty: left out)."""
    changed = dict(files)
    for name in segment_names(files):
        split = files[name].splitlines(keepends=True)
        changed[name] = b"".join(lines.get((name, i), line) for i, line in enumerate(split, start=1))
    return changed


def line_at(files: dict[str, bytes], place: tuple[str, int]) -> bytes:
    return files[place[0]].splitlines(keepends=True)[place[1] - 1]


def fault_in(folder: Path, files: dict[str, bytes]) -> Fault:
    restore_contents(folder, files)
    fault = verify(folder).fault
    assert fault is not None
    return fault


def place_of(fault: Fault) -> tuple[str, int]:
    return fault.segment, fault.line


def forged(line: bytes, previous: str, text: bytes = b"forged") -> bytes:
    """A record with another text and a hash that fits its predecessor."""
    prefix, _ = split_line(line.rstrip(b"\n"))
    prefix = prefix.replace(b'"day ', b'"' + text + b" ", 1)
    return prefix[:-1] + b',"hash":"' + seal(prefix, previous).encode() + b'"}\n'


def flips(data: bytes) -> Iterator[tuple[int, bytes]]:
    for position in range(len(data)):
        for mask in (0x01, 0x20):
            changed = bytearray(data)
            changed[position] ^= mask
            yield position, bytes(changed)


def test_an_intact_journal_verifies_and_says_that_it_was_closed(folder: Path) -> None:
    result = verify(folder)
    assert (result.fault, result.closed, result.records, result.uncommitted) == (None, True, 10, 0)


def test_every_changed_byte_of_a_record_is_found_in_its_line(folder: Path, intact: dict[str, bytes]) -> None:
    for name in segment_names(intact):
        for position, changed in flips(intact[name]):
            (folder / name).write_bytes(changed)
            fault = verify(folder).fault
            line = intact[name].count(b"\n", 0, position) + 1
            assert fault is not None, (name, position)
            assert place_of(fault) == (name, line), (position, fault)
        (folder / name).write_bytes(intact[name])


def test_every_changed_byte_of_the_head_file_is_found(folder: Path, intact: dict[str, bytes]) -> None:
    for position, changed in flips(intact["head"]):
        (folder / "head").write_bytes(changed)
        assert verify(folder).fault is not None, position


def test_every_deleted_record_is_found_where_the_next_one_now_stands(
    folder: Path, intact: dict[str, bytes]
) -> None:
    places = lines_of(intact)
    for index, (name, line) in enumerate(places):
        follows = places[index + 1] if index + 1 < len(places) else (name, line)
        expected = (name, line) if follows[0] == name else follows
        assert place_of(fault_in(folder, with_lines(intact, {(name, line): b""}))) == expected


def test_every_duplicated_record_is_found_at_its_second_line(folder: Path, intact: dict[str, bytes]) -> None:
    for name, line in lines_of(intact):
        twice = line_at(intact, (name, line)) * 2
        assert place_of(fault_in(folder, with_lines(intact, {(name, line): twice}))) == (name, line + 1)


def test_every_swap_of_two_records_is_found_at_the_first_of_them(
    folder: Path, intact: dict[str, bytes]
) -> None:
    for first, second in combinations(lines_of(intact), 2):
        swapped = {first: line_at(intact, second), second: line_at(intact, first)}
        assert place_of(fault_in(folder, with_lines(intact, swapped))) == first


def test_every_inserted_record_is_found_even_when_its_own_hash_fits(
    folder: Path, intact: dict[str, bytes]
) -> None:
    previous = "0" * 64
    for name, line in lines_of(intact):
        original = line_at(intact, (name, line))
        inserted = forged(original, previous) + original
        assert fault_in(folder, with_lines(intact, {(name, line): inserted})).segment == name
        previous = split_line(original.rstrip(b"\n"))[1]


def test_every_edited_record_is_found_even_when_its_own_hash_fits(
    folder: Path, intact: dict[str, bytes]
) -> None:
    previous = "0" * 64
    places = lines_of(intact)[:-1]
    for index, (name, line) in enumerate(places):
        original = line_at(intact, (name, line))
        edited = forged(original, previous)
        follows = places[index + 1] if index + 1 < len(places) else lines_of(intact)[-1]
        assert edited != original
        assert place_of(fault_in(folder, with_lines(intact, {(name, line): edited}))) == follows
        previous = split_line(original.rstrip(b"\n"))[1]


def test_an_edited_last_record_with_a_fitting_hash_is_found_by_the_head_file(
    folder: Path, intact: dict[str, bytes]
) -> None:
    name, line = lines_of(intact)[-1]
    original = line_at(intact, (name, line))
    previous = split_line(line_at(intact, (name, line - 1)).rstrip(b"\n"))[1]
    prefix = split_line(original.rstrip(b"\n"))[0].replace(b'"count":9', b'"count":8')
    edited = prefix[:-1] + b',"hash":"' + seal(prefix, previous).encode() + b'"}\n'
    fault = fault_in(folder, with_lines(intact, {(name, line): edited}))
    assert place_of(fault) == (name, line)
    assert "head file" in fault.what


def test_a_whole_chain_written_anew_is_found_by_the_head_file(folder: Path, intact: dict[str, bytes]) -> None:
    previous, lines = "0" * 64, {}
    for place in lines_of(intact):
        lines[place] = forged(line_at(intact, place), previous)
        previous = split_line(lines[place].rstrip(b"\n"))[1]
    assert place_of(fault_in(folder, with_lines(intact, lines))) == lines_of(intact)[-1]


def test_a_cut_at_every_byte_of_every_segment_is_found_there_or_behind(
    folder: Path, intact: dict[str, bytes]
) -> None:
    names = segment_names(intact)
    for index, name in enumerate(names):
        for size in range(len(intact[name])):
            (folder / name).write_bytes(intact[name][:size])
            fault = verify(folder).fault
            assert fault is not None, (name, size)
            whole_lines = intact[name][:size].count(b"\n")
            at_line_end = size == 0 or intact[name][size - 1 : size] == b"\n"
            if at_line_end and index + 1 < len(names):
                assert place_of(fault) == (names[index + 1], 1)
            else:
                assert place_of(fault) == (name, whole_lines + 1)
        (folder / name).write_bytes(intact[name])


def test_a_removed_head_file_is_found(folder: Path) -> None:
    (folder / "head").unlink()
    fault = verify(folder).fault
    assert fault is not None
    assert "head file is missing" in fault.what


def test_every_removed_segment_is_found(folder: Path, intact: dict[str, bytes]) -> None:
    names = segment_names(intact)
    for index, name in enumerate(names):
        fault = fault_in(folder, {key: data for key, data in intact.items() if key != name})
        neighbour = names[index + 1] if index + 1 < len(names) else names[index - 1]
        assert fault.segment == neighbour
    only_head = fault_in(folder, {"head": intact["head"]})
    assert place_of(only_head) == ("head", 1)


def test_two_segments_with_their_contents_exchanged_are_found(folder: Path, intact: dict[str, bytes]) -> None:
    first, second = segment_names(intact)[:2]
    exchanged = {**intact, first: intact[second], second: intact[first]}
    assert place_of(fault_in(folder, exchanged)) == (first, 1)


@pytest.mark.parametrize("name", ["0002-2024-03-06.jsonl", "0002-2023-03-05.jsonl", "2-2024-03-05.jsonl"])
def test_a_renamed_segment_is_found(folder: Path, intact: dict[str, bytes], name: str) -> None:
    original = segment_names(intact)[1]
    renamed = {(name if key == original else key): data for key, data in intact.items()}
    assert fault_in(folder, renamed).segment in (name, segment_names(intact)[2])


@pytest.mark.parametrize("tail", [b"x", b"\n", b"{}\n", b'{"seq":11}\n', b"\x00" * 40])
def test_bytes_behind_the_last_record_are_found(folder: Path, intact: dict[str, bytes], tail: bytes) -> None:
    name, line = lines_of(intact)[-1]
    assert place_of(fault_in(folder, {**intact, name: intact[name] + tail})) == (name, line + 1)


def test_a_well_chained_record_behind_the_promised_ones_is_told_apart(
    folder: Path, intact: dict[str, bytes]
) -> None:
    name, line = lines_of(intact)[-1]
    previous = split_line(line_at(intact, (name, line)).rstrip(b"\n"))[1]
    prefix = line_at(intact, (name, line - 1)).rstrip(b"\n")
    prefix = split_line(prefix)[0].replace(b'"seq":9', b'"seq":11')
    extra = prefix[:-1] + b',"hash":"' + seal(prefix, previous).encode() + b'"}\n'
    restore_contents(folder, {**intact, name: intact[name] + extra})
    result = verify(folder)
    assert (result.fault, result.uncommitted, result.closed) == (None, 1, False)


@pytest.mark.parametrize("count", [0, 1, 5, 9, 11, -10])
def test_a_head_file_with_another_count_is_found(folder: Path, intact: dict[str, bytes], count: int) -> None:
    head = orjson.loads(intact["head"])["head"]
    assert fault_in(folder, {**intact, "head": canonical({"count": count, "head": head})}) is not None


def test_a_walk_from_a_day_on_believes_earlier_segments_and_finds_every_later_change(
    folder: Path, intact: dict[str, bytes]
) -> None:
    whole, names = verify(folder), segment_names(intact)
    day = names[1].partition("-")[2][:10]
    for name, is_seen in zip(names, (False, True, True), strict=True):
        changed = intact[name].replace(b'"day ', b'"DAY ', 1)
        restore_contents(folder, {**intact, name: changed})
        found = verify(folder, from_day=day)
        assert (found.fault is not None) is is_seen, name
        assert is_seen or (found.records, found.head, found.closed) == (whole.records, whole.head, True)
        assert verify(folder).fault is not None
    last_hash_changed = {**intact, names[0]: intact[names[0]].replace(b'"}\n', b'"} \n')}
    restore_contents(folder, last_hash_changed)
    assert verify(folder, from_day=day).fault is not None, "what follows has to follow on what was believed"


def test_a_walk_from_a_day_whose_segment_tells_no_number_begins_at_the_beginning(
    folder: Path, intact: dict[str, bytes]
) -> None:
    names = segment_names(intact)
    day = names[1].partition("-")[2][:10]
    for broken in (b"", b"nothing that is a record\n"):
        restore_contents(folder, {**intact, names[1]: broken})
        seen: list[int] = []
        found = verify(folder, seen.append, day)
        assert found == verify(folder)
        assert found.fault is not None
        assert seen[0] == 3, "the first segment is walked"
    torn = dict(intact)
    torn[names[1] + ".gz"] = b"not packed at all"
    del torn[names[1]]
    restore_contents(folder, torn)
    found = verify(folder, from_day=day)
    assert (found.records, found.fault) == (3, verify(folder).fault)
    assert found.fault is not None


def test_a_journal_that_keeps_changing_while_it_is_looked_at_is_judged_by_the_last_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = closed_journal(tmp_path / "journal")
    whole = verify(folder)
    assert whole.fault is None
    look, looks = verification._look, 0

    def beside_a_writer(*arguments: Any) -> Verification:
        nonlocal looks
        looks += 1
        return replace(look(*arguments), fault=Fault("0001-2024-03-04.jsonl", looks, "half written"))

    monkeypatch.setattr(verification, "_look", beside_a_writer)
    found = verify(folder)
    assert found.fault == Fault("0001-2024-03-04.jsonl", looks, "half written")

    def settling(*arguments: Any) -> Verification:
        nonlocal looks
        looks += 1
        return look(*arguments) if looks > 1 else replace(whole, fault=Fault("head", 1, "half written"))

    looks = 0
    monkeypatch.setattr(verification, "_look", settling)
    assert verify(folder) == whole
