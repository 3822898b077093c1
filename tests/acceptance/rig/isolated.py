"""A Python among packages that do not go with ours: put together by uv, from its cache or the
package index."""

import os
import subprocess
import sys
from collections.abc import Sequence

from scripts.bootstrap import ROOT, environment, find_uv, pip_config_files
from tests.support import parts

_INSTALL_LIMIT = 120.0


def python(*requirements: str, part: str, limit: float = _INSTALL_LIMIT) -> Sequence[str]:
    """The command that is this Python with nothing but these, which are installed within `limit`
    seconds. Where they cannot be, `part` is missing."""
    env = environment(os.environ, pip_config_files(os.environ))
    command = [find_uv(env) or "uv", "run", "--isolated", "--no-project"]
    command += ["--python", sys.executable]
    command += [each for name in requirements for each in ("--with", name)] + ["python"]
    problem = _tried([*command, "-c", ""], env, limit)
    if problem is None:
        added = {k: v for k, v in env.items() if os.environ.get(k) != v or k.startswith("UV_")}
        return ["env", *(f"{k}={v}" for k, v in added.items()), *command]
    parts.missing(part, f"what it needs cannot be installed from the package index: {problem}")


def _tried(command: Sequence[str], env: dict[str, str], limit: float) -> str | None:
    """None, or what is wrong."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, timeout=limit, check=False
        )
    except FileNotFoundError:
        return "there is no uv"
    except subprocess.TimeoutExpired:
        return f"no answer within {limit:.0f} s"
    if done.returncode == 0:
        return None
    return " / ".join(done.stderr.decode(errors="replace").splitlines()[:3])
