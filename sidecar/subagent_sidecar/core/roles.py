"""Who asks the admin plane, and what they may."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Each may do what those before it may."""

    VIEWER = "viewer"
    """Reads all that is on record, and changes nothing."""
    OPERATOR = "operator"
    """Ends tasks and sessions, freezes, raises budgets, uses the tools."""
    ADMIN = "admin"
    """Decides what is in force and who gets in."""

    def may(self, needed: "Role") -> bool:
        """Whether it is enough for what needs `needed`."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class AdminCaller:
    """`name` is that of a token, or of nobody in particular."""

    name: str
    role: Role


EVERYBODY = AdminCaller("anonymous", Role.ADMIN)
"""Where there are no tokens."""
