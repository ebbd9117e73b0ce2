"""The reader of a trace tells an order that was durable before it was sent from one that was not."""

import pytest

from benchmarks.wire_trace import orders_on_the_wire

REF = "alvh:iron_condor:20260302T150009-5"
WRITE = '7  write(9, "{\\"kind\\":\\"PlaceOrder\\",\\"body\\":{\\"order_ref\\":\\"' + REF + '\\"", 90) = 90'
SYNC = "7  fdatasync(9)                      = 0"
BEGUN, DONE = "7  fdatasync(9 <unfinished ...>", "7  <... fdatasync resumed>)           = 0"
FAILED = "7  <... fdatasync resumed>)           = -1 EIO (Input/output error)"
SEND = f'5  sendto(7, "\\0\\0\\1+3\\0004\\0{REF}\\0", 299, 0, NULL, 0) = 299'


@pytest.mark.parametrize(
    ("lines", "first"),
    [
        ([WRITE, SYNC, SEND], True),
        ([WRITE, BEGUN, DONE, SEND, SEND], True),
        ([WRITE, SEND, SYNC], False),
        ([WRITE, BEGUN, SEND, DONE], False),
        ([BEGUN, WRITE, DONE, SEND], False),  # that sync began before the record was written
        ([WRITE, BEGUN, FAILED, SEND], False),
        ([SYNC, SEND], False),
    ],
)
def test_an_intent_is_durable_before_its_order_only_behind_a_sync_that_began_after_its_record(
    lines: list[str], first: bool
) -> None:
    assert orders_on_the_wire(lines) == ({REF}, {REF} if first else set())
