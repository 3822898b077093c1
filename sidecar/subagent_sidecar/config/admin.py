"""Who gets in at the admin plane: `admin_tokens` of the config file, and the one of the
environment. No token stands in a file that may be shown."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import config_values as parse
from ..admin_tokens import AdminToken, digest, digest_in, said
from ..config_values import Address
from ..core.roles import Role
from .problems import Problems
from .unknown import unknown

VARIABLE = "SUBAGENT_SIDECAR_ADMIN_TOKEN"
_ITS_NAME = "admin"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}")
_NOBODY = "anonymous"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_KEYS = ("role", "token", "token_file")
_NOT_HERE = (
    "a token does not stand in this file, which is shown and copied: write ${VARIABLE} for one of "
    "the environment, or name a `token_file`"
)


class AdminTokenReader:
    """`folder` is where relative paths begin."""

    def __init__(self, problems: Problems, environ: Mapping[str, str], folder: Path) -> None:
        self._problems = problems
        self._environ = environ
        self._folder = folder

    def tokens(self, given: Any) -> tuple[AdminToken, ...]:
        """Those of the file, and the one of the environment in the place of its namesake."""
        if not isinstance(given, dict):
            self._problems.add("admin_tokens", "must map names to a `role` and a token")
            given = {}
        found: dict[str, AdminToken] = {}
        for name, body in given.items():
            if (token := self._token(name, body)) is not None:
                found[token.name] = token
        if (own := self._of_environment()) is not None:
            found[own.name] = own
        self._tell_of_twins(found)
        return tuple(found.values())

    def _token(self, name: Any, body: Any) -> AdminToken | None:
        place = f"admin_tokens.{name}"
        try:
            if not isinstance(name, str) or not _NAME.fullmatch(name) or name == _NOBODY:
                raise ValueError(
                    "a name has letters, digits, '_', '.', '-', '@', at most 63 of them, and is "
                    f"not '{_NOBODY}'"
                )
            if not isinstance(body, dict):
                raise ValueError("must be a mapping with a `role`, and `token` or `token_file`")
            for key in body.keys() - set(_KEYS):
                place = f"admin_tokens.{name}.{key}"
                raise ValueError(unknown(key, _KEYS))
            if ("token" in body) == ("token_file" in body):
                raise ValueError("`token` or `token_file` has to be there, and not both")
            place = f"admin_tokens.{name}.role"
            role = _role(body.get("role"))
            place = f"admin_tokens.{name}.{'token' if 'token' in body else 'token_file'}"
            return self._read(name, role, body)
        except ValueError as error:
            self._problems.add(place, str(error))
            return None

    def _read(self, name: str, role: Role, body: Mapping[str, Any]) -> AdminToken:
        if "token" in body:
            return AdminToken(name=name, role=role, digest=self._referred_to(body["token"]))
        given = body["token_file"]
        if not isinstance(given, str) or not given or "\0" in given:
            raise ValueError("must be the path of a file")
        file = self._folder / given
        try:
            return AdminToken(name=name, role=role, digest=digest_in(file), file=file)
        except (OSError, ValueError) as error:
            raise ValueError(said(file, error)) from error

    def _referred_to(self, given: Any) -> bytes:
        """Never repeats what was given: it may be a token."""
        reference = _REFERENCE.fullmatch(given) if isinstance(given, str) else None
        if reference is None:
            raise ValueError(_NOT_HERE)
        if reference[1] not in self._environ:
            raise ValueError(f"the environment has no {reference[1]}")
        try:
            return digest(self._environ[reference[1]])
        except ValueError as error:
            raise ValueError(f"the token in {reference[1]} {error}") from error

    def _of_environment(self) -> AdminToken | None:
        given = self._environ.get(VARIABLE)
        if given is None:
            return None
        try:
            return AdminToken(name=_ITS_NAME, role=Role.ADMIN, digest=digest(given))
        except ValueError as error:
            self._problems.found.append(f"{VARIABLE}: the token {error}")
            return None

    def _tell_of_twins(self, found: Mapping[str, AdminToken]) -> None:
        """Of one token it must be known whose it is."""
        first: dict[bytes | None, str] = {}
        for name, token in found.items():
            if (twin := first.setdefault(token.digest, name)) != name:
                self._problems.add(f"admin_tokens.{name}", f"has the same token as '{twin}'")


def _role(given: Any) -> Role:
    try:
        return Role(given)
    except ValueError as error:
        raise ValueError(f"must be one of: {', '.join(Role)}") from error


def check_admin(listen: Address, tokens: Sequence[AdminToken], problems: Problems) -> None:
    """Without tokens whoever reaches the port is an admin, so nobody from elsewhere may."""
    if not tokens and not parse.is_loopback(listen):
        problems.add(
            "admin_listen",
            f"{listen.host} is not a loopback address, and without a token everyone who reaches "
            "the port could read all records and cancel everything. Listen on 127.0.0.1, or say "
            f"who may come in: {VARIABLE} is one token, `admin_tokens` has several",
        )
