"""Settings: what can be said, by whom, and what a mistake says."""

import dataclasses
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.settings import parsed, problems

from subagent_sidecar.config import BadSettings, Settings, UpstreamSettings
from subagent_sidecar.config_values import Address
from subagent_sidecar.core.prices import ModelPrice
from subagent_sidecar.core.push.addresses import allow_list


def test_one_upstream_is_all_it_takes() -> None:
    found = parsed()
    (upstream,) = found.upstreams
    assert upstream == UpstreamSettings(
        name="default", host="127.0.0.1", port=2024, tls=False, base=""
    )
    assert found.default_upstream == "default"
    assert (found.listen.url, found.admin_listen.url) == (
        "http://127.0.0.1:8460",
        "http://127.0.0.1:8461",
    )
    assert (found.drain_timeout, found.policy) == (timedelta(seconds=20), ("default",))
    assert (found.store, found.keep_purpose) == ("sqlite:///subagent-sidecar.db", True)


# (setting, a value in the file, what it becomes)
VALUES: list[tuple[str, object, object]] = [
    ("listen", "127.0.0.2:9000", Address("127.0.0.2", 9000)),
    ("trace_links", {"jaeger": "http://h/{trace_id}"}, {"jaeger": "http://h/{trace_id}"}),
    ("listen", ":9000", Address("127.0.0.1", 9000)),
    ("listen", "localhost:0", Address("localhost", 0)),
    ("admin_listen", "[::1]:9001", Address("::1", 9001)),
    ("store", "memory:", "memory:"),
    ("store", "sqlite:////var/lib/books.db", "sqlite:////var/lib/books.db"),
    ("drain_timeout", "1m", timedelta(minutes=1)),
    ("drain_timeout", 0, timedelta()),
    ("connect_timeout", "250ms", timedelta(milliseconds=250)),
    ("start_timeout", "2h", timedelta(hours=2)),
    ("answer_timeout", "1d", timedelta(days=1)),
    ("header_timeout", "5s", timedelta(seconds=5)),
    ("body_timeout", "5s", timedelta(seconds=5)),
    ("coalesce", 0, timedelta()),
    ("coalesce", None, None),
    ("policy", "strict", ("strict",)),
    ("policy", ["default", "/p.yaml"], ("default", "/p.yaml")),
    ("policy", "none", ()),
    ("max_body", "1MiB", 2**20),
    ("inspect_limit", 4096, 4096),
    ("max_connections", 7, 7),
    ("max_client_connections", 7, 7),
    ("max_client_connections", None, None),
    ("max_key_requests", 7, 7),
    ("allowed_origins", ["https://App.example:8443"], ("https://app.example:8443",)),
    ("allowed_origins", ["*"], ("*",)),
    ("webhook_allow", ["10.0.0.0/8"], allow_list(["10.0.0.0/8"])),
    ("webhook_allow", None, None),
    ("allowed_hosts", ["Sidecar.example.", "a_b"], ("sidecar.example", "a_b")),
    ("log_format", "json", "json"),
    ("log_level", "debug", "debug"),
    ("purpose", False, False),
    ("explain_endings", False, False),
    ("retention", "90d", timedelta(days=90)),
    ("retention", 0, timedelta()),
    ("cancel_verify_for", "1m", timedelta(minutes=1)),
    ("cancel_verify_for", None, None),
    ("cancel_rollback", "never", "never"),
    ("cancel_rollback", None, None),
    ("usage_interval", "1m", timedelta(minutes=1)),
    ("usage_interval", 0, timedelta()),
    ("reap_interval", "30s", timedelta(seconds=30)),
    ("reap_interval", 0, timedelta()),
    ("otlp_endpoint", "http://collector:4318", "http://collector:4318"),
    ("otlp_endpoint", "console", "console"),
    ("otlp_endpoint", None, None),
    ("otlp_protocol", "grpc", "grpc"),
    ("otlp_metrics", True, True),
    ("otlp_metrics", None, None),
    ("trace_content", True, True),
    ("otlp_receive", "link", "link"),
    ("otlp_receive", "off", "off"),
    ("otlp_receive", False, "off"),  # what YAML takes the bare word `off` for
    ("otlp_hold", "5s", timedelta(seconds=5)),
    ("otlp_hold", 0, timedelta()),
    ("otlp_buffer", "64MiB", 2**26),
    ("otlp_max_body", "1MiB", 2**20),
    ("auth", True, True),
    ("auth", "on", True),
    ("auth", "off", False),
    ("tool_result_limit", 100, 100),
    (
        "prices",
        {"m": {"input_per_mtok": 0.1, "output_per_mtok": "2.50"}},
        {"m": ModelPrice(input_per_mtok=Decimal("0.1"), output_per_mtok=Decimal("2.50"))},
    ),
]


