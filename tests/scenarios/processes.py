"""The product as an operator runs it: `alvh gateway` and `alvh run` as processes on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.control.stand_ins import stand_ins
from simulator.store import Store
from tests.scenarios.quick_rules import quick_rules_file

ROOT = Path(__file__).parents[2]
WAIT_S = 60.0  # a machine with other work to do is slow, not wrong
_FEEDS = {
    "VX_SETTLEMENT": "vx_settlement",
    "SPX": "spx",
    "VIX": "vix",
    "VVIX": "vvix",
    "REER": "reer",
    "PPI": "ppi",
    "TREASURY_10Y": "treasury_10y",
    "BAA_YIELD": "baa",
    "FED_FUNDS": "fed_funds",
    "VNQ": "vnq",
    "VNQ_DISTRIBUTION": "vnq_distribution",
}


def alvh(*words: str) -> list[str]:
    """The command line of a verb, in a process of its own."""
    return [sys.executable, "-m", "bot.control.cli", *words]


def environment(**variables: str) -> dict[str, str]:
    """The test's own environment without settings from outside, plus `variables`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ALVH__")}
    return {**inherited, "PYTHONUNBUFFERED": "1", **variables}


@dataclass
class House:
    """A gateway, a daemon, and the folders in which both live on."""

    folder: Path
    seed: int = 1
    account: str = "DU0000000"
    mode: str = "paper"
    walk_s: int = 5
    final: float = 0.95  # share of the half spread at which limits end
    gateway_words: tuple[str, ...] = ()  # what the gateway is started with besides
    port: int = 0
    pages_port: int = 0
    gateway: subprocess.Popen[bytes] | None = None
    daemon: subprocess.Popen[bytes] | None = None
    file_kb_max: int | None = None  # what the daemon may write to one file
    starts: int = 0
    wrapper: tuple[str, ...] = ()  # what the next daemon is started by
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def journal(self) -> Path:
        """The daemon's journal."""
        return self.folder / "journal" / self.mode

    def start_gateway(self) -> None:
        """Start `alvh gateway` on this house's account, and wait until it listens."""
        words = ["gateway", "--port", str(self.port), "--pages-port", str(self.pages_port)]
        words += [
            "--seed",
            str(self.seed),
            "--account",
            self.account,
            "--state",
            str(self.folder / "gateway"),
            *self.gateway_words,
        ]
        with (self.folder / "gateway.err").open("ab") as errors:
            self.gateway = subprocess.Popen(
                alvh(*words), cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=errors
            )
        self.started.append(self.gateway)
        assert self.gateway.stdout is not None
        facts = json.loads(self.gateway.stdout.readline())
        self.port, self.pages_port = facts["port"], facts["pages_port"]

    def start_daemon(self, **variables: str) -> subprocess.Popen[bytes]:
        """Start `alvh run` on the paper profile; only the port, the pace and the pages are not as shipped."""
        return self._start(["--config", "config/paper.toml"], self._settings(variables))

    def start_blocked_daemon(self, seconds: float, **variables: str) -> subprocess.Popen[bytes]:
        """The same daemon, whose loop stands still for `seconds` once `journal/block` is there."""
        words = [sys.executable, "-m", "tests.scenarios.blocked_daemon", str(self.folder / "journal")]
        return self._launch([*words, str(seconds)], self._settings(variables))

    def _settings(self, variables: Mapping[str, str]) -> dict[str, str]:
        pages = f"http://127.0.0.1:{self.pages_port}"
        addresses = stand_ins(pages)
        feeds = {f"ALVH__FEEDS__{key}_URL": addresses[name] for key, name in sorted(_FEEDS.items())}
        return {
            "ALVH__BROKER__PORT": str(self.port),
            "ALVH__MARKET_DATA__EVALUATION_INTERVAL_S": "0.5",
            "ALVH__RESTART__UNCLEAN_STARTS_MAX": "50",
            "ALVH__RULES__FILE": str(quick_rules_file(self.folder, self.walk_s, self.final)),
            **feeds,
            **variables,
        }

    def start_bare_daemon(self, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start `alvh run` on the paper profile with nothing set but `variables`."""
        return self._start(["--config", "config/paper.toml"], variables)

    def start_embedded(self) -> subprocess.Popen[bytes]:
        """Start `alvh run` with its own gateway."""
        self.mode = "simulated"
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        given = {
            "ALVH__BROKER__PORT": str(self.port),
            "ALVH__GATEWAY__STATE_FOLDER": str(self.folder / "gateway"),
            "ALVH__GATEWAY__SEED": str(self.seed),
            "ALVH__MARKET_DATA__EVALUATION_INTERVAL_S": "0.5",
            "ALVH__RULES__FILE": str(quick_rules_file(self.folder, self.walk_s, self.final)),
        }
        return self._start([], given)

    def _start(self, words: list[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        return self._launch(alvh("run", *words, "--journal", str(self.folder / "journal")), variables)

    def _launch(self, command: list[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        self.starts += 1
        command = [*self.wrapper, *command]
        if self.file_kb_max is not None:
            command = ["bash", "-c", f'ulimit -f {self.file_kb_max}; exec "$@"', "bash", *command]
        with self.log.open("wb") as log, self.errors.open("wb") as errors:
            self.daemon = subprocess.Popen(
                command, cwd=ROOT, env=environment(**variables), stdout=log, stderr=errors
            )
        self.started.append(self.daemon)
        return self.daemon

    @property
    def log(self) -> Path:
        """What the daemon's latest start says."""
        return self.folder / f"daemon-{self.starts}.jsonl"

    @property
    def errors(self) -> Path:
        """What the daemon's latest start complains about."""
        return self.folder / f"daemon-{self.starts}.err"

    def lines(self) -> list[dict[str, Any]]:
        """Complete log lines of the latest start."""
        text = self.log.read_bytes()
        return [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]

    def told(self, *events: str) -> int:
        """How many of these events the latest start has told."""
        return sum(line["event"] in events for line in self.lines())

    def await_events(self, *events: str, count: int = 1, within_s: float = WAIT_S) -> bool:
        """Whether the latest start tells `count` of these events in time."""
        deadline = time.monotonic() + within_s
        while self.told(*events) < count:
            assert self.daemon is not None
            assert self.daemon.poll() is None, f"the daemon ended: {self.errors.read_text()[-2000:]}"
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def until(self, *events: str, count: int = 1) -> None:
        """Wait until the latest start has told `count` of these events."""
        assert self.await_events(*events, count=count), f"{events} not told: {self.log.read_text()[-3000:]}"

    def ready(self) -> None:
        """Wait until the daemon is connected and reconciled."""
        self.until("alert.daemon.ready")

    def eventually(self, holds: Callable[[], bool], complaint: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < deadline, complaint
            time.sleep(0.02)

    def kill(self, *, daemon: bool = False, gateway: bool = False) -> None:
        """SIGKILL, as the kernel would."""
        victims = [self.daemon] * daemon + [self.gateway] * gateway
        for victim in victims:
            assert victim is not None
            victim.kill()
        for victim in victims:
            assert victim is not None
            victim.wait()

    def stop_daemon(self) -> int:
        """SIGTERM; the exit code, which must come within ten seconds."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGTERM)
        return self.daemon.wait(timeout=10)

    def stop_traced(self) -> None:
        """SIGTERM to a daemon that runs under a tracer, which must then end with 0."""
        assert self.daemon is not None
        children = Path(f"/proc/{self.daemon.pid}/task/{self.daemon.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert self.daemon.wait(timeout=20) == 0

    def stop_gateway(self) -> dict[str, Any]:
        """SIGTERM; what the account is then."""
        assert self.gateway is not None
        self.gateway.send_signal(signal.SIGTERM)
        assert self.gateway.wait(timeout=10) == 0
        return self.account_state()

    def account_state(self) -> dict[str, Any]:
        """The gateway's durable state, while no gateway runs."""
        with Store(self.folder / "gateway") as store:
            state = store.load()
        assert state is not None
        return state

    def close(self) -> None:
        """End whatever still runs."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


def run_once(words: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """One command to its end."""
    return subprocess.run(
        alvh(*words),
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=2 * WAIT_S,
        check=False,
    )
