"""A short attack on whatever reads what strangers send; `make fuzz` is the long one (row 26)."""

import random
import sys
from pathlib import Path

import pytest
from tests.fuzz.attack import Broken, attack, watched, without_end
from tests.fuzz.inputs import CORPUS
from tests.fuzz.targets import targets

INPUTS = {"policies": 200}
USUAL = 5_000


@pytest.mark.parametrize("name", CORPUS)
def test_broken_inputs_are_withstood(name: str, tmp_path: Path) -> None:
    inputs = without_end(random.Random(name), CORPUS[name]())
    with watched():
        attack(name, targets(tmp_path)[name], inputs, INPUTS.get(name, USUAL))


@pytest.mark.skipif(sys.platform == "win32", reason="needs interval timers")
def test_a_crash_and_a_hang_are_noticed_with_their_inputs() -> None:
    def crashes(data: bytes) -> None:
        raise ValueError("no")

    def hangs(data: bytes) -> None:
        while True:
            pass

    for target, what in ((crashes, "ValueError"), (hangs, "Hang")):
        with watched(), pytest.raises(Broken, match=what) as told:
            attack("x", target, iter([b"abc"]), 1, limit_s=0.05)
        assert told.value.data == b"abc"
