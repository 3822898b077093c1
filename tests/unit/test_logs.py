"""What callers put into names can neither forge a log line nor move a cursor."""

import logging

from subagent_sidecar.logs import TextFormatter


def test_a_message_stays_on_its_line_whatever_is_in_it() -> None:
    record = logging.LogRecord(
        "n", logging.INFO, "f", 1, "agent %s", ("a\n2026 ERROR\x1b[2J\x9b",), None
    )
    line = TextFormatter("%(levelname)s %(message)s").format(record)
    assert line == "INFO agent a\\n2026 ERROR\\x1b[2J\\x9b"
