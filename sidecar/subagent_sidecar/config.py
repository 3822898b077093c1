"""Settings: from defaults, then the config file, then environment and flags. Parsing only.

Everything is parsed before any socket opens, and every problem is reported, not just the first.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from . import config_values as parse
from .config_values import Address
from .core.prices import PriceList, PriceMistakes, price_list
from .core.units import duration, size
from .errors import ConfigError
from .yaml_file import Document, load

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_ENV_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """One agent server. `headers` are added to every request to it (its credentials)."""

    name: str
    host: str
    port: int
    tls: bool
    base: str
    agents: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    preserve_host: bool = False
    inject: bool = True

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.tls else 80
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    @property
    def url(self) -> str:
        """For people: without credentials, since none can be in it."""
        return self.origin + self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything `compose.running` needs. Durations as timedelta, sizes in bytes.

    `policy` are bundled policies by name, and paths. None: nothing is said, and the policy has the
    word.
    """

    upstreams: tuple[UpstreamSettings, ...]
    default_upstream: str | None
    listen: Address
    admin_listen: Address
    store: str
    drain_timeout: timedelta
    connect_timeout: timedelta
    start_timeout: timedelta
    answer_timeout: timedelta
    header_timeout: timedelta
    body_timeout: timedelta
    policy: tuple[str, ...]
    coalesce: timedelta | None
    max_body: int
    inspect_limit: int
    max_connections: int
    keep_purpose: bool
    retention: timedelta
    usage_interval: timedelta
    reap_interval: timedelta
    prices: PriceList
    explain_endings: bool
    cancel_verify_for: timedelta | None
    cancel_rollback: str | None
    otlp_endpoint: str | None
    otlp_protocol: str | None
    trace_content: bool
    log_format: str
    log_level: str


_DEFAULTS: Mapping[str, Any] = {
    "listen": "127.0.0.1:8460",
    "admin_listen": "127.0.0.1:8461",
    "store": "sqlite:///subagent-sidecar.db",
    "default_upstream": None,
    "upstreams": {},
    "drain_timeout": "20s",
    "connect_timeout": "5s",
    "start_timeout": "30s",
    "answer_timeout": "300s",
    "header_timeout": "10s",
    "body_timeout": "30s",
    "policy": "default",
    "coalesce": None,
    "max_body": "300MiB",
    "inspect_limit": "32MiB",
    "max_connections": 10_000,
    "purpose": True,
    "retention": "30d",
    "usage_interval": "15s",
    "reap_interval": "5s",
    "prices": {},
    "explain_endings": True,
    "cancel_verify_for": None,
    "cancel_rollback": None,
    "otlp_endpoint": None,
    "otlp_protocol": None,
    "trace_content": False,
    "log_format": "text",
    "log_level": "info",
}
_UPSTREAM_KEYS = frozenset({"url", "agents", "headers", "preserve_host", "inject"})


class BadSettings(ConfigError):
    """`policy` is what they say of policies all the same, so that those can be checked as well."""

    def __init__(self, problems: Sequence[str], policy: Sequence[str]) -> None:
        super().__init__(problems)
        self.policy = tuple(policy)


def settings(
    *,
    file: Path | None,
    flags: Mapping[str, Any],
    upstream_flags: Sequence[str],
    environ: Mapping[str, str],
) -> Settings:
    """Settings from all sources. Raises BadSettings with every problem found.

    `flags` are the values given by flag or environment, by config key; `upstream_flags` are
    `[NAME=]URL` and replace the file's upstreams of the same name. `environ` resolves `${VAR}`
    in upstream headers.
    """
    parser = _Parser(environ)
    if file is not None:
        parser.open(file)
    return parser.settings(flags, upstream_flags)


