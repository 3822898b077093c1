"""What the user says in the demo and what the supervisor's model does about it: pure, no model.

The model behind the supervisor is scripted, the conversation is not: `next_move` reads what really
came back from the tools and goes on from there, with the task ids it finds in the answers.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

_TASK_ID = re.compile(r"task_id: (\S+)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the conversation; for a tool's answer also which tool, and called with what."""

    who: Literal["user", "model", "tool"]
    text: str
    tool: str = ""
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """One tool call. `about` is the agent whose task id is put in as `task_id`.

    `again_while` is the status on which the model asks once more instead of going on.
    """

    tool: str
    args: Mapping[str, str]
    about: str = ""
    again_while: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What one line of the user sets off.

    With `reports_on` the answer is the result of that agent's task, and the user asks again until
    there is one.
    """

    user: str
    moves: tuple[Move, ...]
    answer: str
    reports_on: str = ""


def _start(agent: str, description: str) -> Move:
    return Move("start_async_task", {"subagent_type": agent, "description": description})


def _check(agent: str, *, again_while: str = "") -> Move:
    return Move("check_async_task", {}, about=agent, again_while=again_while)


def _update(agent: str, message: str) -> Move:
    return Move("update_async_task", {"message": message}, about=agent)


def _cancel(agent: str) -> Move:
    return Move("cancel_async_task", {}, about=agent)


TURNS = (
    Turn(
        "Which are the largest moons of Jupiter? I would also like a plot of their orbits.",
        (
            _start("researcher", "List the largest moons of Jupiter."),
            _start("coder", "Write a program that plots the orbits of Jupiter's moons."),
            # An update that overtakes a run still pending would replace its instruction.
            _check("researcher", again_while="pending"),
        ),
        "Both are being worked on. Ask me any time.",
    ),
    Turn(
        "Saturn too, please. And never mind the plot.",
        (
            _update("researcher", "Add the largest moons of Saturn."),
            _cancel("coder"),
            Move("list_async_tasks", {}),
        ),
        "The researcher has the new instruction, the coder has stopped.",
    ),
    Turn("Is it ready?", (_check("researcher"),), "Here it is.", reports_on="researcher"),
)


def next_move(lines: Sequence[Line]) -> Move | str:
    """The next tool call, its arguments complete, or what to tell the user."""
    at = max(number for number, line in enumerate(lines) if line.who == "user")
    turn = next(turn for turn in TURNS if turn.user == lines[at].text)
    since = lines[at + 1 :]
    answers = [line.text for line in since if line.who == "tool"]
    done = _done(turn.moves, answers)
    if done < len(turn.moves):
        return _addressed(turn.moves[done], task_ids(lines))
    if any(line.who == "model" for line in since):
        return "Noted."
    return _report(answers[-1]) if turn.reports_on else turn.answer


def task_ids(lines: Sequence[Line]) -> dict[str, str]:
    """Agent name to the id of the task started for it, as the tool's answers gave it."""
    started = [line for line in lines if line.tool == "start_async_task"]
    found = [(line.args["subagent_type"], _TASK_ID.search(line.text)) for line in started]
    return {agent: match[1] for agent, match in found if match}


def task_status(answer: str) -> str:
    """The status in the answer of `check_async_task`; empty when it is not such an answer."""
    return str(_checked(answer).get("status", ""))


def _done(moves: Sequence[Move], answers: Sequence[str]) -> int:
    """How many of the moves are behind us, one answer each unless a move has to be repeated."""
    done = 0
    for answer in answers:
        repeat = moves[done].again_while
        if not repeat or task_status(answer) != repeat:
            done += 1
    return done


def _addressed(move: Move, ids: Mapping[str, str]) -> Move | str:
    if not move.about:
        return move
    if move.about not in ids:
        return f"I have no task of the {move.about} to go on with."
    return Move(move.tool, {"task_id": ids[move.about], **move.args}, move.about, move.again_while)


def _report(answer: str) -> str:
    if task_status(answer) == "success":
        return f"Yes. {_checked(answer).get('result')}"
    return f"Not yet: the task is {task_status(answer) or 'unknown'}."


def _checked(answer: str) -> Mapping[str, object]:
    try:
        found = json.loads(answer)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
