"""`--server` and `--token`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagentctl.server import Server, parse_server, parse_token


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("http://127.0.0.1:8461", Server("http", "127.0.0.1", 8461)),
        ("127.0.0.1:8461", Server("http", "127.0.0.1", 8461)),
        ("localhost", Server("http", "localhost", 80)),
        ("https://ops.example/", Server("https", "ops.example", 443)),
        ("http://[::1]:8461", Server("http", "::1", 8461)),
        ("http://h:1/a/b/", Server("http", "h", 1, "/a/b")),
        ("http://bücher.example:1", Server("http", "xn--bcher-kva.example", 1)),
    ],
)
def test_a_server_is_read_from_a_url_with_or_without_a_scheme(text: str, server: Server) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no host"),
        ("http://", "no host"),
        ("ftp://h", "begin with http"),
        ("http://h:x", "not a URL"),
        ("http://h:99999", "not a URL"),
        ("http://[::1", "not a URL"),
        ("http://u:secret@h", "--token"),
        ("http://h/?secret=1", "without"),
        ("http://h/#secret", "without"),
        ("http://h/\r\nX: secret", "control"),
        ("http://h/é", "percent-encoded"),
        ("http://" + "h" * 64, "host name"),
        ("http://a..b", "host name"),
        ("http://\u00a8", "host name"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_being_repeated(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_server(text)
    assert "secret" not in str(caught.value)  # row 24


@given(st.text())
def test_any_text_is_a_server_or_refused(text: str) -> None:
    try:
        server = parse_server(text)
    except ValueError as error:
        assert str(error)
    else:
        assert parse_server(str(server)) == server


@pytest.mark.parametrize(
    ("text", "data_plane"),
    [
        ("http://127.0.0.1:8461", "http://127.0.0.1:8460"),
        ("http://[::1]:8461", "http://[::1]:8460"),
        ("http://127.0.0.1:9000", None),
        ("http://127.0.0.1:8461/behind/a/proxy", None),
    ],
)
def test_the_data_plane_is_known_only_beside_the_default_port(
    text: str, data_plane: str | None
) -> None:
    assert parse_server(text).data_plane == data_plane


def test_a_token_loses_the_newline_of_the_file_it_came_from() -> None:
    assert parse_token("abc\n") == "abc"


@pytest.mark.parametrize("text", ["a b", "a\nb", "é", "a\x00"])
def test_a_token_that_no_header_can_hold_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="printable ASCII") as caught:
        parse_token(text)
    assert text not in str(caught.value)  # row 24
