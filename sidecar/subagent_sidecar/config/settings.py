"""What settings come to."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ..admin_tokens import AdminToken
from ..config_values import Address
from ..core.agents import Agent
from ..core.matching import Glob
from ..core.prices import PriceList
from ..core.push.addresses import AllowList
from ..core.push.targets import Target
from ..core.trace_links import TraceLinks
from ..own_fields import Renewable
from ..tls import ClientFiles, ServerFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSettings:
    """One agent server. `headers` are added to every request to it (its credentials); `renewable`
    are those of them that come from files. `forward_headers`: None for all that a client sends.
    `pass_client_credentials`: None for what goes with `auth`."""

    name: str
    host: str
    port: int
    tls: bool
    base: str
    agents: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    renewable: tuple[Renewable, ...] = field(default=(), repr=False)
    forward_headers: tuple[Glob, ...] | None = None
    pass_client_credentials: bool | None = None
    preserve_host: bool = False
    inject: bool = True
    tls_files: ClientFiles = field(default_factory=ClientFiles)

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
class PushSettings:
    """Somebody who is told of ends. The URL is shown to nobody: what is in its path may be all
    that keeps others from using it."""

    target: Target
    url: str = field(repr=False)
    secrets: tuple[bytes, ...] = field(default=(), repr=False)
    secret_file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything `compose.running` needs. Durations as timedelta, sizes in bytes.

    `policy` are bundled policies by name, and paths. None: nothing is said, and the policy has the
    word.
    """

    upstreams: tuple[UpstreamSettings, ...]
    default_upstream: str | None
    agents: tuple[Agent, ...]
    tool_result_limit: int
    listen: Address
    auth: bool
    admin_listen: Address
    tls: ServerFiles | None
    admin_tls: ServerFiles | None
    admin_tokens: tuple[AdminToken, ...]
    allowed_hosts: tuple[str, ...]
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
    max_client_connections: int | None
    max_key_requests: int | None
    allowed_origins: tuple[str, ...]
    webhook_allow: AllowList | None
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
    otlp_metrics: bool | None
    trace_content: bool
    trace_links: TraceLinks
    otlp_receive: str
    otlp_hold: timedelta
    otlp_buffer: int
    otlp_max_body: int
    push: tuple[PushSettings, ...]
    push_allow: AllowList
    log_format: str
    log_level: str
