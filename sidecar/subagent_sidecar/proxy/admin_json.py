"""JSON in and out of the admin plane.

A POST must say `content-type: application/json`: a page in a browser cannot send that to another
origin without asking first, and the admin plane answers no such question.
"""

import asyncio
import json
from typing import Any

from aiohttp import web

from ..errors import BadBody, BodyTimeout, BodyTooLarge, NotJson
from .admin_about import BODY

BODY_TIMEOUT = web.AppKey("body_timeout", float)
"""How many seconds a body may take."""


async def json_body(request: web.Request, known: frozenset[str]) -> dict[str, Any]:
    """The object in the body, empty for none. Raises NotJson, BadBody, BodyTimeout and
    BodyTooLarge."""
    if request.content_type != "application/json":
        raise NotJson("send this with content-type: application/json")
    try:
        async with asyncio.timeout(request.app.get(BODY_TIMEOUT)):
            text = await request.read()
    except TimeoutError as error:
        raise BodyTimeout("the body did not come within `body_timeout`") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise BodyTooLarge("the body is too large: a MiB is the most") from error
    try:
        body = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        raise BadBody("the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadBody("the body must be a JSON object")
    request[BODY] = body
    for unknown in body.keys() - known:
        listed = ", ".join(sorted(known)) or "nothing"
        raise BadBody(f"'{unknown[:80]}' is not known here; there are: {listed}")
    return body


def answer(value: Any, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=json.dumps(value).encode(), content_type="application/json"
    )