@pytest.mark.parametrize(("key", "value", "expected"), VALUES)
def test_a_setting_of_the_file(tmp_path: Path, key: str, value: object, expected: object) -> None:
    field = "keep_purpose" if key == "purpose" else key
    assert getattr(parsed(tmp_path, {key: value}), field) == expected


def test_every_setting_was_tried() -> None:
    tried = {"keep_purpose" if key == "purpose" else key for key, _, _ in VALUES}
    fields = {field.name for field in dataclasses.fields(Settings)}
    apart = {"upstreams", "default_upstream", "agents", "push", "push_allow", "tls", "admin_tls"}
    apart |= {"admin_tokens"}
    # these have tests of their own
    assert fields - tried == apart


# (line of the file, what is said of it behind `file:line: `)
MISTAKES = [
    # failures.md 20: where the sidecar itself connects to is the operator's, and over HTTP
    ("otlp_endpoint: file:///etc/passwd", "otlp_endpoint: must be a URL such as"),
    ("otlp_endpoint: gopher://collector:70/", "otlp_endpoint: must be a URL such as"),
    (
        "otlp_endpoint: collector:4317",
        "otlp_endpoint: must be a URL such as http://127.0.0.1:4318, or `console`, which needs no "
        "collector",
    ),
    (
        "otlp_endpoint: http://me:word@collector:4318",
        "otlp_endpoint: must not hold credentials; put them into the variable "
        "OTEL_EXPORTER_OTLP_HEADERS",
    ),
    ("otlp_endpoint: http://127.0.0.1:8460/v1", "otlp_endpoint: is this sidecar itself"),
    ("otlp_endpoint: http://127.0.0.1:8461", "otlp_endpoint: is this sidecar itself"),
    ("otlp_receive: all", "otlp_receive: 'all' is none of: rehome, link, pass, off"),
    ("otlp_receive: true", "otlp_receive: True is none of: rehome, link, pass, off"),
    ("otlp_max_body: 32MiB", "otlp_max_body: must not be more than `otlp_buffer`"),
    ("otlp_buffer: 0", "otlp_buffer: must be more than 0"),
    ("otlp_hold: long", "otlp_hold: 'long' is not a duration"),
    ("otlp_protocol: http", "otlp_protocol: 'http' is none of: http/protobuf, grpc"),
    ("listen: 8460", "listen: must be HOST:PORT"),
    ("listen: localhost", "listen: 'localhost' is not HOST:PORT"),
    ("listen: '127.0.0.1:x'", "listen: '127.0.0.1:x' is not HOST:PORT"),
    ("listen: 127.0.0.1:65536", "listen: '127.0.0.1:65536' is not HOST:PORT"),
    ("listen: 0.0.0.0:8460", "listen: 0.0.0.0 is not a loopback address"),
    ("listen: '[::]:8460'", "listen: :: is not a loopback address"),
    ("listen: 10.0.0.1:8460", "listen: 10.0.0.1 is not a loopback address"),
    ("listen: example.org:80", "listen: example.org is not a loopback address"),
    ("auth: maybe", "auth: must be on or off"),
    ("auth: 1", "auth: must be on or off"),
    ("admin_listen: 0.0.0.0:1", "admin_listen: 0.0.0.0 is not a loopback address"),
    ("store: books.db", "store: 'books.db' is not a store"),
    ("store: 'sqlite:///'", "store: 'sqlite:///' is not a store"),
    ("store: ['memory:']", "store: ['memory:'] is not a store"),
    ("drain_timeout: 20", "drain_timeout: 20 is not a duration"),
    ("connect_timeout: soon", "connect_timeout: 'soon' is not a duration"),
    ("start_timeout: -1s", "start_timeout: '-1s' is not a duration"),
    ("answer_timeout: [5s]", "answer_timeout: ['5s'] is not a duration"),
    ("header_timeout: null", "header_timeout: None is not a duration"),
    ("body_timeout: 1h30m", "body_timeout: '1h30m' is not a duration"),
    ("coalesce: often", "coalesce: 'often' is not a duration"),
    ("max_body: huge", "max_body: 'huge' is not a size"),
    ("inspect_limit: -1", "inspect_limit: -1 is not a size"),
    ("max_connections: 0", "max_connections: must be a whole number from 1"),
    ("max_connections: 1.5", "max_connections: must be a whole number from 1"),
    ("max_connections: true", "max_connections: must be a whole number from 1"),
    ("max_key_requests: 0", "max_key_requests: must be a whole number from 1"),
    ("max_client_connections: 0", "max_client_connections: must be a whole number from 1"),
    ("allowed_origins: '*'", "allowed_origins: must be a list of origins such as"),
    ("allowed_origins: [a.example]", "allowed_origins: 'a.example' is no origin: must be a list"),
    ("allowed_origins: ['https://a/b']", "allowed_origins: 'https://a/b' is no origin"),
    ("allowed_hosts: '*'", "allowed_hosts: must be a list of host names such as"),
    ("allowed_hosts: ['a:80']", "allowed_hosts: 'a:80' is no host name: must be a list"),
    ("allowed_hosts: ['http://a']", "allowed_hosts: 'http://a' is no host name"),
    ("purpose: 'yes'", "purpose: must be true or false"),
    ("log_format: xml", "log_format: 'xml' is none of: text, json"),
    ("log_level: [info]", "log_level: ['info'] is none of: debug, info, warning, error"),
    ("default_upstream: other", "default_upstream: 'other' is none of: default"),
    ("upstreams: [a]", "upstreams: must map names to servers"),
    ("policy: 1", "policy: must be one policy or a list: a path, default, observe, strict"),
    ("policy: ['']", "policy: must be one policy or a list"),
    ("policy: {a: b}", "policy: must be one policy or a list"),
    ("policy: []", "policy: names no policy; `none` turns all rules off"),
    ("policy: [none, strict]", "policy: `none` turns all rules off and stands alone"),
    ("listn: x", "listn: unknown setting; did you mean `listen`?"),
    ("auht: on", "auht: unknown setting; did you mean `auth`?"),
    ("webhook_alow: []", "webhook_alow: unknown setting; did you mean `webhook_allow`?"),
    ("xyzzy: x", "xyzzy: unknown setting; known: admin_listen, admin_tls_cert, "),
    ("7: x", "7: unknown setting"),
]


