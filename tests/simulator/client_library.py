"""The client library's own encoder and decoder, taken apart so that tests can use them as oracles."""

from collections.abc import Callable
from datetime import UTC
from typing import Any, cast

from ib_async.client import Client
from ib_async.decoder import Decoder

from simulator.wire import FrameDecoder, frame


class _Wrapper:
    """Takes every call the decoder makes and keeps its arguments."""

    defaultTimezone = UTC  # noqa: N815  the library's name

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.ib = type("Settings", (), {"TimezoneTWS": None})()

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *args: self.calls.append((name, args))


def encoded(version: int, call: Callable[[Any], object]) -> list[list[str]]:
    """The messages, as fields, that the library's client writes when `call` uses it at a server version."""
    client: Any = _Encoder(version)
    call(client)
    return [split_as_client(payload) for payload in FrameDecoder().feed(client.written)]


class _Encoder(Client):
    """The library's client, connected to nothing and without its throttle, which needs an event loop."""

    def __init__(self, version: int) -> None:
        super().__init__(object())  # type: ignore[no-untyped-call]  # the library is untyped here
        self.connState = Client.CONNECTED
        self._serverVersion = version
        self.written = b""

    def sendMsg(self, msg: str) -> None:  # noqa: N802  the library's name
        """Take a message instead of sending it."""
        self.written += frame(msg.encode())


def decoded(version: int, text: str) -> list[tuple[str, tuple[Any, ...]]]:
    """The callbacks the library makes for encoded messages. Raises what its decoder would only log."""
    wrapper = _Wrapper()
    decoder: Any = Decoder(cast(Any, wrapper), version)
    for payload in FrameDecoder().feed(text.encode("latin-1")):
        fields = split_as_client(payload)
        decoder.handlers[int(fields[0])](fields)
    return wrapper.calls


def split_as_client(payload: bytes) -> list[str]:
    """Fields as the library splits them: the last one must be terminated."""
    fields = payload.decode(errors="backslashreplace").split("\0")
    assert fields.pop() == "", "the last field is not terminated"
    return fields
