"""Secrets of a target, while they are changed."""

import logging
from pathlib import Path

import pytest

from subagent_sidecar.notifier import Secrets

OLD, NEW = "an-old-secret-long-enough", "a-new-secret-long-enough"


async def test_a_file_is_read_again_each_time(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    secrets = Secrets("ops", given=[b"given"], file=file)
    for text in (OLD, f"{NEW}\n{OLD}\n", NEW):
        file.write_text(text, "utf-8")
        assert await secrets.current() == (*(s.encode() for s in text.split()), b"given")


async def test_a_file_that_is_gone_or_broken_leaves_what_it_had(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "secrets"
    secrets = Secrets("ops", given=[], file=file)
    with caplog.at_level(logging.WARNING):
        assert await secrets.current() == ()
        file.write_text(OLD, "utf-8")
        assert await secrets.current() == (OLD.encode(),)
        file.write_text("short", "utf-8")
        for _ in range(3):
            assert await secrets.current() == (OLD.encode(),)
    assert len(caplog.records) == 2
    assert "short" not in caplog.text and OLD not in caplog.text
