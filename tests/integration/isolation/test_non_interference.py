"""Whatever one supervisor does, another is told the same as if it were alone (row 25 of the
failure table)."""

from pathlib import Path

import pytest
from tests.integration.isolation.rig import two
from tests.integration.isolation.stories import play, story

STEPS = 120


@pytest.mark.parametrize("seed", range(4))
async def test_what_bob_is_told_is_the_same_with_and_without_ann(tmp_path: Path, seed: int) -> None:
    steps = story(seed, STEPS)
    async with two(tmp_path) as rig:
        together = await play(steps, rig.ann, rig.bob)
    async with two(tmp_path) as rig:
        alone = await play(steps, None, rig.bob)
    for number, (one, other) in enumerate(zip(together, alone, strict=True)):
        assert one == other, f"answer {number} of {len(alone)}"
    assert len(alone) > STEPS / 4
