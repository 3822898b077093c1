"""Reading what an answer tells about runs and threads, without touching it."""

import re
import zlib
from collections.abc import Sequence
from typing import Annotated, Any, TypeGuard

import msgspec

from ..core.quick import made
from ..core.wire import ids_in_location
from ..ports import Headers, ServerRun
from .headers import first

PEEK_LIMIT = 8 * 1024 * 1024
"""Longer answers are passed on unread."""

_LONGEST_ID = 256
"""Longer ones are no ids: nobody could ask for them by path."""

_RUN_ID = re.compile(rb'"run_id"\s*:\s*"([0-9A-Za-z_-]{1,64})"')


_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=_LONGEST_ID)]


class _UsualRun(msgspec.Struct):
    """A run with everything as it should be: the decoder looks after that."""

    run_id: _Id
    thread_id: _Id
    status: str
    created_at: str | None = None


class _Run(msgspec.Struct):
    run_id: str
    status: Any = None
    thread_id: Any = None
    created_at: Any = None


class _Thread(msgspec.Struct):
    thread_id: str
    status: Any = None


class _Cron(msgspec.Struct):
    cron_id: str


_new_run = made(ServerRun)
_USUAL_RUN = msgspec.json.Decoder(_UsualRun)
_RUN = msgspec.json.Decoder(_Run)
_RUNS = msgspec.json.Decoder(list[_Run])
_THREAD = msgspec.json.Decoder(_Thread)
_THREADS = msgspec.json.Decoder(list[_Thread])
_CRON = msgspec.json.Decoder(_Cron)
_ERRORS = (msgspec.DecodeError, UnicodeError, RecursionError)


def readable(body: bytes, headers: Headers) -> bytes | None:
    """The body in plain, or None where it is encoded in a way we do not read. Never inflates to
    more than PEEK_LIMIT."""
    encoding = (first(headers, b"content-encoding") or b"identity").strip().lower()
    if encoding == b"identity":
        return body
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        return None
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = inflater.decompress(body, PEEK_LIMIT)
    except zlib.error:
        return None
    return plain if inflater.eof else None


def run_in(body: bytes, headers: Headers) -> ServerRun | None:
    """The run an answer holds. As usual it is in plain: that is tried first."""
    found = run(body)
    if found is None and (plain := readable(body, headers)) is not None and plain is not body:
        found = run(plain)
    return found


def run(body: bytes) -> ServerRun | None:
    """The run a body holds."""
    try:
        found = _USUAL_RUN.decode(body)
    except msgspec.ValidationError:
        return _odd_run(body)
    except _ERRORS:
        return None
    return _new_run(
        run_id=found.run_id,
        thread_id=found.thread_id,
        status=found.status,
        created_at=found.created_at,
    )


def _odd_run(body: bytes) -> ServerRun | None:
    """Likewise, whatever else is missing or of another kind."""
    try:
        found = _RUN.decode(body)
    except _ERRORS:
        return None
    return _server_run(found) if _is_id(found.run_id) else None


def runs(body: bytes) -> Sequence[ServerRun]:
    """The runs a body lists, in its order."""
    try:
        return [_server_run(item) for item in _RUNS.decode(body) if _is_id(item.run_id)]
    except _ERRORS:
        return ()


def _server_run(item: _Run) -> ServerRun:
    made = item.created_at
    return ServerRun(
        run_id=item.run_id,
        thread_id=item.thread_id if _is_id(item.thread_id) else "",
        status=item.status if isinstance(item.status, str) else "",
        created_at=made if isinstance(made, str) else None,
    )


def thread(body: bytes) -> tuple[str, object] | None:
    """(thread id, status word) of a thread."""
    try:
        found = _THREAD.decode(body)
    except _ERRORS:
        return None
    return (found.thread_id, found.status) if _is_id(found.thread_id) else None


def threads(body: bytes) -> Sequence[tuple[str, object]]:
    try:
        listed = _THREADS.decode(body)
    except _ERRORS:
        return ()
    return [(item.thread_id, item.status) for item in listed if _is_id(item.thread_id)]


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID


def cron_id(body: bytes) -> str | None:
    try:
        return _CRON.decode(body).cron_id
    except _ERRORS:
        return None


def run_in_headers(headers: Headers) -> tuple[str | None, str | None]:
    """(thread id, run id) of `Content-Location`; both None where it is missing."""
    location = first(headers, b"content-location")
    return (None, None) if location is None else ids_in_location(location.decode("latin-1"))


def run_id_in_stream(begin: bytes) -> str | None:
    """The run id in the first event of a stream, for servers that send no Content-Location."""
    found = _RUN_ID.search(begin)
    return found[1].decode() if found else None
