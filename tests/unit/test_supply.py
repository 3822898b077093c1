"""What is said of the packages the sidecar is made of."""

import tomllib
from pathlib import Path

import pytest
from scripts.supply import NOT_ASKED, told

ROOT = Path(__file__).parents[2]
UNREACHED = "error: Request failed after 3 retries\n  cause: dns error\n"


def test_an_audit_that_could_not_ask_is_not_taken_for_a_good_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert told(2, "", UNREACHED) == NOT_ASKED
    assert "NOT DONE" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, 1])
def test_what_an_audit_finds_is_passed_on(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(code, "found\n", "1 vulnerability\n") == code
    assert capsys.readouterr() == ("found\n", "1 vulnerability\n")


def test_every_file_of_every_locked_package_has_its_hash() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))
    packages = [each for each in lock["package"] if "registry" in each["source"]]
    assert len(packages) == len(lock["package"]) - 1  # all but this one
    files = [
        file
        for package in packages
        for file in [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
    ]
    assert files
    assert all(file["hash"].startswith("sha256:") for file in files)
