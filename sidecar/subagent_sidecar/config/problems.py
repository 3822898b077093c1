"""What is wrong with the settings, each problem with the place where it was said."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..yaml_file import Document, load


class Problems:
    """Collected while settings are read, to be raised together."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.given: dict[str, str] = {}
        """The flags that settings were given by."""
        self.document: Document | None = None

    def open(self, file: Path) -> None:
        """Read `file`; what makes it unreadable is a problem like others."""
        try:
            self.document = load(file)
            self.found += self.document.problems
        except ConfigError as error:
            self.found += error.problems

    def add(self, key: str, text: str) -> None:
        where = self.given.get(key)
        if where is None:
            where = self.document.where(key) if self.document else key
        self.found.append(f"{where}: {text}")

    def read(self, key: str, value: Any, parse: Callable[[Any], Any]) -> Any:
        """`value` parsed; None where that is a problem."""
        try:
            return parse(value)
        except ValueError as error:
            self.add(key, str(error))
            return None
