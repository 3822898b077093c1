"""The checkout as the docs tests see it."""

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

_LISTED = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
_FENCED = re.compile(r"^( *)(```+|~~~+).*?^\1\2[^\n]*$", re.MULTILINE | re.DOTALL)


@cache
def files() -> tuple[Path, ...]:
    """Every file that is or would be committed."""
    listed = subprocess.run(_LISTED, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = sorted(ROOT / name for name in listed.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def markdown() -> tuple[Path, ...]:
    return tuple(path for path in files() if path.suffix == ".md")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def pyproject() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


def prose(text: str) -> str:
    """Markdown without its fenced code blocks."""
    return _FENCED.sub("", text)


def section(text: str, heading: str) -> str:
    """What stands under `## heading`, up to the next one. Empty if there is none."""
    found = re.search(
        rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    return found[1] if found else ""
