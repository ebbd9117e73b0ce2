"""One suite, three clients: every case of cases.py through whichever client library is installed.

ib_async is in the project's own environment; its predecessor and the broker's official client have one each,
in which `make compat` runs this same file.
"""

import importlib.util
from collections.abc import Iterator

import pytest

from tests.compat.cases import CASES, Case
from tests.compat.codes import Code, matches
from tests.compat.data_codes import EVERY_CODE
from tests.compat.driver import Client, until
from tests.compat.house import PYTHON, House
from tests.compat.scene import Scene

LIBRARY = next(name for name in ("ib_async", "ib_insync", "ibapi") if importlib.util.find_spec(name))

if not PYTHON.exists():
    pytest.skip("the environment of the gateway is not made: make .venv", allow_module_level=True)


def make_client() -> Client:
    if LIBRARY == "ibapi":
        from tests.compat.official_driver import OfficialClient

        return OfficialClient()
    from tests.compat.asyncio_driver import AsyncioClient

    return AsyncioClient(LIBRARY)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with House() as house:
        stage = Scene(make_client, house)
        yield stage
        stage.close()


@pytest.mark.parametrize("case", [pytest.param(one, id=one.name) for one in CASES if LIBRARY in one.clients])
def test_the_client_is_content_and_the_messages_passed(case: Case, scene: Scene) -> None:
    sent_before, received_before = scene.traffic()
    case.run(scene)

    def unseen() -> list[int]:
        sent, received = scene.traffic()
        return sorted(one for one in case.sends if sent[one] <= sent_before[one]) + sorted(
            one for one in case.receives if received[one] <= received_before[one]
        )

    until(lambda: not unseen(), "for the messages that the case is about to pass")


@pytest.mark.parametrize(
    "one", [pytest.param(one, id=one.name) for one in EVERY_CODE if LIBRARY in one.clients]
)
def test_each_code_reaches_the_client_with_its_text(one: Code, scene: Scene) -> None:
    told = one.provoke(scene)
    assert matches(one, told), told
