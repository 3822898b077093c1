"""Promises about the files around the code."""

import re
from pathlib import Path

import pytest
from tests.docs import repository

README_LINES = 150
PYPI = {"pypi.org", "files.pythonhosted.org"}
PROSE = ("README.md", "CONTRIBUTING.md")

# A file of ours that names one of these would be about one person's machine.
_HOMES = re.compile(r"(?:/home/|/Users/|[A-Z]:\\Users\\)[A-Za-z0-9_.-]+")


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(repository.read("README.md").splitlines()) <= README_LINES


def test_the_changelog_has_a_place_for_the_next_release() -> None:
    headings = re.findall(r"^## (.+)$", repository.read("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"


def test_the_version_is_said_once() -> None:
    package = repository.read("sidecar/subagent_sidecar/__init__.py")
    version = repository.pyproject()["project"]["version"]
    assert f'__version__ = "{version}"' in package


def targets() -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", repository.read("Makefile"), re.MULTILINE))


def test_make_help_explains_every_target() -> None:
    explained = re.search(r"^define HELP\n(.*?)^endef", repository.read("Makefile"), re.M | re.S)
    assert explained is not None
    listed = set(re.findall(r"^make ([a-z]+)\b(?!-)", explained[1], re.MULTILINE))
    assert listed == targets() - {"help"}


def test_make_test_runs_every_test_file() -> None:
    halves = re.findall(r"^(?:FIRST|BESIDE) := (.*)$", repository.read("Makefile"), re.MULTILINE)
    storeys = " ".join(halves).split()
    standing = {
        path.relative_to(repository.ROOT).parts[:2]
        for path in repository.files()
        if re.fullmatch(r"test_.*\.py|.*_test\.py", path.name)
    }
    assert standing <= {("tests", storey) for storey in storeys}


@pytest.mark.parametrize("page", PROSE)
def test_the_prose_names_no_target_that_does_not_exist(page: str) -> None:
    named = re.findall(r"(?:`|\$ )make\s+([a-z]+(?:-[a-z]+)?)", repository.read(page))
    storeys = {f"test-{storey.name}" for storey in (repository.ROOT / "tests").iterdir()}
    assert named
    assert set(named) <= targets() | storeys


def test_the_lock_file_names_no_index_but_pypi() -> None:
    hosts = set(re.findall(r'"https?://([^/"]+)', repository.read("uv.lock")))
    assert hosts == PYPI


def local_paths(text: str) -> list[str]:
    here = [str(repository.ROOT), f"{Path.home()}/"]
    return [path for path in here if path in text] + _HOMES.findall(text)


@pytest.mark.parametrize(
    "text",
    [
        f"see {repository.ROOT}/x",
        f"{Path.home()}/.cache",
        "/home" + "/ann/x",
        "C:\\Users" + "\\ann",
    ],
)
def test_a_path_of_one_machine_is_found(text: str) -> None:
    assert local_paths(text)


def test_no_file_names_a_path_of_one_machine() -> None:
    found = {
        str(path.relative_to(repository.ROOT)): paths
        for path in repository.files()
        if (paths := local_paths(path.read_text(encoding="utf-8", errors="replace")))
    }
    assert found == {}
