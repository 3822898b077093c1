"""What the sidecar is made of: `make sbom` writes it down, `make audit` asks what is known of it.

Both go by the lock file, and both are uv's: it made the lock, and knows what is in it.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scripts.bootstrap import SetupError, ready_uv

SBOM = Path("dist/sbom.cdx.json")
NOT_ASKED = 3
"""The exit code where nobody could be asked: neither good nor bad."""

_NO_ANSWER = ("error sending request", "Request failed after", "dns error", "Connect")


def main(arguments: Sequence[str]) -> int:
    try:
        uv, env = ready_uv()
        if list(arguments) == ["sbom"]:
            return sbom(uv, env)
        if list(arguments) == ["audit"]:
            return audit(uv, env)
    except SetupError as error:
        print(f"supply: {error}", file=sys.stderr)
        return 1
    print("supply: say sbom or audit", file=sys.stderr)
    return 2


def sbom(uv: str, env: dict[str, str]) -> int:
    """What is installed with the sidecar, with its hashes, as CycloneDX. Needs no network."""
    SBOM.parent.mkdir(exist_ok=True)
    words = ["export", "--frozen", "--no-dev", "--format", "cyclonedx1.5", "--quiet"]
    done = subprocess.run([uv, *words, "--output-file", str(SBOM)], env=env)
    if done.returncode == 0:
        print(f"sbom: {SBOM}")
    return done.returncode


def audit(uv: str, env: dict[str, str]) -> int:
    """Whether a locked version, those for development included, has a known vulnerability."""
    words = ["audit", "--frozen", "--preview-features", "audit-command"]
    done = subprocess.run([uv, *words], env=env, capture_output=True, text=True)
    return told(done.returncode, done.stdout, done.stderr)


def told(code: int, out: str, err: str) -> int:
    """Say what uv found, and end with 0 where it found nothing, 1 where it did, and NOT_ASKED."""
    sys.stdout.write(out)
    if code != 0 and any(word in err for word in _NO_ANSWER):
        print(
            "audit: NOT DONE: the database of vulnerabilities (api.osv.dev) cannot be reached from "
            "here, so nothing is known either way; run it where there is a network",
            file=sys.stderr,
        )
        return NOT_ASKED
    sys.stderr.write(err)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
