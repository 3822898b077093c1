"""Settings from a file written for the occasion, and the problems of one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from subagent_sidecar.config import Settings, settings
from subagent_sidecar.errors import ConfigError


def parsed(
    folder: Path | None = None,
    text: str | Mapping[str, Any] = "",
    *,
    flags: Mapping[str, Any] | None = None,
    upstreams: Sequence[str] = ("http://127.0.0.1:2024",),
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Settings from a file of `text`, if there is a folder to put it in, and the rest."""
    file = None
    if folder is not None:
        file = folder / "c.yaml"
        file.write_text(text if isinstance(text, str) else yaml.safe_dump(dict(text)), "utf-8")
    return settings(file=file, flags=flags or {}, upstream_flags=upstreams, environ=environ or {})


def problems(folder: Path | None = None, text: str = "", **more: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as error:
        parsed(folder, text, **more)
    return error.value.problems
