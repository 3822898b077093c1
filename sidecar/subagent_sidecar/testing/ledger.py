"""What a fake server was sent, and what it took on."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came off the wire: nothing decoded, nothing normalised."""

    method: str
    raw_path: str
    raw_query: str
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    at: datetime

    def header(self, name: str) -> str | None:
        """The first value of a header field, whatever its case."""
        wanted = name.lower().encode()
        return next((v.decode() for k, v in self.raw_headers if k.lower() == wanted), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One run the server accepted. `request_id` is the x-request-id header as sent, if any."""

    run_id: str
    thread_id: str
    request_id: str | None
    body_sha256: str
    at: str


class Ledger:
    """Every run ever accepted, in order; also those deleted since.

    With a path it is appended to a file line by line and flushed, so that another process can read
    it and a kill of this one loses nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._entries: list[LedgerEntry] = []
        self._file: TextIO | None = None if path is None else path.open("a", encoding="utf-8")

    def accept(
        self, *, run_id: str, thread_id: str, request_id: str | None, body: bytes, at: datetime
    ) -> None:
        entry = LedgerEntry(
            run_id=run_id,
            thread_id=thread_id,
            request_id=request_id,
            body_sha256=hashlib.sha256(body).hexdigest(),
            at=at.isoformat(),
        )
        self._entries.append(entry)
        if self._file is not None:
            self._file.write(json.dumps(asdict(entry)) + "\n")
            self._file.flush()

    def __iter__(self) -> Iterator[LedgerEntry]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def run_ids(self) -> list[str]:
        return [entry.run_id for entry in self._entries]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def read_ledger(path: Path) -> list[LedgerEntry]:
    """The ledger another process wrote to `path`."""
    return [LedgerEntry(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
