"""YAML that knows its lines, and what a bad file says."""

from pathlib import Path

import pytest

from subagent_sidecar.errors import ConfigError
from subagent_sidecar.yaml_file import Document, load


def loaded(folder: Path, text: str) -> Document:
    path = folder / "c.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


TEXT = """\
# a comment
listen: 127.0.0.1:1

upstreams:
  a:
    url: http://a
    agents: [x,
      y]
  b.c: {url: http://b,
    inject: false}
"""

PLACES = [
    ("listen", 2),
    ("upstreams", 4),
    ("upstreams.a", 5),
    ("upstreams.a.url", 6),
    ("upstreams.a.agents[1]", 8),
    ("upstreams.b.c.inject", 10),
    ("upstreams.a.missing", 5),  # the nearest that has a line
    ("upstreams.missing.url", 4),
]


@pytest.mark.parametrize(("key", "line"), PLACES)
def test_a_key_is_pointed_at_by_file_line_and_name(tmp_path: Path, key: str, line: int) -> None:
    assert loaded(tmp_path, TEXT).where(key) == f"{tmp_path}/c.yaml:{line}: {key}"


def test_what_has_no_line_is_pointed_at_by_its_file(tmp_path: Path) -> None:
    document = loaded(tmp_path, TEXT)
    assert document.where("") == f"{tmp_path}/c.yaml"
    assert document.where("missing") == f"{tmp_path}/c.yaml: missing"


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n"])
def test_an_empty_file_says_nothing(tmp_path: Path, text: str) -> None:
    assert loaded(tmp_path, text).data is None


BROKEN = [
    ("a: [1, 2\nb: 3\n", ":2: not valid YAML: expected ',' or ']'"),
    ("a: 1\n\tb: 2\n", ":2: not valid YAML: found character '\\t'"),
    ("a: 'x\n", ":2: not valid YAML: found unexpected end of stream"),
    ("a: 1\n---\nb: 2\n", ":2: not valid YAML: but found another document"),
    ("a: !!python/object:os.system x\n", ":1: not valid YAML: could not determine a constructor"),
    ("a: 2026-13-45\n", ": not valid YAML: month must be in 1..12"),
    ("a: *nothing\n", ":1: not valid YAML: found undefined alias"),
    ("? [a]\n: 1\n", ":1: not valid YAML: found unhashable key"),
    ("a: \x07\n", ": not valid YAML: unacceptable character"),
    ("[" * 1_500, ": not valid YAML: "),
    ("a: !!bool x\n", ": not valid YAML: a value does not fit its tag"),
    ("a: !!timestamp x\n", ": not valid YAML: a value does not fit its tag"),
]


@pytest.mark.parametrize(("text", "expected"), BROKEN, ids=range(len(BROKEN)))
def test_a_mistake_is_pointed_at(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text)
    assert error.value.message.startswith(f"{tmp_path}/c.yaml{expected}")


def test_every_key_that_stands_twice_is_named(tmp_path: Path) -> None:
    document = loaded(tmp_path, "a: 1\na: 2\nb:\n  c: 1\n  d: 2\n  c: 2\n")
    assert document.problems == [
        f"{tmp_path}/c.yaml:2: a: stands twice (first in line 1)",
        f"{tmp_path}/c.yaml:6: b.c: stands twice (first in line 4)",
    ]


def test_a_file_that_refers_to_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        loaded(tmp_path, "a: &a [*a]\n")


def test_aliases_of_aliases_are_counted_before_they_are_made(tmp_path: Path) -> None:
    merges = "".join(f"k{n}: &k{n} {{a: *k{n - 1}, b: *k{n - 1}}}\n" for n in range(1, 40))
    with pytest.raises(ConfigError, match="it has more than 100,000 values"):
        loaded(tmp_path, f"k0: &k0 {{x: 1}}\n{merges}")


def test_an_alias_stands_for_what_it_names(tmp_path: Path) -> None:
    document = loaded(tmp_path, "a: &x {url: http://a}\nb: *x\n")
    assert document.data == {"a": {"url": "http://a"}, "b": {"url": "http://a"}}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: No such file"):
        load(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(ConfigError, match=r"c\.yaml: cannot be read: it is not UTF-8 text"):
        load(tmp_path / "c.yaml")


def test_a_file_that_would_take_minutes_to_parse_is_refused_unread(tmp_path: Path) -> None:
    rules = "- {name: a, concurrent: 1, per: session}\n" * 30_000
    with pytest.raises(ConfigError, match="larger than a MiB"):
        loaded(tmp_path, rules)
