"""docs/reference/errors.md names every error there is, with its status, and no other."""

import re
from collections.abc import Iterator
from pathlib import Path

from subagent_sidecar.errors import SidecarError

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
ROW = re.compile(r"^\| `(\w+)` \| (\d+|-) \|", re.MULTILINE)


def kinds(cls: type[SidecarError]) -> Iterator[type[SidecarError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from kinds(child)


def test_every_error_has_its_row_and_its_status() -> None:
    told = {code: status for code, status in ROW.findall(PAGE.read_text("utf-8"))}
    abstract = {"store_error"}  # never raised itself
    real = {kind.code: str(kind.status) for kind in kinds(SidecarError)}
    real["config_invalid"] = "-"
    assert told == {code: status for code, status in real.items() if code not in abstract}
