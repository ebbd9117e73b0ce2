"""The page about the clients says what the suite proves, and every message of the protocol stands in it."""

from simulator.message_names import INCOMING, OUTGOING
from tests.compat.cases import CASES
from tests.compat.proofs import PAGE, RECEIVED, SENT, UNPROVED, page, proofs


def test_the_page_is_that_of_the_cases() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make proofs"


def test_every_message_is_proved_or_says_why_not() -> None:
    missing = [f"{n} {SENT[n]}" for n in SENT if not proofs(n, sent=True)]
    missing += [f"{n} {RECEIVED[n]}" for n in RECEIVED if not proofs(n, sent=False)]
    assert sorted(missing) == sorted(UNPROVED)


def test_the_gateways_own_names_are_among_those_of_the_protocol() -> None:
    assert set(OUTGOING) <= set(RECEIVED)
    assert set(INCOMING) <= set(SENT) | {3}


def test_a_case_is_about_messages_of_the_protocol_only() -> None:
    for case in CASES:
        assert case.sends <= set(SENT), case.name
        assert case.receives <= set(RECEIVED), case.name
