"""The watchdog as a child process of the daemon: started, kept alive, ended."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import orjson

from bot.events import Alert

LOOK_S = 1.0


class Guard:
    """Use `start`, then `keep_alive` in a task; `stop` at the end."""

    def __init__(self, folder: Path, host: str, port: int, client_id: int, account: str) -> None:
        facts = {"folder": str(folder), "host": host, "port": port, "client_id": client_id}
        self._words = [
            sys.executable,
            "-m",
            "bot.watchdog",
            orjson.dumps({**facts, "account": account}).decode(),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the child; it ends with the pipe that is held here, however this process ends."""
        # Its own session: Ctrl-C at the terminal is for the daemon.
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )

    async def keep_alive(self, tell: Callable[[Alert], None]) -> None:
        """Start it again whenever it has ended."""
        while True:
            await asyncio.sleep(LOOK_S)
            process = self._process
            if process is None or process.poll() is None:
                continue
            text = f"the watchdog ended (exit code {process.returncode}) and is started again"
            tell(Alert("error", "watchdog.ended", text))
            self._close()
            self.start()

    def stop(self) -> None:
        """Let go of it."""
        self._close()
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait()

    def _close(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
