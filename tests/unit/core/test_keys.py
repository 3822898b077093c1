"""Supervisor keys, without a clock and without a store."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subagent_sidecar.core.keys import (
    ID_BYTES,
    PREFIX,
    SALT_BYTES,
    SECRET_BYTES,
    Key,
    Standing,
    agents_of,
    digest,
    may_start,
    name_of,
    presented,
    spelled,
    standing,
    text_of,
)

NOW, LATER = "2026-01-01T00:00:00.000000Z", "2026-01-02T00:00:00.000000Z"
SECRET, OTHER = spelled(bytes(32)), spelled(b"\xff" * 32)
SALT = bytes(16)


def key(expires_at: str | None = None, revoked_at: str | None = None) -> Key:
    return Key(
        key_id=spelled(bytes(6)),
        name="team-a",
        salt=SALT,
        digest=digest(SECRET, SALT),
        created_at=NOW,
        expires_at=expires_at,
        revoked_at=revoked_at,
    )


@given(st.binary(min_size=ID_BYTES, max_size=ID_BYTES), st.binary(min_size=32, max_size=32))
def test_what_is_made_is_read_again(key_id: bytes, secret: bytes) -> None:
    text = text_of(spelled(key_id), spelled(secret))
    assert presented(text) == (spelled(key_id), spelled(secret))
    assert re.fullmatch(r"[a-z0-9_]+", text)  # a word for shells, and for a double click


def test_a_secret_has_256_random_bits_and_every_key_a_salt_of_its_own() -> None:
    assert (SECRET_BYTES * 8, SALT_BYTES * 8) == (256, 128)
    assert digest(SECRET, bytes(16)) != digest(SECRET, b"1" * 16)


@given(st.text())
@example("ssk_' OR 1=1--_x")
@example(PREFIX)
@example(text_of("a" * 10, SECRET) + "\n")
@example(text_of("a" * 10, SECRET) + "\0")
@example(" " + text_of("a" * 10, SECRET))
@example(text_of("a" * 10, SECRET).upper())
@example(text_of("é" * 10, SECRET))
@example("ssk_" + "a" * 1_000_000)
@example("ssk_aaaaaaaaaa_\udcff" + "a" * 51)
def test_nothing_else_is_a_key(text: str) -> None:
    assert presented(text) is None


@pytest.mark.parametrize(
    ("known", "secret", "is_"),
    [
        (key(), SECRET, Standing.GOOD),
        (key(expires_at=LATER), SECRET, Standing.GOOD),
        (key(expires_at=NOW), SECRET, Standing.EXPIRED),
        (key(revoked_at=NOW), SECRET, Standing.REVOKED),
        (key(expires_at=NOW, revoked_at=NOW), SECRET, Standing.REVOKED),
        (None, SECRET, Standing.UNKNOWN),
        # Why a key is not good is for those who hold it.
        (key(), OTHER, Standing.UNKNOWN),
        (key(expires_at=NOW), OTHER, Standing.UNKNOWN),
        (key(revoked_at=NOW), OTHER, Standing.UNKNOWN),
    ],
)
def test_what_a_presented_key_is(known: Key | None, secret: str, is_: Standing) -> None:
    assert standing(known, secret, lambda: NOW) is is_


def test_no_secret_is_that_of_nobody() -> None:
    assert standing(None, spelled(bytes(32)), lambda: NOW) is Standing.UNKNOWN


def test_a_key_is_not_shown_with_its_digest() -> None:
    assert "salt" not in repr(key()) and "digest" not in repr(key())


@pytest.mark.parametrize(
    ("agents", "names", "out"),
    [
        (("*",), ("coder", "anything"), None),
        (("coder",), ("coder",), None),
        (("coder",), ("Coder",), "Coder"),
        (("res*", "coder"), ("researcher", "coder"), None),
        (("res*",), ("researcher", "coder"), "coder"),  # by what name it is called is no way round
        (("coder?",), ("coder",), "coder"),
        (("[c]oder",), ("coder",), "coder"),
        (("coder",), (), None),
    ],
)
def test_an_agent_is_allowed_by_every_name_or_not_at_all(
    agents: tuple[str, ...], names: tuple[str, ...], out: str | None
) -> None:
    assert may_start(agents, names) == out


@pytest.mark.parametrize("name", ["team-a", "a", "Alice@example.com", "x" * 64, "7"])
def test_names_of_supervisors(name: str) -> None:
    assert name_of(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "x" * 65, "-a", "a b", "a\n", "a*", "a/b", "default:x", "é", "anonymous", None, 7, ["a"]],
)
def test_what_is_no_name_of_a_supervisor(name: object) -> None:
    with pytest.raises(ValueError, match=r"must|anonymous"):
        name_of(name)


def test_a_key_given_as_a_name_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="looks like a key") as raised:
        name_of(text_of("a" * 10, SECRET))
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("given", ["coder", [], [""], ["a\n"], [7], ["x" * 257], ["a"] * 101, {}])
def test_what_is_no_list_of_agents(given: object) -> None:
    with pytest.raises(ValueError, match=r"must|nobody|at most"):
        agents_of(given)


def test_agents_stand_once_in_their_order() -> None:
    assert agents_of(["b", "a", "b"]) == ("b", "a")
