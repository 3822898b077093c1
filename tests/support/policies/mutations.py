"""What happens to text that is edited by many hands at once."""

import random

_ODD = "{}[]:,-&*!|>'\"#%@`~\t\n\0\x85\ufeff\ud800é0.9"
_PIECES = [
    "null",
    "[]",
    "{}",
    "true",
    ".nan",
    "-1",
    "0",
    "1e400",
    "&a",
    "*a",
    "<<: *a",
    "!!int",
    "- ",
]


def mutated(text: str, chance: random.Random) -> str:
    """`text` with a few pieces lost, doubled, swapped or replaced."""
    for _ in range(chance.randint(1, 4)):
        at, size = chance.randrange(len(text)), chance.choice([1, 1, 5, 40])
        piece = text[at : at + size]
        match chance.randrange(5):
            case 0:
                text = text[:at] + text[at + size :]
            case 1:
                text = text[:at] + piece + piece + text[at + size :]
            case 2:
                text = text[:at] + chance.choice(_ODD) + text[at:]
            case 3:
                text = text[:at] + chance.choice(_PIECES) + text[at + size :]
            case _:
                lines = text.splitlines(keepends=True)
                chance.shuffle(lines)
                text = "".join(lines) if chance.random() < 0.1 else text.replace(piece, "", 1)
        text = text or "x"
    return text
