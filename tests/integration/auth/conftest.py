"""Refusals are told in the log, once a minute for each reason; nothing else may be loud."""

import logging
from collections.abc import Iterator

import pytest

_TOLD = {"key_missing", "key_unknown", "key_expired", "key_revoked", "no_keys", "keys_unreadable"}


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    loud = [
        record.getMessage() + (record.exc_text or "")
        for record in caplog.get_records("call")
        if getattr(record, "action", "") not in _TOLD
        and not getattr(record, "action", "").startswith("upstream_")
        and (record.levelno >= logging.WARNING or record.exc_info)
    ]
    assert not loud
