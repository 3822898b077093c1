"""Which starts are the same one; what is on record of them is the contract of the stores."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from subagent_sidecar.core.idempotency import (
    Asked,
    claim_by_key,
    claim_by_request_id,
    expiry,
)
from subagent_sidecar.core.wire import Act, Form, Meaning

RUN = Meaning(Act.RUN_START, "t")
ASKED = Asked(
    supervisor="ann",
    upstream="up",
    credentials=((b"x-api-key", b"secret"), (b"cookie", b"a=b")),
    meaning=RUN,
    query="",
    body=b'{"assistant_id":"graph"}',
)

# (what differs, how, whether that makes it another key)
DIFFERENT: list[tuple[str, Asked, bool]] = [
    ("the supervisor", replace(ASKED, supervisor="bob"), True),
    ("the upstream", replace(ASKED, upstream="other"), True),
    ("the credentials", replace(ASKED, credentials=((b"x-api-key", b"other"),)), True),
    ("no credentials", replace(ASKED, credentials=()), True),
    ("the thread", replace(ASKED, meaning=Meaning(Act.RUN_START, "u")), True),
    ("no thread", replace(ASKED, meaning=Meaning(Act.RUN_START)), True),
    ("the form", replace(ASKED, meaning=Meaning(Act.RUN_START, "t", form=Form.WAIT)), True),
    ("a cron", replace(ASKED, meaning=Meaning(Act.CRON_CREATE, "t")), True),
    ("the query", replace(ASKED, query="a=1"), False),
    ("the body", replace(ASKED, body=b"{}"), False),
]
ROWS = pytest.mark.parametrize(
    ("other", "another_key"), [row[1:] for row in DIFFERENT], ids=[row[0] for row in DIFFERENT]
)


@ROWS
def test_a_key_is_its_callers_and_its_doors_and_the_rest_is_the_fingerprint(
    other: Asked, another_key: bool
) -> None:
    mine, theirs = claim_by_key("k", ASKED), claim_by_key("k", other)
    assert (mine.key != theirs.key) is another_key
    assert (mine.fingerprint != theirs.fingerprint) is not another_key


@ROWS
def test_what_differs_at_all_is_another_start_by_its_request_id(
    other: Asked, another_key: bool
) -> None:
    mine, theirs = claim_by_request_id("r", ASKED), claim_by_request_id("r", other)
    assert mine is not None
    assert theirs is None or mine.key != theirs.key


def test_a_claim_by_key_is_the_same_each_time() -> None:
    again = replace(ASKED, credentials=((b"Cookie", b"a=b"), (b"X-Api-Key", b"secret")))
    assert claim_by_key("k", ASKED) == claim_by_key("k", again)
    assert claim_by_key("k", ASKED).key != claim_by_key("l", ASKED).key
    assert not claim_by_key("k", ASKED).passing


def test_a_claim_by_request_id_passes_and_is_no_keys() -> None:
    claim = claim_by_request_id("k", ASKED)
    assert claim == claim_by_request_id("k", ASKED)
    assert claim is not None
    assert claim.passing
    assert claim.key != claim_by_key("k", ASKED).key


@pytest.mark.parametrize(
    "meaning",
    [
        Meaning(Act.RUN_START),
        Meaning(Act.RUNS_BATCH),
        Meaning(Act.CRON_CREATE),
        Meaning(Act.CRON_CREATE, "t"),
    ],
)
def test_a_request_id_says_nothing_of_what_is_not_a_run_on_a_thread(meaning: Meaning) -> None:
    assert claim_by_request_id("r", replace(ASKED, meaning=meaning)) is None


def test_what_is_joined_cannot_be_moved_over_the_seam() -> None:
    """A body's first byte is not a query's last one, nor a name's a value's."""
    one = replace(ASKED, query="ab", body=b"c", credentials=((b"ab", b"c"),))
    other = replace(ASKED, query="a", body=b"bc", credentials=((b"a", b"bc"),))
    assert claim_by_key("k", one).fingerprint != claim_by_key("k", other).fingerprint
    assert claim_by_key("k", one).key != claim_by_key("k", other).key


def test_no_part_of_a_request_can_be_read_off_its_claim() -> None:
    claim = claim_by_key("order-1", ASKED)
    assert len(claim.key) == len(claim.fingerprint) == 64
    assert not {"order-1", "secret"} & {claim.key, claim.fingerprint}


def test_a_key_with_bytes_that_are_no_text_is_one_all_the_same() -> None:
    odd = replace(ASKED, query="a=\udcff", body=b"\xff")
    assert claim_by_key("k", odd) == claim_by_key("k", odd)


def test_it_is_kept_for_a_day() -> None:
    assert expiry(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-01T00:00:00.000000Z"
