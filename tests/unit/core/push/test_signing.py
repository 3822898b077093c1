"""Signatures of pushes."""

import hashlib
import hmac

import pytest

from subagent_sidecar.core.push.signing import secrets_in, signature

OLD, NEW = b"an old secret, long enough", b"a new secret, long enough"


def test_the_time_and_the_body_are_signed_with_each_secret() -> None:
    told = signature([NEW, OLD], 1_767_225_600, b"{}")
    expected = [
        hmac.new(secret, b"1767225600.{}", hashlib.sha256).hexdigest() for secret in (NEW, OLD)
    ]
    assert told == f"t=1767225600,v1={expected[0]},v1={expected[1]}"


def test_another_time_or_another_body_is_another_signature() -> None:
    told = {signature([OLD], at, body) for at in (1, 2) for body in (b"a", b"b")}
    assert len(told) == 4


def test_secrets_stand_in_lines() -> None:
    assert secrets_in("0123456789abcdef\n\n  fedcba9876543210 \n") == (
        b"0123456789abcdef",
        b"fedcba9876543210",
    )


@pytest.mark.parametrize("text", ["", " \n", "short", "0123456789abcdef short"])
def test_no_secret_or_a_short_one_is_a_mistake_that_does_not_show_it(text: str) -> None:
    with pytest.raises(ValueError, match="has") as raised:
        secrets_in(text)
    assert "short" not in str(raised.value)
