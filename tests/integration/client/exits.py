"""`python exits.py URL STORY`: a supervisor that holds a session, and leaves in some way."""

import logging
import os
import signal
import sys
import threading
import time
from types import FrameType

from subagent_sidecar.client import session_lease
from subagent_sidecar.client.exits import keeper_of


def said(words: str) -> None:
    print(words, flush=True)


def main(url: str, story: str) -> None:
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    if story == "handles":
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
    if story == "goes on":
        signal.signal(signal.SIGTERM, lambda number, frame: said("theirs"))
    if story == "waits":
        aside = threading.Thread(target=keeper_of, args=(url, {}), kwargs={"end_at_exit": True})
        aside.start()  # where signals cannot be caught: that is made up for below
        aside.join()
    keeper = keeper_of(url, {}, end_at_exit=story != "stays")
    keeper.use("s")
    if story == "handles later":
        ours = signal.getsignal(signal.SIGTERM)
        assert callable(ours)

        def theirs(number: int, frame: FrameType | None) -> None:
            said("theirs, then ours")
            ours(number, frame)

        signal.signal(signal.SIGTERM, theirs)
    if story == "forks":
        child = os.fork()
        if child == 0:
            keeper.use("child")
            time.sleep(0.3)
            sys.exit(0)
        os.waitpid(child, 0)
        said("forked")
    said("ready")
    if story == "fails":
        input()
        raise RuntimeError("boom")
    if story in ("exits", "stays"):
        input()
        return
    while story == "goes on":
        time.sleep(0.02)
        keeper.use("s")
    if story == "blocks":
        with session_lease(url, "block"):
            time.sleep(600)
    time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
