"""Log lines for people: nobody can forge one, and their times are those of the record."""

import logging
import time
from collections.abc import Iterator

import pytest

from subagent_sidecar.logs import TextFormatter


def test_a_message_stays_on_its_line_whatever_is_in_it() -> None:
    record = logging.LogRecord(
        "n", logging.INFO, "f", 1, "agent %s", ("a\n2026 ERROR\x1b[2J\x9b",), None
    )
    line = TextFormatter("%(levelname)s %(message)s").format(record)
    assert line == "INFO agent a\\n2026 ERROR\\x1b[2J\\x9b"


@pytest.fixture
def in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_times_are_utc_wherever_the_machine_stands() -> None:
    record = logging.LogRecord("n", logging.INFO, "f", 1, "ready", (), None)
    record.created, record.msecs = 1_000_000_000.25, 250.0
    line = TextFormatter("%(asctime)s %(message)s").format(record)
    assert line == "2001-09-09 01:46:40.250Z ready"
