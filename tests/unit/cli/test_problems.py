"""What an answer that is not a good one means."""

from typing import Any

import pytest

from subagentctl.errors import CliError, Denied, Failed, Misused, NotFound, Unreachable
from subagentctl.problems import refusal, unreachable
from subagentctl.server import parse_server

HERE = parse_server("http://127.0.0.1:8461")


def ours(code: str, message: str = "It did not go.", **more: Any) -> dict[str, Any]:
    return {"error": code, "message": message, "detail": message, "code": code, **more}


@pytest.mark.parametrize(
    ("status", "payload", "kind", "said"),
    [
        (404, ours("task_not_found", "No such task."), NotFound, "No such task."),
        (404, ours("not_found"), NotFound, "It did not go."),
        (404, {"detail": "Not Found"}, Unreachable, "not a sidecar's admin plane (HTTP 404"),
        (404, None, Unreachable, "not a sidecar's admin plane (HTTP 404, text/html)"),
        (200, None, Unreachable, "(HTTP 200, text/html)"),
        (502, None, Unreachable, "(HTTP 502, text/html)"),
        (502, ours("upstream_unreachable"), Unreachable, "it passes requests on"),
        (404, ours("no_such_upstream", "No 'x'; there are: y"), NotFound, "No 'x'; there are: y."),
        (400, ours("not_a_name", "'*' is no name."), Misused, "'*' is no name."),
        (421, ours("ambiguous_upstream"), Unreachable, "--admin-listen"),
        (401, ours("unauthorized", "No."), Denied, "asks for a token (No). Set SUBAGENTCTL_TOKEN"),
        (401, ours("token_needed", "For programs."), Denied, "asks for a token. Set SUBAGENTCTL"),
        (403, None, Denied, "asks for a token. Set SUBAGENTCTL_TOKEN, or name a file that holds"),
        (403, ours("role_needed", "You have viewer."), Denied, "8461 refused: You have viewer."),
        (400, ours("bad_query"), Failed, "refused: It did not go (HTTP 400 bad_query)."),
        (503, ours("store_busy", retry_after_s=1.0), Failed, "store_busy, try again in 1 s)."),
        (500, ours("x", request_id="req-7"), Failed, "(HTTP 500 x, request req-7)."),
        (500, {"error": "x", "message": ["no text"]}, Unreachable, "HTTP 500"),
        (500, {"error": "", "message": ""}, Unreachable, "HTTP 500"),
    ],
)
def test_each_answer_becomes_its_error(
    status: int, payload: dict[str, Any] | None, kind: type[CliError], said: str
) -> None:
    error = refusal(HERE, status=status, content_type="text/html", location="", payload=payload)
    assert type(error) is kind
    assert said in error.message


def test_who_has_sent_a_token_is_told_that_it_is_no_good() -> None:
    error = refusal(
        HERE,
        status=401,
        content_type="",
        location="",
        payload=ours("token_needed"),
        token_sent=True,
    )
    assert error.message == (
        "http://127.0.0.1:8461 does not accept this token. Put another one into SUBAGENTCTL_TOKEN "
        "or the file of --token-file."
    )


def test_an_upstream_nobody_has_in_the_address_is_a_wrong_address() -> None:
    here = parse_server("http://127.0.0.1:8460/to/nobody")
    payload = ours("no_such_upstream", "no upstream is called 'nobody'")
    error = refusal(here, status=404, content_type="", location="", payload=payload)
    assert type(error) is Unreachable and "--admin-listen" in error.message


def test_a_redirect_says_where_to() -> None:
    error = refusal(
        HERE, status=302, content_type="text/html", location="https://login/", payload=None
    )
    assert type(error) is Unreachable and "a redirect to https://login/" in error.message


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        (["a1", "a2"], "'a' fits several: a1, a2. Give more of the id."),
        (list("abcdefgh"), "'a' fits several: a, b, c, d, e and 3 more. Give more of the id."),
        (None, "'a' fits several. Give more of the id."),
        ("a1", "'a' fits several. Give more of the id."),
    ],
)
def test_an_ambiguous_id_names_what_it_fits(candidates: Any, said: str) -> None:
    payload = ours("ambiguous_task", "'a' fits several.", candidates=candidates)
    error = refusal(HERE, status=409, content_type="", location="", payload=payload)
    assert (type(error), error.message) == (Failed, said)


def test_nobody_there_says_what_to_do() -> None:
    assert unreachable(HERE, "connection refused").message == (
        "no sidecar answers at http://127.0.0.1:8461 (connection refused). "
        "Start one with `subagent-sidecar serve`, or set --server."
    )


def test_each_kind_of_error_has_its_exit_code() -> None:
    assert [kind.exit_code for kind in (Failed, Unreachable, NotFound)] == [1, 3, 4]


def test_an_error_is_shown_without_what_a_terminal_would_obey(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Failed("bad \x1b]0;title\x07\nnews \ud800").show()
    assert capsys.readouterr().err == "subagentctl: bad \ufffd]0;title\ufffd news \ufffd\n"
