"""What is told before anybody is served, where settings leave something open to others."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from subagent_sidecar import compose
from subagent_sidecar.config import settings
from subagent_sidecar.config.admin import VARIABLE

EVERYWHERE, HERE = "0.0.0.0:0", "127.0.0.1:0"
TOKEN = {VARIABLE: "correct-horse-battery"}


def told(folder: Path, environ: Mapping[str, str] | None = None, **said: Any) -> list[str]:
    """By their actions."""
    usual = {"listen": HERE, "admin_listen": HERE, "upstreams": {"a": "http://127.0.0.1:9"}}
    file = folder / "sidecar.yaml"
    file.write_text(yaml.safe_dump({**usual, **said}), "utf-8")
    found = settings(file=file, flags={}, upstream_flags=(), environ=environ or {})
    return [risk.action for risk in compose.risks(found)]


def test_of_what_is_open_to_nobody_nothing_is_told(tmp_path: Path) -> None:
    assert told(tmp_path) == []
    assert told(tmp_path, TOKEN, auth=True) == []


@pytest.mark.parametrize(
    ("environ", "said", "actions"),
    [
        (TOKEN, {"auth": True, "listen": EVERYWHERE}, ["keys_in_clear"]),
        (TOKEN, {"admin_listen": EVERYWHERE}, ["admin_in_the_clear"]),
        ({}, {"auth": True}, ["keys_for_everybody"]),
        (
            {},
            {"upstreams": {"a": {"url": "https://a.example", "tls_verify": False}}},
            ["upstream_not_verified"],
        ),
    ],
)
def test_each_is_told(
    tmp_path: Path, environ: Mapping[str, str], said: dict[str, Any], actions: list[str]
) -> None:
    assert told(tmp_path, environ, **said) == actions


def test_a_secret_that_all_may_read_is_told_once_by_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("correct-horse-battery", "utf-8")
    secret.chmod(0o644)
    given = {"a": {"role": "viewer", "token_file": "token"}}
    upstream = {"url": "http://127.0.0.1:9", "headers": {"x-api-key": "${file:token}"}}
    both: dict[str, Any] = {"admin_tokens": given, "upstreams": {"a": upstream}}
    assert told(tmp_path, **both) == ["credential_open_to_all"]
    secret.chmod(0o640)
    assert told(tmp_path, **both) == []
