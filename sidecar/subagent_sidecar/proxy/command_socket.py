"""The WebSocket that carries commands: those that would start a run wait until they may.

Everything else passes as it came. Whoever starts is asked as at every other door; a refusal goes
back as the server's own errors do, between two of its messages, and the command is not sent on.
What became of those that were sent is read from the server's replies.
"""

import asyncio
import json
import logging
from collections import deque
from dataclasses import dataclass
from secrets import token_bytes
from typing import Any

from ..core.model import Intent
from ..errors import SidecarError
from ..tasks import spawn
from . import door_answers, problems
from .calls import Call
from .door_bodies import Asked, asked
from .doors import Doors
from .frames import BadFrame, Listener, Message, Op, Sieve, closing, frame
from .marks import marked
from .telling import Telling

_log = logging.getLogger(__name__)

_LONGEST_REPLY = 64 * 1024
_REPLIES = frozenset({"success", "error"})


@dataclass(frozen=True, slots=True)
class _Sent:
    """A command on its way, of which the server has said nothing yet."""

    command: Asked
    intent: Intent


class CommandSocket:
    """Between a `client` and an `upstream` that have agreed on a WebSocket without extensions."""

    def __init__(
        self,
        call: Call,
        doors: Doors,
        telling: Telling,
        *,
        client: asyncio.Transport,
        upstream: asyncio.Transport,
    ) -> None:
        self._call = call
        self._doors = doors
        self._telling = telling
        self._client = client
        self._upstream = upstream
        self._sieve = Sieve(call.limits.inspect_limit)
        self._listener = Listener(_LONGEST_REPLY)
        self._sent: deque[_Sent] = deque()
        self._to_say = b""
        """Frames of our own for the client, until there is a place for them."""

    async def up(self, piece: bytes) -> None:
        """The client sent this."""
        try:
            for item in self._sieve.feed(piece):
                if isinstance(item, Message):
                    await self._message(item)
                else:
                    self._upstream.write(item)
        except BadFrame as error:
            self._end(error)

    async def down(self, piece: bytes) -> None:
        """The server sent this."""
        self._listener.listens = bool(self._sent)
        try:
            texts, place = self._listener.feed(piece)
        except BadFrame as error:
            self._end(error)
            return
        if self._to_say and place is not None:
            self._client.write(piece[:place] + self._to_say + piece[place:])
            self._to_say = b""
        else:
            self._client.write(piece)
        for text in texts:
            self._reply(text)

    def over(self) -> None:
        """The connection is gone. What was sent without a reply is to be found out."""
        for sent in self._sent:
            reason = "the WebSocket broke off before the server replied"
            self._doors.starts.doubt(self._call, sent.intent, reason, answered=False)
        self._sent.clear()

    async def _message(self, message: Message) -> None:
        command = asked(self._call.meaning, message.text)
        if command is None:
            self._upstream.write(message.raw)
            return
        try:
            self._doors.admits()
            await self._doors.starts.judge_webhook(self._call, message.text, command.thread_id)
            intent = await self._admitted(command)
        except SidecarError as error:
            self._refuse(command, error)
            return
        if self._upstream.is_closing():
            self._doors.starts.released(intent, "the WebSocket was closed before it was sent")
            return
        self._sent.append(_Sent(command, intent))
        self._upstream.write(self._marked(message, intent))

    async def _admitted(self, command: Asked) -> Intent:
        """A client that leaves meanwhile leaves no intent behind: nothing was sent."""
        starts = self._doors.starts
        admitting = spawn(
            starts.admit(self._call, command.said, command.thread_id, alone=False),
            name="admit command",
            awaited=True,
        )
        try:
            return await asyncio.shield(admitting)
        except asyncio.CancelledError:
            admitting.add_done_callback(self._release)
            raise

    def _release(self, admitting: "asyncio.Task[Intent]") -> None:
        if not admitting.cancelled() and admitting.exception() is None:
            self._doors.starts.released(admitting.result(), "the client left before it was sent")

    def _marked(self, message: Message, intent: Intent) -> bytes:
        if not self._call.target.inject:
            return message.raw
        text = marked(message.text, intent, request_id=True)
        return message.raw if text == message.text else frame(message.op, text, mask=_mask())

    def _refuse(self, command: Asked, error: SidecarError) -> None:
        request = self._call.request
        self._telling.tell(error, method=request.method, target=request.raw_target)
        _, _, body = problems.problem(error)
        _, answer = door_answers.refusal(self._call.meaning.act, command, body)
        self._say(frame(Op.TEXT, answer))

    def _reply(self, text: bytes) -> None:
        """A message of the server's; it may be an event, or the reply to a command."""
        try:
            reply: Any = json.loads(text)
        except (ValueError, RecursionError):
            return
        if not isinstance(reply, dict) or reply.get("type") not in _REPLIES:
            return
        for sent in self._sent:
            if sent.command.message_id == reply.get("id"):
                self._sent.remove(sent)
                act = self._call.meaning.act
                outcome = door_answers.told(act, sent.command, sent.intent, reply)
                self._doors.enter(self._call, sent.intent, outcome)
                return

    def _say(self, frames: bytes) -> None:
        if self._listener.between:
            self._client.write(frames)
        else:
            self._to_say += frames

    def _end(self, error: BadFrame) -> None:
        """Close both sides, saying why."""
        _log.info("a WebSocket is closed: %s", error.reason, extra={"action": "bad_frame"})
        self._say(closing(error))
        self._upstream.write(closing(error, mask=_mask()))
        self._upstream.close()


def _mask() -> bytes:
    """What a client's frame must be masked with (RFC 6455, 5.3)."""
    return token_bytes(4)