class _Parser:
    """Collects problems while it reads, and raises them together."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._document: Document | None = None
        self._environ = environ
        self._problems: list[str] = []
        self._given: dict[str, str] = {}

    def open(self, file: Path) -> None:
        """Read `file`; what makes it unreadable is a problem like others."""
        try:
            self._document = load(file)
            self._problems += self._document.problems
        except ConfigError as error:
            self._problems += error.problems

    def settings(self, flags: Mapping[str, Any], upstream_flags: Sequence[str]) -> Settings:
        values = {**_DEFAULTS, **self._file_values()}
        for key, value in flags.items():
            if value is not None:
                values[key] = value
                self._given[key] = f"--{key.replace('_', '-')}"
        upstreams = self._upstreams(values["upstreams"], upstream_flags)
        parsed = {
            "upstreams": upstreams,
            "default_upstream": self._default(values["default_upstream"], upstreams),
            "listen": self._value("listen", values, parse.loopback),
            "admin_listen": self._value("admin_listen", values, parse.loopback),
            "store": self._value("store", values, parse.store),
            "keep_purpose": self._value("purpose", values, parse.flag),
            "prices": self._prices(values["prices"]),
            "policy": self._policy(values),
            "coalesce": self._value("coalesce", values, parse.unless_null(duration)),
            "explain_endings": self._value("explain_endings", values, parse.flag),
            "cancel_verify_for": self._value(
                "cancel_verify_for", values, parse.unless_null(parse.some(duration))
            ),
            "cancel_rollback": self._value(
                "cancel_rollback",
                values,
                parse.unless_null(parse.one_of("ours", "always", "never")),
            ),
            "max_body": self._value("max_body", values, parse.some(size)),
            "inspect_limit": self._value("inspect_limit", values, parse.some(size)),
            "max_connections": self._value("max_connections", values, parse.count),
            "otlp_endpoint": self._value(
                "otlp_endpoint", values, parse.unless_null(parse.otlp_endpoint)
            ),
            "otlp_protocol": self._value(
                "otlp_protocol", values, parse.unless_null(parse.one_of("http/protobuf", "grpc"))
            ),
            "trace_content": self._value("trace_content", values, parse.flag),
            "log_format": self._value("log_format", values, parse.one_of("text", "json")),
            "log_level": self._value(
                "log_level", values, parse.one_of("debug", "info", "warning", "error")
            ),
        }
        for key, default in _DEFAULTS.items():
            if key in ("drain_timeout", "retention", "usage_interval", "reap_interval"):
                parsed[key] = self._value(key, values, duration)
            elif key.endswith("_timeout"):
                parsed[key] = self._value(key, values, parse.some(duration))
            elif key not in parsed and key != "purpose":
                raise AssertionError(f"{key} has a default ({default!r}) and no parser")
        if not self._problems:
            self._check_addresses(parsed["listen"], parsed["admin_listen"], upstreams)
        if self._problems:
            raise BadSettings(self._problems, parsed["policy"] or ())
        return Settings(**parsed)

    def _check_addresses(
        self, listen: Address, admin: Address, upstreams: Sequence[UpstreamSettings]
    ) -> None:
        if listen == admin and listen.port:
            self._problem("admin_listen", f"{admin.host}:{admin.port} is the data plane's already")
        for upstream in upstreams:
            if Address(upstream.host, upstream.port) in (listen, admin):
                self._problems.append(f"upstream '{upstream.name}' is this sidecar itself")

    def _file_values(self) -> Mapping[str, Any]:
        if self._document is None or self._document.data is None:
            return {}
        if not isinstance(self._document.data, dict):
            self._problem("", "must be a mapping of settings")
            return {}
        values = {}
        for key, value in self._document.data.items():
            if key in _DEFAULTS:
                values[key] = value
            else:
                self._problem(str(key), f"unknown setting; known: {', '.join(sorted(_DEFAULTS))}")
        return values

    def _problem(self, key: str, text: str) -> None:
        where = self._given.get(key)
        if where is None:
            where = self._document.where(key) if self._document else key
        self._problems.append(f"{where}: {text}")

    def _value(self, key: str, values: Mapping[str, Any], parse: Callable[[Any], Any]) -> Any:
        try:
            return parse(values[key])
        except ValueError as error:
            self._problem(key, str(error))
            return None

    def _policy(self, values: Mapping[str, Any]) -> Any:
        """Paths in a file start where the file is, those of flags where the command was given."""
        folder = Path()
        if self._document is not None and "policy" not in self._given:
            folder = self._document.path.parent
        return self._value("policy", values, parse.policies(folder))

    def _prices(self, given: Any) -> PriceList:
        try:
            return price_list(given)
        except PriceMistakes as error:
            for model, text in error.of_models.items():
                self._problem(f"prices.{model}", text)
        except ValueError as error:
            self._problem("prices", str(error))
        return {}

    def _upstreams(self, given: Any, flags: Sequence[str]) -> tuple[UpstreamSettings, ...]:
        found: dict[str, UpstreamSettings] = {}
        if not isinstance(given, dict):
            self._problem("upstreams", "must map names to servers")
            given = {}
        for name, body in given.items():
            upstream = self._upstream(str(name), body, f"upstreams.{name}")
            if upstream is not None:
                found[upstream.name] = upstream
        flagged: set[str] = set()
        for flag in flags:
            name, equals, url = flag.partition("=")
            if not equals or "/" in name or ":" in name:
                name, url = "default", flag
            if name in flagged:
                self._problems.append(f"--upstream {name}: given twice")
            flagged.add(name)
            self._given[f"--upstream {flag}"] = f"--upstream {flag}"
            upstream = self._upstream(name, {"url": url}, f"--upstream {flag}")
            if upstream is not None:
                found[upstream.name] = upstream
        if not found and not self._problems:
            self._problems.append(
                "no upstream: give at least one agent server, as in "
                "`subagent-sidecar serve --upstream http://127.0.0.1:2024`"
            )
        return tuple(found.values())

    def _upstream(self, name: str, body: Any, key: str) -> UpstreamSettings | None:
        if not _NAME.fullmatch(name):
            self._problem(key, "a name has letters, digits, '_', '.', '-' and at most 63 of them")
            return None
        if isinstance(body, str):
            body = {"url": body}
        if not isinstance(body, dict):
            self._problem(key, "must be a URL or a mapping with `url`")
            return None
        for unknown in body.keys() - _UPSTREAM_KEYS:
            self._problem(
                f"{key}.{unknown}", f"unknown key; known: {', '.join(sorted(_UPSTREAM_KEYS))}"
            )
        before = len(self._problems)
        read = _Fields(self, key, body)
        host, port, tls, base = read.parsed("url", parse.server_url, default=("", 0, False, ""))
        upstream = UpstreamSettings(
            name=name,
            host=host,
            port=port,
            tls=tls,
            base=base,
            agents=read.parsed("agents", parse.names, default=()),
            headers=read.parsed("headers", self._headers, default=()),
            preserve_host=read.parsed("preserve_host", parse.flag, default=False),
            inject=read.parsed("inject", parse.flag, default=True),
        )
        return upstream if len(self._problems) == before else None

    def _headers(self, given: Any) -> tuple[tuple[str, str], ...]:
        if not isinstance(given, dict):
            raise ValueError("must map header names to values such as ${AGENT_KEY}")
        return tuple(
            (parse.header_name(name), self._resolved(str(value))) for name, value in given.items()
        )

    def _resolved(self, text: str) -> str:
        missing = [v for v in _ENV_REFERENCE.findall(text) if v not in self._environ]
        if missing:
            raise ValueError(f"the environment has no {', '.join(missing)}")
        value = _ENV_REFERENCE.sub(lambda found: self._environ[found[1]], text)
        if any(ord(char) < 32 or ord(char) > 126 for char in value):
            raise ValueError("a header value must be printable ASCII")
        return value

    def _default(self, given: Any, upstreams: Sequence[UpstreamSettings]) -> str | None:
        names = [upstream.name for upstream in upstreams]
        if given is not None:
            if given not in names and not self._problems:
                self._problem("default_upstream", f"{given!r} is none of: {', '.join(names)}")
            return str(given)
        if len(names) == 1:
            return names[0]
        return "default" if "default" in names else None


@dataclass(frozen=True)
class _Fields:
    parser: _Parser
    key: str
    body: Mapping[str, Any]

    def parsed(self, name: str, parse: Callable[[Any], Any], *, default: Any) -> Any:
        if name not in self.body:
            if name == "url":
                self.parser._problem(self.key, "`url` is missing")
            return default
        try:
            return parse(self.body[name])
        except ValueError as error:
            where = self.key if self.key.startswith("--") else f"{self.key}.{name}"
            self.parser._problem(where, str(error))
            return default
