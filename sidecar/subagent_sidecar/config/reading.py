"""From what was said, and where, to `Settings`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import config_values as parse
from ..admin_tokens import AdminToken
from ..config_values import Address
from ..core.agents import Agent
from ..core.prices import PriceList, PriceMistakes, price_list
from ..core.push.addresses import AllowList
from ..core.trace_links import LinkMistakes, TraceLinks, trace_links
from ..errors import ConfigError
from .admin import AdminTokenReader, check_admin
from .agents import AgentMistakes, agents
from .problems import Problems
from .push import PushMistakes, PushReader
from .settings import PushSettings, Settings, UpstreamSettings
from .table import FIELDS, SETTINGS
from .telemetry import check_telemetry
from .tls import TlsReader
from .unknown import unknown
from .upstreams import UpstreamReader


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
    problems = Problems()
    if file is not None:
        problems.open(file)
    return _Reader(problems, environ).settings(flags, upstream_flags)


class _Reader:
    def __init__(self, problems: Problems, environ: Mapping[str, str]) -> None:
        self._problems = problems
        self._environ = environ
        self._tls = TlsReader(problems)
        self._upstreams = UpstreamReader(problems, environ, self._tls)

    def settings(self, flags: Mapping[str, Any], upstream_flags: Sequence[str]) -> Settings:
        values = {key: setting.default for key, setting in SETTINGS.items()} | self._file_values()
        for key, value in flags.items():
            if value is not None:
                values[key] = value
                self._problems.given[key] = f"--{key.replace('_', '-')}"
        upstreams = self._upstreams.upstreams(values["upstreams"], upstream_flags)
        default = self._default(values["default_upstream"], upstreams)
        tls, admin_tls = self._tls.listeners(values)
        parsed: dict[str, Any] = {
            "tls": tls,
            "admin_tls": admin_tls,
            "admin_tokens": self._admin_tokens(values["admin_tokens"]),
            "upstreams": upstreams,
            "default_upstream": default,
            "agents": self._agents(values["agents"], upstreams, default),
            "prices": self._prices(values["prices"]),
            "trace_links": self._trace_links(values["trace_links"]),
            "policy": self._policy(values["policy"]),
        }
        for key, setting in SETTINGS.items():
            if setting.parse is not None:
                value = self._problems.read(key, values[key], setting.parse)
                parsed[FIELDS.get(key, key)] = value
        parsed["push"] = self._push(values["push"], parsed["push_allow"])
        self._check_reach(parsed["listen"], auth=parsed["auth"])
        if not self._problems.found:
            self._check_addresses(parsed["listen"], parsed["admin_listen"], upstreams)
            check_admin(parsed["admin_listen"], parsed["admin_tokens"], self._problems)
            check_telemetry(parsed, self._environ, self._problems)
        if self._problems.found:
            raise BadSettings(self._problems.found, parsed["policy"] or ())
        return Settings(**parsed)

    def _file_values(self) -> dict[str, Any]:
        document = self._problems.document
        if document is None or document.data is None:
            return {}
        if not isinstance(document.data, dict):
            self._problems.add("", "must be a mapping of settings")
            return {}
        values = {}
        for key, value in document.data.items():
            if key in SETTINGS:
                values[key] = value
            else:
                self._problems.add(str(key), unknown(key, sorted(SETTINGS), what="setting"))
        return values

    def _check_addresses(
        self, listen: Address, admin: Address, upstreams: Sequence[UpstreamSettings]
    ) -> None:
        if listen == admin and listen.port:
            text = f"{admin.host}:{admin.port} is the data plane's already"
            self._problems.add("admin_listen", text)
        for upstream in upstreams:
            if Address(upstream.host, upstream.port) in (listen, admin):
                self._problems.found.append(f"upstream '{upstream.name}' is this sidecar itself")

    def _check_reach(self, listen: Address | None, *, auth: bool | None) -> None:
        """Whether strangers could come in. None: nobody knows what was meant."""
        if listen is not None and auth is False and not parse.is_loopback(listen):
            self._problems.add(
                "listen",
                f"{listen.host} is not a loopback address, and without authentication everyone "
                "who reaches the port could start, read and cancel tasks: set `auth: on` and make "
                "keys with `subagentctl keys create`, or listen on 127.0.0.1",
            )

    def _default(self, given: Any, upstreams: Sequence[UpstreamSettings]) -> str | None:
        names = [upstream.name for upstream in upstreams]
        if given is not None:
            if given not in names and not self._problems.found:
                text = f"{given!r} is none of: {', '.join(names)}"
                self._problems.add("default_upstream", text)
            return str(given)
        if len(names) == 1:
            return names[0]
        return "default" if "default" in names else None

    def _agents(
        self, given: Any, upstreams: Sequence[UpstreamSettings], default: str | None
    ) -> tuple[Agent, ...]:
        names = [upstream.name for upstream in upstreams]
        try:
            return agents(given, upstreams=names, default_upstream=default)
        except AgentMistakes as mistakes:
            for key, text in mistakes.found:
                self._problems.add(f"agents.{key}".rstrip("."), text)
            return ()

    def _admin_tokens(self, given: Any) -> tuple[AdminToken, ...]:
        return AdminTokenReader(self._problems, self._environ, self._folder).tokens(given)

    @property
    def _folder(self) -> Path:
        """Where the paths of the file begin."""
        document = self._problems.document
        return Path() if document is None else document.path.parent

    def _push(self, given: Any, allow: AllowList | None) -> tuple[PushSettings, ...]:
        if allow is None:
            return ()  # what is wrong with it is a problem already
        try:
            return PushReader(allow=allow, environ=self._environ, folder=self._folder).push(given)
        except PushMistakes as mistakes:
            for key, text in mistakes.found:
                self._problems.add(f"push.{key}".rstrip("."), text)
            return ()

    def _policy(self, given: Any) -> Any:
        """Paths in a file start where the file is, those of flags where the command was given."""
        folder = Path()
        if self._problems.document is not None and "policy" not in self._problems.given:
            folder = self._problems.document.path.parent
        return self._problems.read("policy", given, parse.policies(folder))

    def _prices(self, given: Any) -> PriceList:
        try:
            return price_list(given)
        except PriceMistakes as error:
            for model, text in error.of_models.items():
                self._problems.add(f"prices.{model}", text)
        except ValueError as error:
            self._problems.add("prices", str(error))
        return {}

    def _trace_links(self, given: Any) -> TraceLinks:
        try:
            return trace_links(given)
        except LinkMistakes as error:
            for name, text in error.of_links.items():
                self._problems.add(f"trace_links.{name}", text)
        except ValueError as error:
            self._problems.add("trace_links", str(error))
        return {}
