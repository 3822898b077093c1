"""Requests as bytes."""

from collections.abc import AsyncIterator, Awaitable, Callable

from ..errors import RequestError
from ..ports import Outgoing


def encode(request: Outgoing) -> bytes:
    """The head of `request`, and its body too when that is bytes, for one single write.

    The only fields added are the framing ones. Raises RequestError when a line break hides in the
    head: whatever let it through, it must not become a second request on a kept connection.
    """
    body = request.body
    lines = [b"%b %b HTTP/1.1" % (request.method, request.target)]
    lines += map(b": ".join, request.headers)
    if isinstance(body, bytes):
        lines.append(b"Content-Length: %d" % len(body))
    elif body is not None and request.length is not None:
        lines.append(b"Content-Length: %d" % request.length)
    elif body is not None:
        lines.append(b"Transfer-Encoding: chunked")
    lines.append(b"\r\n")
    head = b"\r\n".join(lines)
    if not head.count(b"\n") == len(lines) == head.count(b"\r"):
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
