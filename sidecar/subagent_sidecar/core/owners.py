"""Whose a thread is."""

from typing import NamedTuple


class Owner(NamedTuple):
    """A supervisor, and the upstream on which the thread is theirs: the same id on another one is
    another thread, which is nobody's."""

    upstream: str
    supervisor: str
