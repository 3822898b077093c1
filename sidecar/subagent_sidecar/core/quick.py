"""Values that are frozen to the type checker and cheap to make.

A frozen dataclass assigns each field through `object.__setattr__`, which makes construction five
times as dear; a start makes a dozen values with a hundred and fifty fields. `@quick` above a
frozen dataclass gives it a plain `__init__` and takes the run-time guard away. mypy still sees the
frozen class and refuses every assignment, which is where such mistakes are found anyway.

Calling a class by keywords costs a dict of them, whatever its `__init__`; calling a function does
not, up to fifteen. So what is made with every start is made by a function, `made` of its class.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


def quick(cls: type[T]) -> type[T]:
    """`cls`, a frozen slotted dataclass without `__post_init__`, with a plain `__init__`."""
    known: dict[str, Any] = {}
    parameters, assignments = ["self"], []
    for field in fields(cls):  # type: ignore[arg-type, unused-ignore]
        if field.kw_only and "*" not in parameters:
            parameters.append("*")
        parameters.append(_parameter(field, known))
        assignments.append(f"    self.{field.name} = {_value(field)}")
    source = f"def __init__({', '.join(parameters)}):\n" + "\n".join(assignments)
    exec(source, known)
    known["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    cls.__init__ = known["__init__"]  # type: ignore[method-assign]
    _TWINS[cls] = _twin(cls)
    del cls.__setattr__, cls.__delattr__
    return cls


_TWINS: dict[type[Any], Callable[[Any], Any]] = {}


def made(cls: Callable[P, T]) -> Callable[P, T]:
    """A function that does what calling `cls`, a `quick` class, does, in half the time or less: to
    be kept, and called by keywords. With more than fifteen of them nothing is won."""
    known: dict[str, Any] = {"_new": object.__new__, "_cls": cls}
    parameters, lines = ["*"], []
    for field in fields(cls):  # type: ignore[arg-type]
        parameters.append(_parameter(field, known))
        lines.append(f"    self.{field.name} = {_value(field)}\n")
    source = f"def made({', '.join(parameters)}):\n    self = _new(_cls)\n"
    exec(f"{source}{''.join(lines)}    return self", known)
    maker: Callable[P, T] = known["made"]
    return maker


def changed(item: T, **values: object) -> T:
    """`item`, a value of a `quick` class, with other values in some fields. Like
    dataclasses.replace, which asks for every field by name and costs ten times as much."""
    twin: T = _TWINS[type(item)](item)
    for name, value in values.items():
        setattr(twin, name, value)
    return twin


def completed(item: object, **values: object) -> None:
    """Enter some fields of `item`, which has just been made: nobody else knows of it yet."""
    for name, value in values.items():
        setattr(item, name, value)


def _twin(cls: type[Any]) -> Callable[[Any], Any]:
    copies = "\n".join(f"    twin.{field.name} = item.{field.name}" for field in fields(cls))
    known: dict[str, Any] = {"new": object.__new__, "cls": cls}
    exec(f"def twin(item):\n    twin = new(cls)\n{copies}\n    return twin", known)
    made: Callable[[Any], Any] = known["twin"]
    return made


def _parameter(field: "Field[Any]", known: dict[str, Any]) -> str:
    if field.default_factory is not MISSING:
        known[f"_make_{field.name}"] = field.default_factory
        return f"{field.name}=None"
    if field.default is MISSING:
        return field.name
    known[f"_default_{field.name}"] = field.default
    return f"{field.name}=_default_{field.name}"


def _value(field: "Field[Any]") -> str:
    if field.default_factory is MISSING:
        return field.name
    return f"_make_{field.name}() if {field.name} is None else {field.name}"
