"""Throws inputs at a target, and tells the first one that it does not withstand."""

import random
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from tests.fuzz.inputs import broken
from tests.fuzz.targets import Target

HANG_S = 5.0
"""An input that takes longer is a hang: the slowest good one takes a hundredth of it."""


class Hang(Exception):
    pass


class Broken(AssertionError):
    """`data` is what did it."""

    def __init__(self, name: str, data: bytes, error: Exception) -> None:
        super().__init__(f"{name} {type(error).__name__}: {error}; input: {data!r}")
        self.data = data


def attack(
    name: str, target: Target, inputs: Iterator[bytes], number: int, *, limit_s: float = HANG_S
) -> None:
    """Raises Broken."""
    for _ in range(number):
        data = next(inputs)
        try:
            with _within(limit_s):
                target(data)
        except Exception as error:
            raise Broken(name, data, error) from error


@contextmanager
def _within(limit_s: float) -> Iterator[None]:
    """Raises Hang in its midst. On the main thread only, as signals are."""
    signal.setitimer(signal.ITIMER_VIRTUAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _hangs(_: int, __: FrameType | None) -> None:
    raise Hang("it takes too long")


@contextmanager
def watched() -> Iterator[None]:
    """Hangs are noticed inside: by processor time, so that a busy machine makes none."""
    before = signal.signal(signal.SIGVTALRM, _hangs)
    try:
        yield
    finally:
        signal.signal(signal.SIGVTALRM, before)


def without_end(chance: random.Random, corpus: Sequence[bytes]) -> Iterator[bytes]:
    while True:
        yield broken(chance, corpus)


def memory_mib() -> float:
    """The most this process has ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
