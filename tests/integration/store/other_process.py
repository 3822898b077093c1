"""Another process on the same file: `python -m tests.integration.store.other_process WHAT PATH`.

hold     takes the file for itself, says so, and lets go at the next line on stdin
start N  waits for a line on stdin, then opens the store and makes N starts
endless  makes starts one after another, and names each as soon as it is on record
"""

import asyncio
import os
import sys
from pathlib import Path

from tests.support.books import accepted, start

from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.store.sqlite import SqliteStore


def say(word: str) -> None:
    print(word, flush=True)


def hold(path: Path) -> None:
    conn = sqlite3.connect(str(path), isolation_level=None)
    conn.execute("BEGIN EXCLUSIVE")
    say("held")
    sys.stdin.readline()
    conn.execute("ROLLBACK")
    conn.close()


async def make_start(store: SqliteStore, name: str, number: int) -> None:
    intent = await store.admit(start(number, name, intent_id=f"intent of {name}"))
    await store.apply([accepted(intent, f"run of {name}", number, thread_id=name)])


async def make_starts(path: Path, count: int) -> None:
    store = await SqliteStore.open(path)
    names = [f"{os.getpid()}-{number}" for number in range(count)]
    await asyncio.gather(*(make_start(store, name, n) for n, name in enumerate(names)))
    await store.aclose()


async def make_starts_without_end(path: Path) -> None:
    store = await SqliteStore.open(path)
    number = 0
    while True:
        await make_start(store, f"t{number}", number)
        say(f"t{number}")
        number += 1


def main(what: str, path: Path, *more: str) -> None:
    match what:
        case "hold":
            hold(path)
        case "start":
            say("ready")
            sys.stdin.readline()
            asyncio.run(make_starts(path, int(more[0])))
        case "endless":
            asyncio.run(make_starts_without_end(path))
        case _:
            raise SystemExit(f"what is {what}?")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
