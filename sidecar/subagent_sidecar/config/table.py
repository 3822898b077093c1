"""Every setting: its default, as people would write it, and how it is read.

Those without a parser depend on other settings, or have problems of their own to report; reading.py
sees to them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .. import config_values as parse
from ..core.push.addresses import allow_list
from ..core.units import duration, size


@dataclass(frozen=True, slots=True)
class Setting:
    default: Any
    parse: Callable[[Any], Any] | None = None


SETTINGS: Mapping[str, Setting] = {
    "upstreams": Setting({}),
    "default_upstream": Setting(None),
    "agents": Setting([]),
    "tool_result_limit": Setting(80_000, parse.count),
    "listen": Setting("127.0.0.1:8460", parse.address),
    "auth": Setting(False, parse.on_or_off),
    "admin_listen": Setting("127.0.0.1:8461", parse.address),
    "admin_tokens": Setting({}),
    "allowed_hosts": Setting([], parse.hosts),
    "tls_cert": Setting(None),
    "tls_key": Setting(None),
    "tls_client_ca": Setting(None),
    "admin_tls_cert": Setting(None),
    "admin_tls_key": Setting(None),
    "admin_tls_client_ca": Setting(None),
    "store": Setting("sqlite:///subagent-sidecar.db", parse.store),
    "drain_timeout": Setting("20s", duration),
    "connect_timeout": Setting("5s", parse.some(duration)),
    "start_timeout": Setting("30s", parse.some(duration)),
    "answer_timeout": Setting("300s", parse.some(duration)),
    "header_timeout": Setting("10s", parse.some(duration)),
    "body_timeout": Setting("30s", parse.some(duration)),
    "policy": Setting("default"),
    "coalesce": Setting(None, parse.unless_null(duration)),
    "max_body": Setting("300MiB", parse.some(size)),
    "inspect_limit": Setting("32MiB", parse.some(size)),
    "max_connections": Setting(10_000, parse.count),
    "max_client_connections": Setting(None, parse.unless_null(parse.count)),
    "max_key_requests": Setting(None, parse.unless_null(parse.count)),
    "allowed_origins": Setting([], parse.origins),
    "webhook_allow": Setting(None, parse.unless_null(allow_list)),
    "purpose": Setting(True, parse.flag),
    "retention": Setting("30d", duration),
    "usage_interval": Setting("15s", duration),
    "reap_interval": Setting("5s", duration),
    "prices": Setting({}),
    "explain_endings": Setting(True, parse.flag),
    "cancel_verify_for": Setting(None, parse.unless_null(parse.some(duration))),
    "cancel_rollback": Setting(None, parse.unless_null(parse.one_of("ours", "always", "never"))),
    "otlp_endpoint": Setting(None, parse.unless_null(parse.otlp_endpoint)),
    "otlp_protocol": Setting(None, parse.unless_null(parse.one_of("http/protobuf", "grpc"))),
    "otlp_metrics": Setting(None, parse.unless_null(parse.flag)),
    "trace_content": Setting(False, parse.flag),
    "trace_links": Setting({}),
    "otlp_receive": Setting("rehome", parse.or_off(parse.one_of("rehome", "link", "pass", "off"))),
    "otlp_hold": Setting("30s", duration),
    "otlp_buffer": Setting("16MiB", parse.some(size)),
    "otlp_max_body": Setting("8MiB", parse.some(size)),
    "push": Setting([]),
    "push_allow": Setting([], allow_list),
    "log_format": Setting("text", parse.one_of("text", "json")),
    "log_level": Setting("info", parse.one_of("debug", "info", "warning", "error")),
}
FIELDS: Mapping[str, str] = {"purpose": "keep_purpose"}
"""The fields of `Settings` that are not called as the setting is."""
