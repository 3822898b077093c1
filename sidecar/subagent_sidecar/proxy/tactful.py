"""What both planes' listeners do about requests that nobody can read.

aiohttp quotes them, tokens included, in its answers and in its log.
"""

import logging
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from ..errors import RequestError
from . import problems
from .headers import Field
from .trailers import Untrailed

_log = logging.getLogger(__name__)


class TactfulHandler(Untrailed):
    """aiohttp's connection, but that it keeps to itself what it was sent."""

    __slots__ = ()

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """A body that broke off or made no sense is its sender's affair."""
        if isinstance(kwargs.get("exc_info"), web.RequestPayloadError | ConnectionError):
            _log.debug("the rest of a request body was not readable")
        else:
            super().log_exception(*args, **kwargs)


def websocket_is_named(headers: Mapping[str, str]) -> bool:
    """Whether the protocol to upgrade to is the one that aiohttp's parser stops for. (The Kelvin
    sign is a K in lower case.)"""
    named = headers.get("upgrade", "")
    return named.isascii() and named.lower() == "websocket"


def is_last_for_its_upgrade(request: web.BaseRequest) -> bool:
    """Whether nothing may be read behind this: of what has come behind a request for another
    protocol aiohttp drops a part, and would read on in the middle of a request."""
    return bool(request._message.upgrade) and not websocket_is_named(request.headers)


def unreadable(status: int, error: BaseException | None) -> tuple[int, list[Field], bytes]:
    """What is answered to what the parser did not understand: nobody is told what that was.
    Raises a ConnectionError again: there is no one left to answer."""
    if isinstance(error, ConnectionError):
        raise error
    if status == 400 or error is None:
        error = RequestError("this is not a well-formed HTTP/1.1 request")
    return problems.problem(error)
