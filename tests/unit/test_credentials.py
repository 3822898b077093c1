"""Whose key opens which thread."""

from subagent_sidecar.credentials import Credentials

ANN, BOB = [(b"x-api-key", b"ann")], [(b"x-api-key", b"bob")]


def test_the_newest_credentials_of_a_thread_are_the_ones_presented() -> None:
    kept = Credentials()
    kept.keep("t", ANN)
    kept.keep("t", BOB)
    assert list(kept.of("t")) == BOB
    assert kept.of("other") == ()


def test_a_request_without_credentials_does_not_take_them_away() -> None:
    kept = Credentials()
    kept.keep("t", ANN)
    kept.keep("t", [])
    assert list(kept.of("t")) == ANN


def test_with_too_many_threads_the_one_not_heard_of_for_longest_is_forgotten() -> None:
    kept = Credentials(limit=2)
    for thread_id in ("a", "b", "a", "c"):
        kept.keep(thread_id, ANN)
    assert [bool(kept.of(thread_id)) for thread_id in "abc"] == [True, False, True]


def test_the_threads_of_one_caller_share_one_copy() -> None:
    kept = Credentials()
    for thread_id in ("a", "b"):
        kept.keep(thread_id, list(ANN))
    assert kept.of("a") is kept.of("b")
