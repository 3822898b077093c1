"""Build the sdist and, from it, the wheel; then use the wheel the way a stranger would.

The clean environment gets the newest dependencies that pyproject.toml allows, not the locked ones:
that is what `pip install` gives to users.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from scripts.bootstrap import ROOT, Environment, SetupError, ready_uv, run

from subagentctl.exporting import contents

DIST = ROOT / "dist"
ELSEWHERE = ROOT / "build" / "try"
COMMANDS = ("subagent-sidecar", "subagentctl")


def main() -> int:
    try:
        uv, env = ready_uv()
        install(uv, build(uv, env), env)
        for command in COMMANDS:
            answers(command, env)
        knows_its_policies(env)
        exports_its_dashboards(env)
    except SetupError as error:
        print(f"build: {error}", file=sys.stderr)
        return 1
    print("build: the wheel installs and both commands answer")
    return 0


def build(uv: str, env: Environment) -> Path:
    """The one wheel in an otherwise empty dist/."""
    shutil.rmtree(DIST, ignore_errors=True)
    run([uv, "build", "--out-dir", str(DIST)], env)
    return next(DIST.glob("*.whl"))


def install(uv: str, wheel: Path, env: Environment) -> None:
    shutil.rmtree(ELSEWHERE, ignore_errors=True)
    run([uv, "venv", "--quiet", str(ELSEWHERE)], env)
    run([uv, "pip", "install", "--quiet", "--python", str(ELSEWHERE), str(wheel)], env)
    for folder in ("policies", "dashboards"):
        if not list(ELSEWHERE.glob(f"lib/*/site-packages/subagent_sidecar/_bundled/{folder}/*")):
            raise SetupError(f"the wheel does not carry {folder}/")


def answers(command: str, env: Mapping[str, str]) -> None:
    """`--help` from a folder where the checkout cannot be imported by accident."""
    answer = subprocess.run(
        [str(ELSEWHERE / "bin" / command), "--help"],
        cwd=ELSEWHERE,
        env=env,
        capture_output=True,
        text=True,
    )
    if answer.returncode != 0 or "Usage" not in answer.stdout:
        raise SetupError(f"`{command} --help` does not answer: {answer.stderr.strip()[-2000:]}")


def knows_its_policies(env: Mapping[str, str]) -> None:
    """The bundled policies, by name, from where no checkout is."""
    command = [str(ELSEWHERE / "bin" / "subagentctl"), "policy", "validate", "default", "strict"]
    answer = subprocess.run(command, cwd=ELSEWHERE, env=env, capture_output=True, text=True)
    if answer.returncode != 0 or "_bundled" not in answer.stdout:
        raise SetupError(f"the wheel does not find its policies: {answer.stderr.strip()[-2000:]}")


def exports_its_dashboards(env: Mapping[str, str]) -> None:
    """All of them, as they are in the checkout."""
    into = ELSEWHERE / "exported"
    command = [str(ELSEWHERE / "bin" / "subagentctl"), "dashboards", "export", str(into)]
    answer = subprocess.run(command, cwd=ELSEWHERE, env=env, capture_output=True, text=True)
    wanted = contents(ROOT / "dashboards")
    if answer.returncode != 0 or contents(into) != wanted:
        raise SetupError(f"the wheel does not export its dashboards: {answer.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
