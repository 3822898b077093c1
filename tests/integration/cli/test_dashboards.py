"""`subagentctl dashboards export`: files into a folder, and no sidecar is asked."""

import json
import os
import stat
from pathlib import Path

import pytest

from subagentctl.exporting import bundled, contents
from subagentctl.testing import FakeAdmin

from .conftest import Run

FILES = contents(bundled())


def standing(folder: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def test_everything_is_written_into_a_folder_that_is_made(
    tmp_path: Path, run: Run, admin: FakeAdmin
) -> None:
    into = tmp_path / "a" / "b"
    result = run("dashboards", "export", str(into))
    assert (result.exit_code, result.stderr) == (0, "")
    assert standing(into) == FILES
    assert {"compose.yaml", "alerts/alerts.yaml", "grafana/subagent-fleet.json"} <= FILES.keys()
    said = result.stdout.splitlines()
    assert said[: len(FILES)] == [f"{into}/{name}" for name in FILES]
    assert f"  docker compose -f {into}/compose.yaml up -d" in said
    assert f"  docker compose -f {into}/compose.yaml -f {into}/compose.desktop.yaml up -d" in said
    assert admin.requests == []


def test_what_is_not_for_users_is_not_exported() -> None:
    assert not [name for name in FILES if "tests" in name or name.endswith(".md")]


def test_a_folder_whose_name_needs_quotes_can_be_copied_to_a_shell(
    tmp_path: Path, run: Run
) -> None:
    into = tmp_path / "my dashboards"
    told = run("dashboards", "export", str(into)).stdout
    assert f"  docker compose -f '{into}/compose.yaml' up -d\n" in told


def test_a_second_time_there_is_nothing_to_do(tmp_path: Path, run: Run) -> None:
    run("dashboards", "export", str(tmp_path))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    result = run("dashboards", "export", str(tmp_path), "-o", "json")
    assert json.loads(result.stdout) == {
        "folder": str(tmp_path),
        "written": [],
        "unchanged": list(FILES),
    }
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_where_a_file_differs_nothing_is_written(tmp_path: Path, run: Run) -> None:
    (tmp_path / "compose.yaml").write_text("mine")
    result = run("dashboards", "export", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"subagentctl: compose.yaml in {tmp_path} would be overwritten: nothing was written. Name "
        "another folder, or use --force.\n"
    )
    assert standing(tmp_path) == {"compose.yaml": b"mine"}


def test_many_that_differ_are_counted(tmp_path: Path, run: Run) -> None:
    run("dashboards", "export", str(tmp_path))
    for name in FILES:
        (tmp_path / name).write_text("mine")
    result = run("dashboards", "export", str(tmp_path))
    assert f" and {len(FILES) - 3} more in {tmp_path} would be overwritten" in result.stderr


def test_force_overwrites_and_leaves_other_files_alone(tmp_path: Path, run: Run) -> None:
    (tmp_path / "compose.yaml").write_text("mine")
    (tmp_path / "notes.txt").write_text("mine as well")
    assert run("dashboards", "export", str(tmp_path), "--force").exit_code == 0
    assert standing(tmp_path) == {**FILES, "notes.txt": b"mine as well"}


def test_what_a_link_leads_to_is_not_written(tmp_path: Path, run: Run) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    into = tmp_path / "into"
    into.mkdir()
    (into / "compose.yaml").symlink_to(elsewhere)
    (into / ".compose.yaml.new").symlink_to(elsewhere)  # by somebody who knows how it is done
    assert run("dashboards", "export", str(into)).exit_code == 1
    assert run("dashboards", "export", str(into), "--force").exit_code == 0
    assert elsewhere.read_text() == "precious"
    assert (into / "compose.yaml").read_bytes() == FILES["compose.yaml"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX'")
def test_containers_may_read_it_whatever_the_umask(tmp_path: Path, run: Run) -> None:
    into = tmp_path / "into"
    before = os.umask(0o077)
    try:
        assert run("dashboards", "export", str(into)).exit_code == 0
    finally:
        os.umask(before)
    assert stat.S_IMODE((into / "grafana").stat().st_mode) == 0o755
    assert stat.S_IMODE((into / "compose.yaml").stat().st_mode) == 0o644


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, run: Run) -> None:
    (tmp_path / "file").write_text("")
    result = run("dashboards", "export", str(tmp_path / "file" / "x"))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("subagentctl: ") and "cannot be written: " in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_folder_in_the_place_of_a_file_is_not_removed(tmp_path: Path, run: Run) -> None:
    (tmp_path / "compose.yaml").mkdir()
    result = run("dashboards", "export", str(tmp_path), "--force")
    assert result.exit_code == 1 and "cannot be written" in result.stderr
    assert (tmp_path / "compose.yaml").is_dir()
    assert not [path for path in tmp_path.rglob("*") if path.name.endswith(".new")]


def test_there_is_no_csv_of_it(tmp_path: Path, run: Run) -> None:
    assert run("-o", "csv", "dashboards", "export", str(tmp_path / "x")).exit_code == 2
    assert not (tmp_path / "x").exists()
