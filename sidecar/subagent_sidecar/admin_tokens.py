"""The tokens of the admin plane: what is good enough for one, and whose one is.

No token is kept: what is held is compared as digests, made with a key of this process alone, and
with all of them each time, so that neither the memory nor the time an answer takes tells of any.
"""

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path

from . import secret_files
from .core.roles import AdminCaller, Role
from .secret_files import text_in

SHORTEST = 16
_FEWEST_CHARACTERS = 6
_KEY = secrets.token_bytes(32)
_MAKE_ONE = "`openssl rand -base64 32` makes one"


def digest(token: str) -> bytes:
    """What is held of a token. Raises ValueError where it is none that could be sent, or one that
    could be guessed; the text follows "the token"."""
    if not token:
        raise ValueError(f"is empty; {_MAKE_ONE}")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("may hold only printable ASCII characters and no space")
    if len(token) < SHORTEST:
        raise ValueError(f"has fewer than {SHORTEST} characters and can be guessed; {_MAKE_ONE}")
    if len(set(token)) < _FEWEST_CHARACTERS:
        raise ValueError(f"repeats itself and can be guessed; {_MAKE_ONE}")
    return _digest(token)


def _digest(presented: str) -> bytes:
    return blake2b(presented.encode("utf-8", "surrogateescape"), key=_KEY).digest()


def digest_in(file: Path) -> bytes:
    """The same of what stands in a file, which may end with a line end. Raises OSError and
    ValueError."""
    return digest(text_in(file))


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminToken:
    """`digest` is None where its file is gone: then it lets nobody in."""

    name: str
    role: Role
    digest: bytes | None = field(repr=False)
    file: Path | None = None


class AdminTokens:
    """Those that are in force. None at all: whoever asks may do everything."""

    def __init__(self, tokens: Sequence[AdminToken] = ()) -> None:
        self._tokens = tuple(tokens)

    @property
    def needed(self) -> bool:
        """Whether nobody gets in without one; never true or false in turn."""
        return bool(self._tokens)

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(token.file for token in self._tokens if token.file is not None)

    def caller(self, presented: str) -> AdminCaller | None:
        """Whose token that is."""
        return self.whose(_digest(presented))

    def standing(self, presented: str) -> "Standing":
        return Standing(self, _digest(presented))

    def whose(self, shown: bytes) -> AdminCaller | None:
        """By its digest."""
        found = None
        for token in self._tokens:
            if hmac.compare_digest(token.digest or b"", shown):
                found = AdminCaller(token.name, token.role)
        return found

    def renew(self) -> "Renewal":
        """Read the files again."""
        done = Renewal()
        found: dict[bytes, str] = {}
        renewed = [self._renewed(token, found, done) for token in self._tokens]
        self._tokens = tuple(renewed)
        return done

    def _renewed(self, token: AdminToken, found: dict[bytes, str], done: "Renewal") -> AdminToken:
        """`found` says whose those are that were read before: of one it must be known."""
        new = _read_again(token, done)
        if new.digest is not None:
            owner = found.setdefault(new.digest, new.name)
            if owner != new.name:
                done.problems.append(f"'{new.name}' has the token of '{owner}', and lets nobody in")
                return replace(new, digest=None)
        if new != token:
            (done.gone if new.digest is None else done.changed).append(new.name)
        return new


@dataclass(frozen=True, slots=True)
class Standing:
    """Tells whether a token that was good once is good still, without holding it."""

    _tokens: AdminTokens
    _digest: bytes = field(repr=False)

    def lasts(self) -> bool:
        return self._tokens.whose(self._digest) is not None


@dataclass(frozen=True, slots=True)
class Renewal:
    """The names of tokens that are others now, and of those that let nobody in any more because
    their file is gone; and a sentence for everything that cannot be used: there it is as it was."""

    changed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def _read_again(token: AdminToken, done: Renewal) -> AdminToken:
    if token.file is None:
        return token
    try:
        return replace(token, digest=digest_in(token.file))
    except FileNotFoundError:
        return replace(token, digest=None)
    except (OSError, ValueError) as error:
        done.problems.append(f"'{token.name}': {said(token.file, error)}")
        return token


def said(file: Path, error: OSError | ValueError) -> str:
    """What is wrong with a file, or with the token in it."""
    if isinstance(error, OSError):
        return secret_files.said(file, error)
    return f"the token in {file} {error}"
