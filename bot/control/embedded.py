"""The embedded gateway as a child process behind real TCP, like any other gateway.

Its account lives on in its own folder, so that either side may die and come back: the child ends with the
pipe its parent holds, however the parent dies, and a parent that lives starts a child that died again, on the
same ports.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson

from bot.control.options import SCENARIO
from bot.errors import BrokerUnreachableError, EmbeddedGatewayError, PortTakenError
from bot.events import Alert

GATEWAY_START_S = 20.0
LOOK_INTERVAL_S = 0.25
RESTART_FIRST_S, RESTART_MAX_S = 0.5, 30.0


@dataclass(slots=True)
class EmbeddedGateway:
    """Use it as a context: the gateway is asked to stop at the end."""

    port: int
    seed: int
    state: Path | None
    account: str
    pages_port: int = 0
    scenario: str = SCENARIO
    restart: str | None = None  # New York time at which it restarts by itself
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self.process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close_pipes(process)

    def start(self) -> None:
        """Start the child and wait until it can be connected to. Raises BrokerUnreachableError."""
        command = [sys.executable, "-m", "bot.control.cli", "gateway", "--until-eof"]
        command += ["--port", str(self.port), "--pages-port", str(self.pages_port)]
        command += ["--seed", str(self.seed), "--account", self.account, "--scenario", self.scenario]
        if self.state is not None:
            command += ["--state", str(self.state)]
        if self.restart is not None:
            command += ["--restart", self.restart]
        # Its own session: Ctrl-C at the terminal stops the daemon first, and the daemon then stops it.
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        facts = _first_line(self.process)
        if "error" in facts:
            self.process.wait(timeout=GATEWAY_START_S)
            raise self._failure(facts)
        self.port, self.pages_port = int(facts["port"]), int(facts["pages_port"])

    def _failure(self, facts: dict[str, Any]) -> BrokerUnreachableError:
        """Why the child did not start, as it told; on a port that is taken a gateway may run already."""
        text = f"the embedded gateway did not start: {facts['text']}"
        if facts["error"] != PortTakenError.__name__:
            return EmbeddedGatewayError(text, int(facts["exit_code"]))
        return BrokerUnreachableError(
            f"{text}\n`alvh run` without --config starts a gateway of its own. To trade on one that runs"
            f" already: `alvh run --config config/paper.toml --port {self.port}`"
        )

    async def keep_alive(self, tell: Callable[[Alert], None]) -> None:
        """Start the child again whenever it has ended, ever more slowly while it does not start.

        Run it in a task; cancel it to end it.
        """
        wait_s = RESTART_FIRST_S
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            process = self.process
            if process is None or process.poll() is None:
                continue
            text = f"the embedded gateway ended (exit code {process.returncode}) and is started again"
            tell(Alert("error", "gateway.ended", text))
            _close_pipes(process)
            try:
                await asyncio.to_thread(self.start)
                wait_s = RESTART_FIRST_S
            except BrokerUnreachableError as error:
                tell(Alert("error", "gateway.not_started", str(error)))
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, RESTART_MAX_S)


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was not flushed has nobody to read it
                pipe.close()


def _first_line(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    line = process.stdout.readline() if process.stdout is not None else b""
    try:
        facts: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        code = process.wait(timeout=GATEWAY_START_S)
        raise BrokerUnreachableError(
            f"the embedded gateway did not start (exit code {code}); its own message stands above"
        ) from error
    return facts
