"""The gateway's memory on disk: one JSON document in a state folder, replaced whole, under a lock.

A client must never have been told of something that a killed gateway forgets. The document is therefore
written beside the old one, flushed to the platter, renamed over it, and the folder's own entry flushed too,
all before any report leaves the venue: at every moment the folder holds one complete document, the old one or
the new one. A check sum tells a damaged file from a good one, a mark tells a foreign file, and a lock held
for the life of the process keeps a second gateway out; the kernel releases it however the process dies.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

FORMAT: Final = "paper-gateway-state"
VERSION: Final = 1

_DOCUMENT = "account.json"
_DRAFT = "account.json.new"
_LOCK = "lock"


class StateError(Exception):
    """The state folder cannot be used: locked, damaged, foreign, or of another version."""


class Store:
    """A state folder, owned by one gateway."""

    def __init__(self, folder: Path) -> None:
        """Create or open `folder` and lock it.

        Raises StateError when it cannot be written or another gateway holds it.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{folder} cannot hold the account ({error.strerror}): give a folder") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StateError(f"{folder} is in use by another gateway") from error

    def load(self) -> dict[str, Any] | None:
        """The last document saved, None in a new folder. Raises StateError on a damaged or foreign file."""
        path = self.folder / _DOCUMENT
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            document = json.loads(text)
        except ValueError as error:
            raise StateError(f"{path} is damaged: it is not JSON") from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise StateError(f"{path} is not the state of a paper gateway")
        if document.get("version") != VERSION:
            raise StateError(
                f"{path} has version {document.get('version')}; this gateway reads version {VERSION}"
            )
        state = document.get("state")
        if not isinstance(state, dict) or document.get("sha256") != _digest(_canonical(state)):
            raise StateError(f"{path} is damaged: its check sum does not fit")
        return state

    def save(self, state: Mapping[str, Any]) -> None:
        """Replace the document; durable when this returns. Raises OSError when the disk refuses, ValueError
        on NaN.
        """
        body = _canonical(state)
        head = json.dumps(
            {"format": FORMAT, "version": VERSION, "sha256": _digest(body)}, separators=(",", ":")
        )
        draft = self.folder / _DRAFT
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_all(handle, head[:-1].encode() + b',"state":' + body + b"}\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(draft, self.folder / _DOCUMENT)  # noqa: PTH105 - the same call as its neighbours, seen by the crash tests
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Give the folder back; a second call does nothing."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _canonical(state: Mapping[str, Any]) -> bytes:
    # Keys stay in the order in which the state was built, which is fixed; NaN and infinity are not JSON.
    return json.dumps(state, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
