"""docs/reference/errors.md names every error there is, with its status, and no other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.refusals import EVERY_CODE, refused

from subagent_sidecar.errors import SidecarError
from subagent_sidecar.proxy.problems import problem

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
ROW = re.compile(r"^\| `(\w+)` \| (\d+|-) \|", re.MULTILINE)


def page() -> str:
    return PAGE.read_text("utf-8")


def kinds(cls: type[SidecarError]) -> Iterator[type[SidecarError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from kinds(child)


def test_every_error_has_its_row_and_its_status() -> None:
    told = {code: status for code, status in ROW.findall(page())}
    abstract = {"store_error"}  # never raised itself
    real = {kind.code: str(kind.status) for kind in kinds(SidecarError)}
    real["config_invalid"] = "-"
    real |= {code: str(refused(code).status) for code in EVERY_CODE}
    assert told == {code: status for code, status in real.items() if code not in abstract}


def test_no_error_has_two_rows() -> None:
    codes = [code for code, _ in ROW.findall(page())]
    assert len(codes) == len(set(codes))


def test_the_example_of_a_refusal_is_one() -> None:
    """Word for word, but for the ids."""
    example = re.search(r"^```json\n(\{\"error\": \"limit_starts.*?)^```", page(), re.M | re.S)
    assert example is not None
    _, _, body = problem(refused("limit_starts"), request_id="3f1c...")
    assert json.loads(example[1]) == json.loads(body)
