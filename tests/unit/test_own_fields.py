"""Credentials in files, and when they are read again."""

import os
from pathlib import Path

import pytest

from subagent_sidecar.own_fields import BadPieces, OwnFields, Renewable, joined
from subagent_sidecar.redaction import scrubbed
from subagent_sidecar.renewals import renew_credentials
from subagent_sidecar.secret_files import open_to_all

SECRET = "s3cret-of-a-file"


def written(folder: Path, content: bytes = SECRET.encode()) -> Path:
    file = folder / "key"
    file.write_bytes(content)
    return file


def own_of(file: Path) -> OwnFields:
    pieces = ("Bearer ", file, "")
    return OwnFields(
        [("x-plain", "p"), ("Authorization", joined(pieces))],
        [Renewable("Authorization", pieces)],
    )


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_line_ends_after_a_secret_are_not_part_of_it(tmp_path: Path, end: bytes) -> None:
    assert joined(("Bearer ", written(tmp_path, SECRET.encode() + end))) == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"  \n", "is empty"),
        (SECRET.encode() + b"\nx-evil: 1\n", "holds more than one line of printable ASCII"),
        (SECRET.encode() + b"\0", "holds more than one line of printable ASCII"),
        (SECRET.encode() + "é".encode(), "holds more than one line of printable ASCII"),
        (SECRET.encode() * 1_000, "is longer than 4,096 bytes"),
    ],
)
def test_what_no_header_can_hold_is_told_without_repeating_it(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(BadPieces, match=problem) as error:
        joined((file,))
    assert str(error.value).startswith(str(file)) and SECRET not in str(error.value)


def test_a_file_that_is_not_there_or_cannot_be_read_again_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadPieces, match="cannot be read \\(no such file or directory\\)"):
        joined((tmp_path / "gone",))
    with pytest.raises(BadPieces, match="cannot be read \\(is a directory\\)"):
        joined((tmp_path,))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadPieces, match="is no file that could be read again"):
        joined((tmp_path / "pipe",))


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True)])
def test_a_secret_that_everybody_may_read_is_noticed(
    tmp_path: Path, mode: int, is_open: bool
) -> None:
    file = written(tmp_path)
    file.chmod(mode)
    assert open_to_all(file) is is_open
    assert not open_to_all(tmp_path / "gone")


def test_renewed_is_what_changed(tmp_path: Path) -> None:
    file = written(tmp_path)
    own = own_of(file)
    assert own.renew() == ([], [])
    file.write_text("another\n")
    assert own.renew() == (["Authorization"], [])
    assert own.fields == ((b"x-plain", b"p"), (b"Authorization", b"Bearer another"))
    assert own.files == [file]


# failures.md 24
@pytest.mark.parametrize("bad", [b"", b"two\nlines", None])
def test_what_cannot_be_used_leaves_the_one_before(tmp_path: Path, bad: bytes | None) -> None:
    file = written(tmp_path)
    own = own_of(file)
    before = own.fields
    file.unlink() if bad is None else file.write_bytes(bad)
    changed, (problem,) = own.renew()
    assert (changed, own.fields) == ([], before)
    assert problem.startswith(f"{file} ") and "two" not in problem
    assert scrubbed(problem) == problem  # the log would hide what follows a field's name


async def test_what_was_renewed_and_what_was_not_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    file = written(tmp_path)
    own = own_of(file)
    for content in (b"n3w-secret\n", b""):
        file.write_bytes(content)
        await renew_credentials({"team": own}, "SIGHUP")
    assert dict(own.fields)[b"Authorization"] == b"Bearer n3w-secret"
    assert [record.getMessage() for record in caplog.records] == [
        "credential for upstream team renewed (SIGHUP): Authorization",
        "credential for upstream team not renewed, the one before stays in use (SIGHUP): "
        f"{file} is empty (for Authorization)",
    ]
