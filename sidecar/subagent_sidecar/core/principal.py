"""Who asks."""

from dataclasses import dataclass

from .quick import quick


@quick
@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody on the data plane. `supervisor` is what policies and records call them, `agents`
    are globs of those they may start, and with `every_task` no task is hidden from them."""

    supervisor: str
    agents: tuple[str, ...] = ("*",)
    every_task: bool = False

    @property
    def only(self) -> tuple[str, ...]:
        """`agents` where they leave anybody out; empty: all may be started."""
        return () if "*" in self.agents else self.agents

    def sees(self, supervisor: str) -> bool:
        """Whether a task of `supervisor` is there for them."""
        return self.every_task or self.supervisor == supervisor


ANONYMOUS = Principal("anonymous", every_task=True)
"""Everybody, where there are no keys."""
