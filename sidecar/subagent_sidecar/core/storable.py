"""Text from outside, made fit for the record."""

_NAME = 256


def name(value: object) -> str | None:
    """A storable name: text without surrogates, at most 256 characters."""
    if not isinstance(value, str) or not value:
        return None
    return (value if value.isascii() else storable(value))[:_NAME]


def storable(text: str) -> str:
    """`text` without lone surrogates, which neither SQLite nor OTLP can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