@pytest.mark.parametrize(("line", "expected"), MISTAKES)
def test_a_mistake_is_named_with_file_line_and_key(
    tmp_path: Path, line: str, expected: str
) -> None:
    (problem,) = problems(tmp_path, f"# a comment\n{line}\n")
    assert problem.startswith(f"{tmp_path}/c.yaml:2: {expected}")


def test_every_problem_is_named_and_not_the_first_alone(tmp_path: Path) -> None:
    text = "listen: x\nmax_body: x\nlog_level: x\nodd: x\nupstreams: {a: {inject: x}, 'b c': x}\n"
    found = problems(tmp_path, text, flags={"store": "x"}, upstreams=("x",))
    lines = sorted(problem.split(": ")[0].removeprefix(f"{tmp_path}/c.yaml:") for problem in found)
    assert lines == ["--store", "--upstream x", "1", "2", "3", "4", "5", "5", "5"]


def test_keys_that_stand_twice_hide_no_other_problem(tmp_path: Path) -> None:
    first, second = problems(tmp_path, "store: 'memory:'\nlog_level: x\nstore: 'memory:'\n")
    assert first == f"{tmp_path}/c.yaml:3: store: stands twice (first in line 1)"
    assert second.startswith(f"{tmp_path}/c.yaml:2: log_level: 'x' is none of")


def test_every_model_without_a_usable_price_is_named_with_its_line(tmp_path: Path) -> None:
    text = "prices:\n  m: {input_per_mtok: 3}\n  gpt-4.1: 5\n"
    assert problems(tmp_path, text) == (
        f"{tmp_path}/c.yaml:2: prices.m: `output_per_mtok` is missing",
        f"{tmp_path}/c.yaml:3: prices.gpt-4.1: must have input_per_mtok and output_per_mtok",
    )


def test_every_link_that_is_none_is_named_with_its_line(tmp_path: Path) -> None:
    text = "trace_links:\n  jaeger: http://h/{trace_id}\n  tempo: http://h/{traceid}\n"
    (problem,) = problems(tmp_path, text)
    assert problem.startswith(f"{tmp_path}/c.yaml:3: trace_links.tempo: {{traceid}} is not known")


