"""Requests as bytes."""

from collections.abc import AsyncIterator, Awaitable, Callable

from ..errors import RequestError
from ..ports import Outgoing, as_written


def encode(request: Outgoing) -> bytes:
    """The head of `request`, and its body too when that is bytes, for one single write.

    The only fields added are the framing ones. Raises RequestError when a line break hides in the
    head: whatever let it through, it must not become a second request on a kept connection.
    """
    body = request.body
    written = request.written
    if written is None:
        written = as_written(request.headers)
    lines = len(request.headers) + 3
    if isinstance(body, bytes):
        framing = b"Content-Length: %d\r\n" % len(body)
    elif body is None:
        framing = b""
        lines -= 1
    elif request.length is not None:
        framing = b"Content-Length: %d\r\n" % request.length
    else:
        framing = b"Transfer-Encoding: chunked\r\n"
    head = b"%b %b HTTP/1.1\r\n%b%b\r\n" % (request.method, request.target, written, framing)
    if not head.count(b"\n") == lines == head.count(b"\r"):
        raise RequestError("the request line or a header field holds a line break")
    return head + body if isinstance(body, bytes) else head


async def send_body(
    body: AsyncIterator[bytes],
    length: int | None,
    write: Callable[[bytes], None],
    drain: Callable[[], Awaitable[None]],
) -> None:
    """Write a streamed body, chunked unless `length` was declared, at the pace of the server.

    Raises ValueError when `body` does not keep to `length`; nothing beyond it is written.
    """
    left = length
    async for piece in body:
        if not piece:
            continue  # an empty chunk would end the body
        if left is None:
            write(b"%x\r\n%b\r\n" % (len(piece), piece))
        elif (left := left - len(piece)) >= 0:
            write(piece)
        else:
            raise ValueError("the request body is longer than its declared length")
        await drain()
    if left is None:
        write(b"0\r\n\r\n")
    elif left:
        raise ValueError("the request body is shorter than its declared length")
