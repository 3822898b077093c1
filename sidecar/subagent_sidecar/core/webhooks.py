"""Webhooks that requests ask an agent server for: which there are, and where they lead. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

_PUSHED = ("pushNotificationConfig", "taskPushNotificationConfig", "push_notification_config")
_MARKS = (b"webhook", b"ushNotificationConfig", b"push_notification_config", b"\\u", b"\0")
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")


class UnclearWebhook(ValueError):
    """Two readers could take it for two places."""


def webhooks(body: bytes) -> list[Any]:
    """Whatever a body names as a webhook: of a run, a cron, each run of a batch, a command, or a
    message of A2A. Raises ValueError where it cannot be told."""
    if all(body.find(each) < 0 for each in _MARKS):
        return []  # the name cannot be in it, whichever way it were spelt, or encoded
    try:
        return [each for each in _named(json.loads(body)) if each is not None]
    except RecursionError as error:
        raise ValueError("the body is nested too deeply") from error


def _named(message: Any) -> Iterator[Any]:
    for each in message if isinstance(message, list) else [message]:
        if isinstance(each, dict):
            yield each.get("webhook")
            if isinstance(params := each.get("params"), dict):
                yield params.get("webhook")
                yield from _pushed(params.get("configuration"))


def _pushed(configuration: Any) -> Iterator[Any]:
    """Where an A2A message wants news of its task, on servers that send any."""
    for name in _PUSHED if isinstance(configuration, dict) else ():
        if isinstance(push := configuration.get(name), dict):
            yield push.get("url")


def host_of(webhook: Any) -> str:
    """The host that it leads to. Raises UnclearWebhook for what is no plain URL: a path (the server
    itself), user names, white space, backslashes, anything but ASCII."""
    if not isinstance(webhook, str) or not re.fullmatch(r"[!-\[\]-~]+", webhook):
        raise UnclearWebhook("it is no plain URL")
    try:
        url = urlsplit(webhook)
        port = url.port
    except ValueError as error:
        raise UnclearWebhook("it is no plain URL") from error
    if url.scheme.lower() not in ("http", "https"):
        raise UnclearWebhook("it is no http or https URL with a host")
    host = url.netloc.lower().removesuffix(f":{port}") if port is not None else url.netloc.lower()
    if not _HOST.fullmatch(host):
        raise UnclearWebhook("its host is not a plain one")
    return host.strip("[]")
