"""What must not be shown, taken out of what is: the one place that knows how secrets look.

Most of them never come near: headers, bodies and queries are not logged, stored or quoted at all.
This is for what is quoted (URLs, paths, flags), and the last look at every log line, since texts of
others (exceptions, and the tracebacks they bring) may hold anything.
"""

import re
from typing import Final

HIDDEN: Final = "<hidden>"

_USERINFO = re.compile(r"(?<=://)[^\s'\"<>]*@")
_FIELD = re.compile(
    r"(?i)\b((?:proxy-)?authorization|x-api-key|x-subagent-key|(?:set-)?cookie)"
    r"(b?['\"]?\s*[:=,]\s*(?:b?['\"])?)[^\r\n'\"]+"
)
_SCHEME = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}")
_KEY = re.compile(r"(?i)\bssk_[a-z0-9_]{4,}")
_PARAMETER = re.compile(
    r"(?i)([?&](?:token|key|sig|signature|secret|password|access_token|api[_-]?key)=)[^&\s'\"#]+"
)


def url(text: str) -> str:
    """A URL, or what was meant to be one, without a name and password in it and without a query."""
    return _USERINFO.sub(f"{HIDDEN}@", text).partition("?")[0]


def path(target: str) -> str:
    """The path of a request target, in whichever form it came."""
    return _KEY.sub(f"ssk_{HIDDEN}", url(target))[:200]


def scrubbed(text: str) -> str:
    """`text` of any kind, without what looks like a credential."""
    text = _USERINFO.sub(f"{HIDDEN}@", text)
    text = _FIELD.sub(rf"\1\2{HIDDEN}", text)
    text = _SCHEME.sub(rf"\1 {HIDDEN}", text)
    text = _KEY.sub(f"ssk_{HIDDEN}", text)
    return _PARAMETER.sub(rf"\1{HIDDEN}", text)