@pytest.mark.parametrize("text", ["- listen\n", "listen\n", "7\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == (f"{tmp_path}/c.yaml: must be a mapping of settings",)


def test_without_an_upstream_there_is_nothing_to_do(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "", upstreams=())
    assert "`subagent-sidecar serve --upstream http" in problem


# Precedence: flag (or its variable) > file > default.


def test_a_flag_is_stronger_than_the_file_and_the_file_than_the_default(tmp_path: Path) -> None:
    text = "listen: 127.0.0.1:1\nstore: 'memory:'\n"
    found = parsed(tmp_path, text, flags={"listen": "127.0.0.1:2", "store": None})
    assert (found.listen.port, found.store) == (2, "memory:")
    assert found.admin_listen.port == 8461


def test_a_mistake_in_a_flag_is_the_flags(tmp_path: Path) -> None:
    found = problems(tmp_path, "listen: 127.0.0.1:1\n", flags={"listen": "0.0.0.0:1"})
    assert found[0].startswith("--listen: 0.0.0.0 is not a loopback address")


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "10.0.0.1", "sidecar.example"])
def test_beyond_this_machine_it_listens_with_auth_only(host: str, tmp_path: Path) -> None:
    (told,) = problems(tmp_path, f"listen: '{host}:8460'\n")
    assert "set `auth: on` and make keys with `subagentctl keys create`" in told
    assert parsed(tmp_path, f"auth: on\nlisten: '{host}:8460'\n").auth
    assert problems(tmp_path, f"auth: on\nlisten: '{host}:1'\n", flags={"auth": "off"})


@pytest.mark.parametrize("word", ["on", "true", "yes", "'on'"])
def test_auth_is_on_however_yaml_reads_it(word: str, tmp_path: Path) -> None:
    assert parsed(tmp_path, f"auth: {word}\n").auth
    assert not parsed(tmp_path, "auth: off\n").auth
    assert not parsed(tmp_path, "").auth


def test_a_flag_hides_a_mistake_of_the_file(tmp_path: Path) -> None:
    assert parsed(tmp_path, "listen: x\n", flags={"listen": "127.0.0.1:2"}).listen.port == 2


TIMEOUTS = ["connect_timeout", "start_timeout", "answer_timeout", "header_timeout", "body_timeout"]


@pytest.mark.parametrize("key", TIMEOUTS)
def test_a_timeout_that_nothing_could_meet_is_refused(tmp_path: Path, key: str) -> None:
    (problem,) = problems(tmp_path, f"{key}: 0\n")
    assert problem.startswith(f"{tmp_path}/c.yaml:1: {key}: ")


@pytest.mark.parametrize("key", ["max_body", "inspect_limit"])
def test_a_size_that_nothing_fits_is_refused(tmp_path: Path, key: str) -> None:
    (problem,) = problems(tmp_path, f"{key}: 0\n")
    assert problem.startswith(f"{tmp_path}/c.yaml:1: {key}: ")


def test_the_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parsed().store = "memory:"  # type: ignore[misc]


def test_policies_in_a_file_are_beside_it_and_those_of_flags_where_the_command_is(
    tmp_path: Path,
) -> None:
    text = "policy: [team.yaml, strict, ./strict, /etc/p.yaml]\n"
    assert parsed(tmp_path, text).policy == (
        f"{tmp_path}/team.yaml",
        "strict",
        f"{tmp_path}/strict",
        "/etc/p.yaml",
    )
    flags = {"policy": ("team.yaml", "strict", "./strict")}
    assert parsed(tmp_path, text, flags=flags).policy == ("team.yaml", "strict", "./strict")


def test_what_is_wrong_with_settings_does_not_hide_which_policies_they_name(
    tmp_path: Path,
) -> None:
    with pytest.raises(BadSettings) as error:
        parsed(tmp_path, "log_level: x\npolicy: [team.yaml]\n")
    assert error.value.policy == (f"{tmp_path}/team.yaml",)
    with pytest.raises(BadSettings) as error:
        parsed(tmp_path, "policy: 1\n")
    assert error.value.policy == ()


def test_a_sidecar_that_would_send_its_traces_to_itself_does_not_start(tmp_path: Path) -> None:
    """A shell that has the variables for its agent server has them for the sidecar, too."""
    to_itself = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:8460/sidecar/otlp"}
    (problem,) = problems(tmp_path, "", environ=to_itself)
    assert problem.startswith("OTEL_EXPORTER_OTLP_ENDPOINT: is this sidecar itself")
    off = to_itself | {"OTEL_SDK_DISABLED": "true"}
    elsewhere = to_itself | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318"}
    for fine in (off, elsewhere, to_itself | {"OTEL_TRACES_EXPORTER": "none"}):
        assert parsed(tmp_path, "", environ=fine).otlp_endpoint is None
    assert (
        parsed(tmp_path, "otlp_endpoint: console\n", environ=to_itself).otlp_endpoint == "console"
    )


# failures.md 24
@pytest.mark.parametrize("key", ["store", "listen", "allowed_origins"])
def test_a_password_in_a_mistake_is_not_repeated(tmp_path: Path, key: str) -> None:
    url = "postgresql://ann:s3cr3t@db/x?password=s3cr3t"
    given = f"[{url!r}]" if key == "allowed_origins" else repr(url)
    (problem,) = problems(tmp_path, f"{key}: {given}\n")
    assert key in problem
    assert "s3cr3t" not in problem
