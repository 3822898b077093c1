"""Secrets that stand in a file each: they are read, and never repeated."""

import stat
from pathlib import Path

_LONGEST = 4_096


def _content(file: Path) -> bytes:
    """Raises OSError, and ValueError with a text that follows the file's name; so do all below."""
    mode = file.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ValueError("is no file that could be read again")
    with file.open("rb") as opened:
        content = opened.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise ValueError(f"is longer than {_LONGEST:,} bytes")
    return content


def text_in(file: Path) -> str:
    """What stands in a file, byte by byte, less the line ends that editors put there."""
    return _content(file).decode("latin-1").rstrip("\r\n")


def utf8_in(file: Path) -> str:
    """What stands in a file that may hold several secrets."""
    try:
        return _content(file).decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None  # the error has the bytes


def secret_in(file: Path) -> str:
    """The same, if a header can hold it."""
    text = text_in(file)
    if not text.strip(" "):
        raise ValueError("is empty")
    if not text.isascii() or not text.isprintable():
        raise ValueError("holds more than one line of printable ASCII characters")
    return text


def said(file: Path, error: OSError | ValueError) -> str:
    """What is wrong with a file, or with what stands in it."""
    if isinstance(error, OSError):
        return f"{file} cannot be read ({(error.strerror or 'no file').lower()})"
    return f"{file} {error}"


def open_to_all(file: Path) -> bool:
    """Whether every user of this machine may read it."""
    try:
        return bool(file.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
