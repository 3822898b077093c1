"""Which header fields say who a caller is: by their names, since nobody knows every server's."""

import re

_SECRET = re.compile(
    r"authorization|cookie|secret|passw|credential|jwt|bearer|assertion|api-?key"
    r"|token(?:$|-)|(?:^|-)key$"
)
_NO_SECRETS = frozenset({"idempotency-key", "sec-websocket-key"})
_WHO = frozenset(
    {
        "x-tenant-id",
        "x-user-id",
        "x-organization-id",
        "x-forwarded-user",
        "x-forwarded-email",
        "x-forwarded-groups",
        "x-forwarded-preferred-username",
        "x-forwarded-client-cert",
        "x-remote-user",
        "remote-user",
    }
)
"""What LangSmith takes for a caller beside a key, and what authenticating proxies say of one."""
_WHO_WORDS = re.compile(r"(?:^|-)auth(?:entication)?(?:$|-)")


def is_secret(name: str) -> bool:
    """Whether the value of such a field lets in whoever has it."""
    low = _plain(name)
    return _SECRET.search(low) is not None and low not in _NO_SECRETS


def tells_who(name: str) -> bool:
    """Whether a server may go by such a field when it decides who asks; secret or not."""
    low = _plain(name)
    return low in _WHO or is_secret(low) or _WHO_WORDS.search(low) is not None


def _plain(name: str) -> str:
    """Behind CGI and its kin, which know no dashes, `_` and `-` are the same."""
    return name.lower().replace("_", "-")
