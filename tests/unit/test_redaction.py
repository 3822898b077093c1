"""How secrets look, and what is left of a text without them."""

import pytest

from subagent_sidecar import redaction

SECRET = "s3cret.Value-1/x="

SCRUBBED = [
    ("http://user:{}@h/x", "http://<hidden>@h/x"),
    ("postgresql://u:p@{}@h/db refused", "postgresql://<hidden>@h/db refused"),
    ("Authorization: Bearer {}", "Authorization: <hidden>"),
    ("{{'authorization': 'Basic {}'}}", "{'authorization': '<hidden>'}"),
    ("(b'X-Api-Key', b'{}')", "(b'X-Api-Key', b'<hidden>')"),
    ("x-api-key={}", "x-api-key=<hidden>"),
    ("Set-Cookie: a={}; Path=/\nnext", "Set-Cookie: <hidden>\nnext"),
    ("sent bearer {} to it", "sent bearer <hidden> to it"),
    ("GET /x?a=1&token={}&b=2", "GET /x?a=1&token=<hidden>&b=2"),
    (f"no such key: ssk_q7mzk2ah5x_{'b' * 52}!", "no such key: ssk_<hidden>!"),
    ("cut short: SSK_q7mz", "cut short: ssk_<hidden>"),
    ("GET /x?api_key={} HTTP/1.1", "GET /x?api_key=<hidden> HTTP/1.1"),
]


@pytest.mark.parametrize(("text", "left"), SCRUBBED)
def test_a_credential_is_hidden_and_the_rest_stays(text: str, left: str) -> None:
    assert redaction.scrubbed(text.format(SECRET)) == left


@pytest.mark.parametrize(
    "text",
    [
        "upstream http://127.0.0.1:2024 refused the connection",
        "task t of session a@b.example ended: authorization was refused",
        "3 basic rules, a bearer of news",
        "a key begins with `ssk_`",
        "the key in /etc/tls.key does not belong to the certificate",
    ],
)
def test_a_text_without_one_stays_as_it_is(text: str) -> None:
    assert redaction.scrubbed(text) == text


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/x?token=s", "/x"),
        ("http://u:s@h/a/../b?q", "http://<hidden>@h/a/../b"),
        ("--upstream a=http://u:s@h", "--upstream a=http://<hidden>@h"),
        ("/" + "x" * 500, "/" + "x" * 199),
    ],
)
def test_of_a_target_the_path_is_shown(target: str, path: str) -> None:
    assert redaction.path(target) == path


def test_a_supervisors_key_in_a_path_is_hidden() -> None:
    assert redaction.path("/to/ssk_abcdefgh23_ijklm/x") == "/to/ssk_<hidden>/x"
