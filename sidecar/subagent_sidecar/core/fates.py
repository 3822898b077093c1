"""What header fields mean by their names: found out once for each name, however it is spelled."""

from collections.abc import Callable
from typing import Final

MOST_KEPT: Final = 1_024
LONGEST_KEPT: Final = 128
"""Longer names are of nobody's making but to fill the memory with."""


class Fates(dict[bytes, int]):
    """`find` tells the fate of a name in lower case. To look one up that was seen before costs no
    call, which is why it is looked up by the name as it stands. Clients can make up any number of
    names: once there are too many, all are found out anew."""

    __slots__ = ("_find",)

    def __init__(self, find: Callable[[bytes], int]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, name: bytes) -> int:
        fate = self._find(name.lower())
        if len(name) <= LONGEST_KEPT:
            if len(self) >= MOST_KEPT:
                self.clear()
            self[name] = fate
        return fate
