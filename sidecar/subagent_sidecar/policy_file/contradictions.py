"""What is wrong between rules, each of which is right by itself."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import timedelta
from operator import attrgetter

from ..core.matching import EVERYTHING, Match
from ..core.policy import Lifecycle, LifecycleRule, Limit, Mode, Settled, set_keys, settled
from ..core.sessions import HEARTBEAT
from ..core.units import duration_text
from .fields import Source
from .rules import Placed


def check(sources: Sequence[Source], rules: Sequence[Placed]) -> None:
    """Enters the problems with their sources; `rules` are those that could be read, in order."""
    _names(sources)
    clocks = [placed for placed in rules if isinstance(placed.rule, LifecycleRule)]
    _clocks(clocks)
    _beside_tighter(rules)
    for index, placed in enumerate(rules):
        later = [each for each in rules[index + 1 :] if each.source is placed.source]
        _without_effect(placed, later)


def _names(sources: Sequence[Source]) -> None:
    first: dict[str, str] = {}
    for source in sources:
        for name, at in source.names:
            where = source.document.where(at)
            if (other := first.setdefault(name, where)) != where:
                source.wrong(f"{at}.name", f"`{name}` is the name of another rule ({other})")


def _clocks(rules: Sequence[Placed]) -> None:
    """Compares settings of whoever is matched by a rule and by those that hold for everybody."""
    said: set[tuple[int, str]] = set()
    for placed in rules:
        profile = _profile(placed, rules)
        for wrong, keys, text in _CONTRADICTIONS:
            # What is observed may well be stricter than what is enforced, or the other way round.
            modes = {profile.rules[key].mode for key in keys if key in profile.rules}
            if not wrong(profile.values) or modes != {placed.rule.mode}:
                continue
            culprit, key = _last(rules, profile, keys)
            if (id(culprit), key) not in said:
                said.add((id(culprit), key))
                culprit.wrong(key, text(profile.values))


def _profile(placed: Placed, rules: Sequence[Placed]) -> Settled:
    """The settings for a call that `placed` matches and no other rule that is about somebody."""
    rule = placed.rule
    return settled(
        each.rule
        for each in rules
        if isinstance(each.rule, LifecycleRule)
        and (each.rule.mode is Mode.ENFORCE or rule.mode is Mode.OBSERVE)
        and (_everybody(each.rule.match) or each.rule.match == rule.match)
    )


def _everybody(match: Match) -> bool:
    depth = match.depth
    if depth is not None and not all(map(depth.fits, (0, depth.value, depth.value + 1))):
        return False
    globs = (match.agent, match.upstream, match.supervisor, match.session)
    return all(not each or any(glob.text == EVERYTHING for glob in each) for each in globs)


def _last(rules: Sequence[Placed], profile: Settled, keys: Sequence[str]) -> tuple[Placed, str]:
    """The later of the rules that set `keys`, and which of the keys that was: of two in one rule
    the first."""
    order = {id(placed.rule): index for index, placed in enumerate(rules)}
    said = [key for key in keys if key in profile.rules]
    key = max(said, key=lambda key: order[id(profile.rules[key])])
    return rules[order[id(profile.rules[key])]], key


def _grace_too_long(values: Lifecycle) -> bool:
    return bool(values.lease and values.grace and values.grace > values.lease)


def _lease_too_short(values: Lifecycle) -> bool:
    return bool(values.lease and values.lease <= 2 * (values.heartbeat or HEARTBEAT))


def _run_too_long(values: Lifecycle) -> bool:
    return bool(values.run and values.total and values.run > values.total)


def _grace_text(values: Lifecycle) -> str:
    return f"grace of {_text(values.grace)} is longer than the lease of {_text(values.lease)}"


def _lease_text(values: Lifecycle) -> str:
    beat = f"{_text(values.heartbeat or HEARTBEAT)}{'' if values.heartbeat else ', the default'}"
    return (
        f"a lease of {_text(values.lease)} is not over twice the heartbeat ({beat}): one late "
        "heartbeat would end the session's tasks"
    )


def _run_text(values: Lifecycle) -> str:
    return (
        f"a run may take {_text(values.run)}, but its task only {_text(values.total)} in total; "
        "raise `total` or lower `run`"
    )


def _text(span: timedelta | None) -> str:
    return duration_text(span or timedelta())


_CONTRADICTIONS: Sequence[
    tuple[Callable[[Lifecycle], bool], tuple[str, ...], Callable[[Lifecycle], str]]
] = (
    (_grace_too_long, ("grace", "lease"), _grace_text),
    (_lease_too_short, ("heartbeat", "lease"), _lease_text),
    (_run_too_long, ("run", "total"), _run_text),
)


def _without_effect(placed: Placed, later: Sequence[Placed]) -> None:
    """Between files a later word is meant to replace an earlier one; within one it is a slip."""
    rule = placed.rule
    if isinstance(rule, LifecycleRule):
        rules = [each.rule for each in later if isinstance(each.rule, LifecycleRule)]
        if names := _replaced_by(rule, rules):
            placed.wrong("", f"has no effect: all it sets is set again by {', '.join(names)}")


def _beside_tighter(rules: Sequence[Placed]) -> None:
    """Of limits of one file that ask the same, only the tightest ever has a say."""
    alike: dict[object, list[Placed]] = {}
    for placed in rules:
        if isinstance(placed.rule, Limit):
            alike.setdefault((id(placed.source), _question(placed.rule)), []).append(placed)
    for group in alike.values():
        tight = min(group, key=lambda placed: placed.rule.most)  # type: ignore[attr-defined]
        for slack in group:
            if slack is not tight:
                name = tight.rule.name
                slack.wrong("", f"has no effect beside `{name}`, which allows no more")


def _replaced_by(rule: LifecycleRule, later: Sequence[LifecycleRule]) -> list[str]:
    """Who set every key of `rule` anew, for everybody it is about; empty if one key is left."""
    left = {key for key, _ in set_keys(rule.settings)}
    names = []
    for each in later:
        if each.mode not in (rule.mode, Mode.ENFORCE):
            continue
        if _everybody(each.match) or each.match == rule.match:
            again = left & {key for key, _ in set_keys(each.settings)}
            names += [f"`{each.name}`"] if again else []
            left -= again
    return [] if left else names


_question = attrgetter(
    *(each.name for each in fields(Limit) if each.name not in ("name", "most", "message"))
)
