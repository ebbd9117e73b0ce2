"""`alvh run` whose event loop stands still for some seconds once a file named `block` appears beside it."""

import asyncio
import sys
import time
from pathlib import Path

from bot.control.console import observers
from bot.control.run import run_live
from bot.daemon import Daemon
from config.loader import load_rules, load_settings
from config.settings import PAPER_PROFILE


def main() -> None:
    """Arguments: the folder of journals, seconds to stand still. Settings come from the environment."""
    import os

    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    settings = load_settings({"journal.folder": str(folder)}, os.environ, PAPER_PROFILE).settings

    async def look() -> None:
        while not (folder / "block").exists():  # noqa: ASYNC110 -- the file is the signal
            await asyncio.sleep(0.01)
        time.sleep(seconds)  # noqa: ASYNC251 -- to block is the point

    looking: list[asyncio.Task[None]] = []

    def on_ready(_: Daemon) -> None:
        looking.append(asyncio.get_running_loop().create_task(look()))

    told = observers(settings.mode, settings.broker.account)
    asyncio.run(run_live(settings, load_rules(settings.rules_file), told, on_ready=on_ready))


if __name__ == "__main__":
    main()
