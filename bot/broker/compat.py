"""The client library, whichever of the two is installed: ib_async, else its predecessor ib_insync 0.9.86.

Only the parts both share are used: the socket client with its encoder and decoder, and the plain records it
fills. Neither library's own bookkeeping of orders, positions and tickers is, because it turns errors into
order states and timeouts into empty answers. Never install both in one environment: their event packages
overwrite each other.
"""

import importlib
from typing import Any


def _installed_library() -> Any:
    try:
        import ib_async
    except ModuleNotFoundError:
        return importlib.import_module("ib_insync")
    return ib_async


_library = _installed_library()

LIBRARY_NAME: str = _library.__name__
LIBRARY_VERSION: str = _library.__version__

Client: Any = _library.Client
ComboLeg: Any = _library.ComboLeg
ExecutionFilter: Any = _library.ExecutionFilter
Order: Any = _library.Order
RawContract: Any = _library.Contract
