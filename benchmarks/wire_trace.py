"""What the kernel saw of one daemon: orders handed to the socket, and those that were on the disk by then.

`strace` lists the system calls of all threads as they return or are suspended. An order's intent counts as
durable from the return of a sync that began after its record was written; only a socket is sent to.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

CALLS = "write,pwrite64,sendto,sendmsg,fdatasync,fsync"
_REFERENCE = r"alvh:[a-z_]+:\d{8}T\d{6}-\d+"
_SENT = re.compile(_REFERENCE)
_INTENT = re.compile(r'PlaceOrder\\",\\"body\\":{\\"order_ref\\":\\"(' + _REFERENCE + ")")
_THREAD = re.compile(r"^(\d+) ")


def tracer(trace: Path) -> tuple[str, ...]:
    """The command in front of a daemon's, whose calls are then written to `trace`."""
    options = ["-f", "-qq", "-s", "100000", "-e", f"trace={CALLS}", "-e", "signal=none", "-o", str(trace)]
    return ("strace", *options)


def may_trace() -> bool:
    """Whether processes may be traced here."""
    if shutil.which("strace") is None:
        return False
    words = ["strace", "-o", "/dev/null", "true"]
    return subprocess.run(words, check=False, capture_output=True).returncode == 0


def orders_on_the_wire(lines: Iterable[str]) -> tuple[set[str], set[str]]:
    """References of the orders that were handed to a socket, and those of them that were durable before."""
    written: set[str] = set()
    durable: set[str] = set()
    syncing: dict[str, frozenset[str]] = {}
    seen: set[str] = set()
    first: set[str] = set()
    for line in lines:
        thread = _THREAD.match(line)
        who = thread[1] if thread is not None else ""
        if "sync(" in line or "sync resumed" in line:
            if "sync(" in line:
                syncing[who] = frozenset(written)
            if line.rstrip().endswith("= 0"):
                durable |= syncing.pop(who, frozenset())
        elif " sendto(" in line or " sendmsg(" in line:
            new = set(_SENT.findall(line)) - seen
            seen |= new
            first |= new & durable
        else:
            written |= set(_INTENT.findall(line))
    return seen, first
