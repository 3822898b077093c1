"""What a run and its thread say of a task, and its answer as content that a model is shown.

Messages are read as LangChain reads them: the shapes of OpenAI and Anthropic, and LangChain's own
old and new ones, all become the new ones (`{"type": "image", "base64": ..., "mime_type": ...}`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Block = dict[str, Any]

MEDIA = frozenset({"image", "audio", "video", "file"})
_EMPTY = "(completed with no output messages)"
_DATA = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)
_FROM_THREAD = {"interrupted": "waiting", "busy": "running", "error": "error"}


def status(run: object, thread: object) -> str:
    """A task's status by its newest run, and by its thread where that one ended well: a run that
    stops to ask ends as `success`, and only its thread tells."""
    word = _word(run)
    if word == "interrupted":
        return "cancelled"
    if word != "success" or thread is None:
        return word
    return _FROM_THREAD.get(_word(thread), "success")


def moved_on(run: object, thread: object) -> bool:
    """Whether another run than this one must be looked at."""
    return _word(run) == "success" and _word(thread) in ("busy", "error")


def _word(of: object) -> str:
    found = of.get("status") if isinstance(of, Mapping) else None
    return found if isinstance(found, str) else ""


def interrupts(thread: object) -> list[Mapping[str, Any]]:
    """What a thread asks, in subgraphs too."""
    asked = thread.get("interrupts") if isinstance(thread, Mapping) else None
    if not isinstance(asked, Mapping):
        return []
    lists = (each for each in asked.values() if isinstance(each, list))
    return [one for each in lists for one in each if isinstance(one, Mapping)]


def answer(values: object) -> list[Block]:
    """The last message of a thread's values, as blocks of text and media."""
    messages = values.get("messages") if isinstance(values, Mapping) else None
    if not isinstance(messages, list) or not messages:
        return [_text(_EMPTY)]
    last = messages[-1]
    if not isinstance(last, Mapping):
        return [_text(str(last))]
    content = last.get("content")
    if isinstance(content, str):
        return [_text(content)] if content else []
    if isinstance(content, list):
        return [block for each in content if (block := _block(each)) is not None]
    return [] if content is None else [_text(str(content))]


def text(blocks: Sequence[Block]) -> str | None:
    """All of an answer that has no media in it; None of one that has."""
    if any(block["type"] in MEDIA for block in blocks):
        return None
    return "".join(block["text"] for block in blocks)


def _text(words: str) -> Block:
    return {"type": "text", "text": words}


def _block(part: object) -> Block | None:
    """None for what is not for the supervisor's model: thoughts, tool calls, what nobody knows."""
    if isinstance(part, str):
        return _text(part)
    if not isinstance(part, Mapping):
        return None
    match part.get("type"):
        case "text":
            words = part.get("text")
            return _text(words) if isinstance(words, str) else None
        case "image_url":
            return _image_url(part.get("image_url"))
        case "input_audio":
            return _input_audio(part.get("input_audio"))
        case "document":
            return _sourced("file", part)
        case "file" if isinstance(part.get("file"), Mapping):
            return _openai_file(part["file"])
        case str() as kind if kind in MEDIA:
            return _sourced(kind, part)
        case _:
            return None


def _sourced(kind: str, part: Mapping[str, Any]) -> Block | None:
    """Anthropic's `source`, LangChain's old `source_type`, or the standard shape already."""
    source = part.get("source")
    if isinstance(source, Mapping):
        if source.get("type") == "url":
            return {"type": kind, "url": source.get("url")}
        if source.get("type") == "base64":
            return _inline(kind, source.get("data"), source.get("media_type"))
        return None
    match part.get("source_type"):
        case "base64":
            return _inline(kind, part.get("data"), part.get("mime_type"))
        case "url":
            return {"type": kind, "url": part.get("url")}
        case None:
            return dict(part)
        case _:
            return None


def _inline(kind: str, data: object, mime_type: object) -> Block:
    block = {"type": kind, "base64": data}
    return block if mime_type is None else {**block, "mime_type": mime_type}


def _image_url(given: object) -> Block | None:
    url = given.get("url") if isinstance(given, Mapping) else None
    if not isinstance(url, str):
        return None
    data = _DATA.fullmatch(url)
    return {"type": "image", "url": url} if data is None else _inline("image", data[2], data[1])


def _input_audio(given: object) -> Block | None:
    if not isinstance(given, Mapping):
        return None
    return _inline("audio", given.get("data"), f"audio/{given.get('format', 'wav')}")


def _openai_file(given: Mapping[str, Any]) -> Block | None:
    data = _DATA.fullmatch(str(given.get("file_data", "")))
    if data is None:
        return None
    name = given.get("filename")
    block = _inline("file", data[2], data[1])
    return {**block, "extras": {"filename": name}} if isinstance(name, str) else block
