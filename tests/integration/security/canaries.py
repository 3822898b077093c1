"""Secrets that are planted in everything that comes in, each a word of its own."""

from enum import StrEnum


class Canary(StrEnum):
    """Where it is planted."""

    AUTHORIZATION = "c4nary-authorization"
    API_KEY = "c4nary-api-key"
    COOKIE = "c4nary-cookie"
    PROXY = "c4nary-proxy-authorization"
    OWN_HEADER = "c4nary-header-of-some-gateway"
    QUERY = "c4nary-query-token"
    USERINFO = "c4nary-userinfo"
    MALFORMED = "c4nary-malformed-header"
    UPSTREAM_KEY = "c4nary-key-of-the-upstream"
    UPSTREAM_FILE = "c4nary-file-of-the-upstream"
    UPSTREAM_FILE_CUT = "c4nary-file-that-cannot-be-used"
    POLICY_FILE = "c4nary-policy-file"
    OTLP_HEADER = "c4nary-otlp-header"
    ADMIN_TOKEN = "c4nary-admin-token"
    SET_COOKIE = "c4nary-set-cookie"
    SERVER_ERROR = "c4nary-error-of-the-server"
    NONSENSE = "c4nary-nonsense-of-the-server"
    PROMPT = "c4nary-prompt"
    RESULT = "c4nary-result"


def found_in(what: bytes) -> set[str]:
    """The names of those that are in there."""
    return {canary.name for canary in Canary if canary.encode() in what}


def plain(credentials: bool = True) -> bytes:
    """Header lines of a client that has every kind of credential."""
    if not credentials:
        return b"Host: a\r\n"
    return (
        f"Host: a\r\nAuthorization: Bearer {Canary.AUTHORIZATION}\r\n"
        f"X-Api-Key: {Canary.API_KEY}\r\nCookie: session={Canary.COOKIE}\r\n"
        f"Proxy-Authorization: Basic {Canary.PROXY}\r\nX-Gateway-Token: {Canary.OWN_HEADER}\r\n"
    ).encode()
