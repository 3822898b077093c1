"""Upstreams in the settings: where they are, what they are called, what they are sent."""

from pathlib import Path

import pytest
import yaml
from tests.support.settings import parsed, problems

SECRET = "s3cr3t-canary"


# (the body of upstream `a`, what is said of it, its line in the file)
UPSTREAM_MISTAKES = [
    ("a: 7", "upstreams.a: must be a URL or a mapping with `url`", 2),
    ("a: {}", "upstreams.a: `url` is missing", 2),
    ("a: {agents: [x]}", "upstreams.a: `url` is missing", 2),
    ("a: {url: 7}", "upstreams.a.url: must be a URL such as", 2),
    ("a: ftp://h", "upstreams.a.url: must be a URL such as", 2),
    ("a: http://", "upstreams.a.url: must be a URL such as", 2),
    ("a: http://h:99999", "upstreams.a.url: must be a URL such as", 2),
    ("a: http://h:x", "upstreams.a.url: must be a URL such as", 2),
    ("a: 'http://[::1'", "upstreams.a.url: must be a URL such as", 2),
    (f"a: http://u:{SECRET}@h", "upstreams.a.url: must not hold credentials", 2),
    ("a: http://h?x=1", "upstreams.a.url: must not have a query or a fragment", 2),
    ("a: http://h#x", "upstreams.a.url: must not have a query or a fragment", 2),
    ("a: http://h\u00e9/", "upstreams.a.url: must be ASCII without spaces", 2),
    ("a: 'http://h/a b'", "upstreams.a.url: must be ASCII without spaces", 2),
    ("a:\n    url: http://h\n    agents: x", "upstreams.a.agents: must be a list of agent", 4),
    ("a:\n    url: http://h\n    agents: [7]", "upstreams.a.agents: must be a list of agent", 4),
    ("a:\n    url: http://h\n    inject: 1", "upstreams.a.inject: must be true or false", 4),
    ("a:\n    url: http://h\n    preserve_host: x", "upstreams.a.preserve_host: must be true", 4),
    ("a:\n    url: http://h\n    headers: x", "upstreams.a.headers: must map header names", 4),
    ("a:\n    url: http://h\n    headers: {k: \"${GONE}\"}", "upstreams.a.headers: the environment "
     "has no GONE", 4),
    ("a:\n    url: http://h\n    headers: {k: \"a\\nb\"}", "upstreams.a.headers: a header value "
     "must be printable ASCII", 4),
    ("a:\n    url: http://h\n    keys: x", "upstreams.a.keys: unknown key; known: agents, ", 4),
    (
        "a:\n    url: http://h\n    forward_header: []",
        "upstreams.a.forward_header: unknown key; did you mean `forward_headers`?",
        4,
    ),
    ("a b: http://h", "upstreams.a b: a name has letters, digits", 2),
    ("-a: http://h", "upstreams.-a: a name has letters, digits", 2),
    ("a/b: http://h", "upstreams.a/b: a name has letters, digits", 2),
    (f"{'a' * 64}: http://h", f"upstreams.{'a' * 64}: a name has letters, digits", 2),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected", "line"), UPSTREAM_MISTAKES)
def test_a_mistake_in_an_upstream_is_named_too(
    tmp_path: Path, body: str, expected: str, line: int
) -> None:
    (problem,) = problems(tmp_path, f"upstreams:\n  {body}\n", upstreams=())
    assert problem.startswith(f"{tmp_path}/c.yaml:{line}: {expected}")
    assert SECRET not in problem


def test_upstreams_of_flags_replace_those_of_the_same_name(tmp_path: Path) -> None:
    text = "upstreams: {a: {url: http://file-a, inject: false}, b: http://file-b}\n"
    found = parsed(tmp_path, text, upstreams=("a=http://flag-a", "http://flag-default"))
    assert [(u.name, u.host) for u in found.upstreams] == [
        ("a", "flag-a"),
        ("b", "file-b"),
        ("default", "flag-default"),
    ]


UPSTREAM_FLAGS = [
    ("http://h:1", "default", "http://h:1"),
    ("a=http://h:1", "a", "http://h:1"),
    ("http://h/a=b", "default", "http://h/a=b"),
    ("a=http://h/x=y", "a", "http://h/x=y"),
]


@pytest.mark.parametrize(("flag", "name", "url"), UPSTREAM_FLAGS)
def test_an_upstream_flag_may_name_its_upstream(flag: str, name: str, url: str) -> None:
    (upstream,) = parsed(upstreams=(flag,)).upstreams
    assert (upstream.name, upstream.url) == (name, url)


@pytest.mark.parametrize("flag", ["", "a=", "=http://h", "a b=http://h", "h:1", "a=b"])
def test_a_mistake_in_an_upstream_flag_is_said(flag: str) -> None:
    (problem,) = problems(upstreams=(flag,))
    assert problem.startswith("--upstream")


DEFAULTS = [
    (("http://a",), None, "default"),
    (("x=http://a",), None, "x"),
    (("x=http://a", "y=http://b"), None, None),
    (("x=http://a", "http://b"), None, "default"),
    (("x=http://a", "y=http://b"), "y", "y"),
]


@pytest.mark.parametrize(("upstreams", "said", "expected"), DEFAULTS)
def test_the_default_upstream(
    tmp_path: Path, upstreams: tuple[str, ...], said: str | None, expected: str | None
) -> None:
    text = "" if said is None else f"default_upstream: {said}\n"
    assert parsed(tmp_path, text, upstreams=upstreams).default_upstream == expected


URLS = [
    ("http://h", "h", 80, False, "", "h"),
    ("https://h", "h", 443, True, "", "h"),
    ("http://h:443", "h", 443, False, "", "h:443"),
    ("https://h:8443/base/", "h", 8443, True, "/base", "h:8443"),
    ("http://[::1]:2024/x/y", "::1", 2024, False, "/x/y", "[::1]:2024"),
    ("http://[::1]", "::1", 80, False, "", "[::1]"),
    ("HTTP://Host.Example", "host.example", 80, False, "", "host.example"),
    ("http://h/%41", "h", 80, False, "/%41", "h"),
]


@pytest.mark.parametrize(("url", "host", "port", "tls", "base", "authority"), URLS)
def test_the_parts_of_an_upstreams_url(
    url: str, host: str, port: int, tls: bool, base: str, authority: str
) -> None:
    (upstream,) = parsed(upstreams=(url,)).upstreams
    assert (upstream.host, upstream.port, upstream.tls, upstream.base) == (host, port, tls, base)
    assert upstream.authority == authority
    assert upstream.url == f"{'https' if tls else 'http'}://{authority}{base}"


def test_an_upstream_of_the_file_with_everything(tmp_path: Path) -> None:
    text = """
upstreams:
  a:
    url: https://agents.example/base
    agents: [researcher, coder]
    headers: {x-api-key: "${KEY}", authorization: "Bearer ${KEY}-${OTHER}", plain: "$x 7"}
    preserve_host: true
    inject: false
"""
    environ = {"KEY": SECRET, "OTHER": "o"}
    (upstream,) = parsed(tmp_path, text, upstreams=(), environ=environ).upstreams
    assert upstream.agents == ("researcher", "coder")
    assert upstream.headers == (
        ("x-api-key", SECRET),
        ("authorization", f"Bearer {SECRET}-o"),
        ("plain", "$x 7"),
    )
    assert (upstream.preserve_host, upstream.inject) == (True, False)


# failures.md 24
def test_credentials_are_shown_nowhere(tmp_path: Path) -> None:
    text = "upstreams: {a: {url: http://h, headers: {x-api-key: '${KEY}'}}}\n"
    found = parsed(tmp_path, text, upstreams=(), environ={"KEY": SECRET})
    shown = [repr(found), str(found), repr(found.upstreams), f"{found.upstreams[0]}"]
    assert [text for text in shown if SECRET in text] == []
    wrong = problems(tmp_path, text + "listen: x\n", upstreams=(), environ={"KEY": f"{SECRET}\n"})
    assert SECRET not in "".join(wrong)


BAD_HEADER_NAMES = ["", "a b", "a:", "é", "a\r\nb", "Host", "Content-Length", "Transfer-Encoding"]


@pytest.mark.parametrize("name", BAD_HEADER_NAMES)
def test_a_header_no_request_may_have_is_refused(tmp_path: Path, name: str) -> None:
    upstream = {"url": "http://h", "headers": {name: "x"}}
    (problem,) = problems(tmp_path, yaml.safe_dump({"upstreams": {"a": upstream}}), upstreams=())
    assert "upstreams.a.headers" in problem
