"""`make test` runs two processes, and neither hides what the other says."""

import subprocess
import sys
from pathlib import Path

from tests.docs import repository


def ran(folder: Path, *, quick: str, slow: str) -> tuple[int, str]:
    for storey, body in (("quick", quick), ("slow", slow)):
        (folder / storey).mkdir()
        (folder / storey / f"test_{storey}.py").write_text(body, "utf-8")
    command = [sys.executable, "-m", "scripts.storeys", str(folder / "quick")]
    command += ["--", str(folder / "slow"), "-q", "-p", "no:cacheprovider", f"--rootdir={folder}"]
    done = subprocess.run(command, cwd=repository.ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


PASSES = "def test_it():\n    pass\n"
FAILS = "def test_it():\n    assert False\n"


def test_what_both_say_is_shown_the_slow_ones_last(tmp_path: Path) -> None:
    code, said = ran(tmp_path, quick=PASSES, slow=PASSES + "def test_two():\n    pass\n")
    assert code == 0
    assert 0 < said.index("1 passed") < said.index("2 passed")


def test_a_failure_of_the_quick_ones_is_not_lost_above_the_others(tmp_path: Path) -> None:
    code, said = ran(tmp_path, quick=FAILS, slow=PASSES)
    assert code == 1
    assert "1 failed" in said and "FAILED in" in said.splitlines()[-1]


def test_a_failure_of_the_slow_ones_counts_where_no_quick_one_was_found(tmp_path: Path) -> None:
    code, said = ran(tmp_path, quick="", slow=FAILS)
    assert code == 1
    assert said.splitlines()[-1].startswith("1 failed")
