"""Every test, in two processes side by side.

    python -m scripts.storeys FIRST... -- BESIDE... [pytest's options]

What the first storeys say is shown as it comes; then what those beside them have said meanwhile,
and go on to say.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

_NONE_FOUND = 5
"""pytest's word for: no test fits. With `-k` that may be so in one of the two."""
_LOOK_S = 0.2
_PIECE = 1 << 20


def main() -> int:
    given = sys.argv[1:]
    at = given.index("--")
    after = given[at + 1 :]
    beside = [each for each in after if Path(each).is_dir()]
    options = [each for each in after if each not in beside]
    first = given[:at]
    with tempfile.TemporaryFile() as said:
        other = subprocess.Popen(_pytest(beside, options), stdout=said, stderr=subprocess.STDOUT)
        try:
            code = subprocess.call(_pytest(first, options))
            _show(other, said)
        except KeyboardInterrupt:  # they have been told as well
            other.wait()
            _show(other, said)
            return 130
        other_code = other.wait()
    return _both(first, code, other_code)


def _pytest(folders: Sequence[str], options: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", *folders, *options]


def _show(process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
    """Print what a process writes until it ends. The file has one position for both of us, so it
    is read without moving it."""
    shown = 0
    while True:
        ended = process.poll() is not None
        new = os.pread(said.fileno(), _PIECE, shown)
        sys.stdout.buffer.write(new)
        sys.stdout.flush()
        shown += len(new)
        if ended and not new:
            return
        time.sleep(_LOOK_S)


def _both(first: Sequence[str], code: int, other: int) -> int:
    codes = {code, other}
    if codes == {_NONE_FOUND}:
        return _NONE_FOUND
    if code not in (0, _NONE_FOUND):
        print(f"FAILED in {' '.join(first)}: see further up", flush=True)
    return max(each if each != _NONE_FOUND else 0 for each in codes)


if __name__ == "__main__":
    sys.exit(main())
