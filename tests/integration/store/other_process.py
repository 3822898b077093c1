"""Another process on the same file: `python -m tests.integration.store.other_process WHAT PATH`.

hold     takes the file for itself, says so, and lets go at the next line on stdin
start N  waits for a line on stdin, then opens the store and makes N starts
endless  makes starts one after another, and names each as soon as it is on record
try N M  waits for a line on stdin, then tries M starts for each of N supervisors, by a policy that
         lets EACH in at a time; says how many were let in
"""

import asyncio
import os
import random
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from tests.support.books import accepted, start
from tests.support.refusals import policy

from subagent_sidecar.core.changes import Start
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.store.sqlite import SqliteStore

T = TypeVar("T")
EACH = 8
AT_ONCE = 32


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


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Others may hold the file for longer than is waited for it."""
    while True:
        try:
            return await ask()
        except StoreUnavailable:
            continue


async def try_to_start(store: SqliteStore, asked: Start, rules: Policy) -> bool:
    """Whether it was let in."""
    try:
        intent = await patiently(lambda: store.admit(asked, rules))
    except Refused:
        return False
    run = accepted(intent, f"run of {asked.thread_id}", 1, thread_id=str(asked.thread_id))
    await patiently(lambda: store.apply([run]))
    return True


async def try_starts(path: Path, supervisors: int, times: int) -> int:
    rules = policy(f"limits: [{{name: some, concurrent: {EACH}, per: supervisor}}]")
    names = [f"ann-{number}" for number in range(supervisors)] * times
    random.shuffle(names)
    starts = []
    for number, name in enumerate(names):
        own = f"{os.getpid()}-{number}"
        starts.append(start(1, own, intent_id=own, supervisor=name))
    store = await SqliteStore.open(path)
    say("ready")
    await asyncio.to_thread(sys.stdin.readline)
    let_in = 0
    for first in range(0, len(starts), AT_ONCE):
        group = starts[first : first + AT_ONCE]
        let_in += sum(await asyncio.gather(*(try_to_start(store, one, rules) for one in group)))
    await store.aclose()
    return let_in


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
        case "try":
            say(str(asyncio.run(try_starts(path, int(more[0]), int(more[1])))))
        case _:
            raise SystemExit(f"what is {what}?")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
