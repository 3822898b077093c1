"""docs/dependencies.md and pyproject.toml name the same packages."""

import re
from collections.abc import Iterable

import pytest
from tests.docs import repository

_ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \|$", re.MULTILINE)


def declared() -> dict[str, list[str]]:
    """Heading on the page -> requirements in pyproject.toml."""
    settings = repository.pyproject()
    extras = settings["project"].get("optional-dependencies", {})
    return {
        "Runtime": settings["project"]["dependencies"],
        **{f"Extra: {name}": wanted for name, wanted in extras.items()},
        "Development": settings["dependency-groups"]["dev"],
        "To build": settings["build-system"]["requires"],
    }


def names(requirements: Iterable[str]) -> list[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return sorted(name[0].lower() for name in found if name)


@pytest.mark.parametrize("heading", declared())
def test_every_dependency_says_why_it_is_there(heading: str) -> None:
    rows = _ROW.findall(repository.section(repository.read("docs/dependencies.md"), heading))
    assert sorted(name for name, _ in rows) == names(declared()[heading])
    assert all(why for _, why in rows)


def imports(module: str) -> bool:
    """Whether anything that ships imports `module`."""
    line = re.compile(rf"^\s*(?:from|import) {module}\b", re.MULTILINE)
    shipped = (
        path for root in ("sidecar", "cli") for path in (repository.ROOT / root).rglob("*.py")
    )
    return any(line.search(path.read_text(encoding="utf-8")) for path in shipped)


MODULES = {
    "pyyaml": "yaml",
    "opentelemetry-exporter-otlp": "opentelemetry.exporter",
    "opentelemetry-sdk": "opentelemetry.sdk",
}


@pytest.mark.parametrize("name", names(declared()["Runtime"]))
def test_a_runtime_dependency_that_nothing_imports_says_so(name: str) -> None:
    rows = dict(
        _ROW.findall(repository.section(repository.read("docs/dependencies.md"), "Runtime"))
    )
    used = imports(MODULES.get(name, name.replace("-", "_")))
    admitted = "nothing imports it" in rows[name] or "by itself" in rows[name]
    assert used is not admitted


def test_the_page_has_no_section_for_dependencies_that_are_gone() -> None:
    headings = re.findall(r"^## (.+)$", repository.read("docs/dependencies.md"), re.MULTILINE)
    assert headings == list(declared())
