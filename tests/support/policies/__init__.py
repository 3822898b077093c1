"""Policy files for tests: good ones, and ones that are wrong in one way each."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from subagent_sidecar.core.policy import Policy
from subagent_sidecar.errors import ConfigError
from subagent_sidecar.policy_file import load

from .bad import Bad
from .bad_budgets import BUDGETS, CLOCKS
from .bad_files import BETWEEN_RULES, BROKEN, FILES, TOP
from .bad_limits import LIMITS
from .good import EVERYTHING, GOOD
from .mutations import mutated

__all__ = [
    "BROKEN",
    "EVERY",
    "EVERYTHING",
    "GOOD",
    "Bad",
    "loaded",
    "mutated",
    "problems",
    "written",
]

EVERY: Sequence[Bad] = (
    *(*FILES, *TOP, *LIMITS, *BUDGETS, *CLOCKS),
    *(*BETWEEN_RULES, *BROKEN),
)


def loaded(folder: Path, *texts: str) -> Policy:
    """The policy of files p.yaml, p1.yaml, ... with these texts."""
    return load(written(folder, *texts))


def problems(folder: Path, *texts: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as error:
        loaded(folder, *texts)
    return error.value.problems


def written(folder: Path, *texts: str) -> list[Path]:
    paths = [folder / f"p{number or ''}.yaml" for number in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths
