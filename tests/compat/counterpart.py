"""The gateway on the other side: `alvh gateway` as a process, steered over its control port."""

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
USUAL_PYTHON = ROOT / ".venv" / "bin" / "python"  # the gateway's environment, whatever the client's is
ACCOUNT = "DU0000000"
ANSWER_S = 20.0


@dataclass(frozen=True)
class Counterpart:
    """A gateway that runs."""

    port: int
    control_port: int

    def steer(self, what: str, **row: Any) -> dict[str, Any]:
        """Post to the control port."""
        url = f"http://127.0.0.1:{self.control_port}/{what}"
        request = urllib.request.Request(url, json.dumps(row).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            told: dict[str, Any] = json.load(answer)
        return told


@contextmanager
def gateway() -> Iterator[Counterpart]:
    """`alvh gateway` on free ports; it ends with its standard input."""
    command = [str(USUAL_PYTHON), "-m", "bot.control.cli", "gateway", "--port", "0", "--seed", "1"]
    command += ["--scenario", "calm", "--account", ACCOUNT, "--until-eof", "--control-port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            facts = json.loads(process.stdout.readline())
            yield Counterpart(facts["port"], facts["control_port"])
        finally:
            process.communicate(timeout=ANSWER_S)
