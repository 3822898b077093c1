"""A Python among packages that do not go with ours: put together by uv, from its cache or the
package index."""

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from scripts.bootstrap import ROOT, environment, find_uv, pip_config_files

_INSTALL_LIMIT = 120.0


def python(*requirements: str) -> Sequence[str]:
    """The command that is this Python with nothing but these.

    Where they cannot be installed the calling test is skipped, or fails when
    `SIDECAR_TEST_REQUIRE` lists "mcp".
    """
    env = environment(os.environ, pip_config_files(os.environ))
    command = [find_uv(env) or "uv", "run", "--isolated", "--no-project"]
    command += ["--python", sys.executable]
    command += [each for name in requirements for each in ("--with", name)] + ["python"]
    problem = _tried([*command, "-c", ""], env)
    if problem is None:
        return ["env", *(f"{k}={v}" for k, v in env.items() if k.startswith("UV_")), *command]
    if "mcp" in os.environ.get("SIDECAR_TEST_REQUIRE", "").split(","):
        pytest.fail(f"SIDECAR_TEST_REQUIRE=mcp, but they cannot be installed: {problem}")
    pytest.skip(f"they cannot be installed from the package index: {problem}")


def _tried(command: Sequence[str], env: dict[str, str]) -> str | None:
    """None, or what is wrong."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, timeout=_INSTALL_LIMIT, check=False
        )
    except FileNotFoundError:
        return "there is no uv"
    except subprocess.TimeoutExpired:
        return f"no answer within {_INSTALL_LIMIT:.0f} s"
    if done.returncode == 0:
        return None
    return " / ".join(done.stderr.decode(errors="replace").splitlines()[:3])
