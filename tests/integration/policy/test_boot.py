"""A sidecar whose policies cannot be used does not start, and says everything that is wrong."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.ports import free_port

BAD = "version: 1\nlimits:\n  - {name: x, depth: 1, starts: 2}\n  - {name: y, deepth: 1}\n"


def sidecar(
    folder: Path, *words: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "subagent_sidecar", *words, "--upstream", "http://127.0.0.1:1"]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("SUBAGENT")}
    return subprocess.run(
        command,
        cwd=folder,
        env=environ | (env or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text(BAD, "utf-8")
    return path


def places(stderr: str) -> list[str]:
    """`file:line: key` of every line."""
    lines = stderr.splitlines()
    assert all(line.startswith("subagent-sidecar: ") for line in lines), stderr
    return [": ".join(line.split(": ")[1:3]) for line in lines]


def test_a_broken_policy_keeps_it_from_starting_and_from_touching_anything(  # row 11
    tmp_path: Path, bad: Path
) -> None:
    with socket.socket() as taken:
        # A port that cannot be bound would be complained of, if it came to that.
        taken.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        result = sidecar(tmp_path, "serve", "--policy", "bad.yaml", "--listen", listen)
    assert (result.returncode, result.stdout) == (64, "")
    assert places(result.stderr) == ["bad.yaml:3: limits[0].depth", "bad.yaml:4: limits[1].deepth"]
    assert list(tmp_path.iterdir()) == [bad]


def test_check_names_what_is_wrong_with_settings_and_policies_together(
    tmp_path: Path, bad: Path
) -> None:
    config = tmp_path / "etc" / "c.yaml"
    config.parent.mkdir()
    config.write_text("log_level: loud\npolicy: [strict, ../bad.yaml, gone.yaml]\n", "utf-8")
    result = sidecar(tmp_path, "check", "--config", str(config))
    assert result.returncode == 64
    assert places(result.stderr) == [
        f"{config}:1: log_level",
        f"{config.parent}/gone.yaml: cannot be read",
        f"{config.parent}/../bad.yaml:3: limits[0].depth",
        f"{config.parent}/../bad.yaml:4: limits[1].deepth",
    ]


def test_a_file_of_settings_that_cannot_be_read_hides_no_broken_policy(
    tmp_path: Path, bad: Path
) -> None:
    result = sidecar(tmp_path, "check", "--config", "gone.yaml", "--policy", "bad.yaml")
    assert result.returncode == 64
    assert places(result.stderr)[0] == "gone.yaml: cannot be read"
    assert len(places(result.stderr)) == 3


# (flags, environment, what `check` says of the policy)
ASKED = [
    ([], {}, "10 rules of default (9 enforced, 1 only observed), "),
    (["--policy", "none"], {}, "no rules, as was asked for, "),
    (["--policy", "observe"], {}, "16 rules of observe (only observed), "),
    (["--policy", "strict", "--policy", "own.yaml"], {}, "18 rules of strict and own.yaml (enf"),
    ([], {"SUBAGENT_SIDECAR_POLICY": "own.yaml:strict"}, "18 rules of own.yaml and strict (enf"),
    (["--policy", "own.yaml"], {"SUBAGENT_SIDECAR_POLICY": "strict"}, "1 rule of own.yaml (enf"),
]


@pytest.mark.parametrize(("flags", "env", "said"), ASKED)
def test_which_policies_hold_is_said(
    tmp_path: Path, flags: list[str], env: dict[str, str], said: str
) -> None:
    (tmp_path / "own.yaml").write_text("version: 1\nlimits:\n  - {name: own, depth: 9}\n", "utf-8")
    (tmp_path / "c.yaml").write_text("policy: nowhere.yaml\n" if flags or env else "", "utf-8")
    result = sidecar(tmp_path, "check", "--config", "c.yaml", *flags, env=env)
    assert (result.returncode, result.stderr) == (0, "")
    [line] = [line for line in result.stdout.splitlines() if line.startswith("policy: ")]
    assert line.startswith(f"policy: {said}")


def test_that_nothing_ends_by_itself_is_said(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("reap_interval: 0\n", "utf-8")
    result = sidecar(tmp_path, "check", "--config", "c.yaml")
    assert result.stdout.splitlines()[-1] == (
        "reaping: nothing ends by itself (reap_interval is 0); `subagentctl reap` does it by hand"
    )


def test_no_rules_beside_rules_makes_no_sense(tmp_path: Path) -> None:
    result = sidecar(tmp_path, "check", "--policy", "none", "--policy", "strict")
    assert result.returncode == 64
    assert result.stderr == (
        "subagent-sidecar: --policy: `none` turns all rules off and stands alone\n"
    )


def test_a_port_is_bound_only_after_the_policy_was_found_good(tmp_path: Path) -> None:
    """The other half of the first test: with a good policy the taken port is the problem."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        admin = f"127.0.0.1:{free_port()}"
        result = sidecar(tmp_path, "serve", "--listen", listen, "--admin-listen", admin)
    assert result.returncode == 64
    assert "choose another with --listen" in result.stderr
