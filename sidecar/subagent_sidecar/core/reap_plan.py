"""The whole plan: what is to be done about each task, and about those below the ones that end."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from .ages import Ages
from .candidates import Candidate, Reap
from .policy import Policy
from .reap import Judge, Still
from .sessions import Session, SessionKey


def plan(
    candidates: Sequence[Candidate],
    sessions: Mapping[SessionKey, Session],
    policy: Policy,
    ages: Ages,
    still: Still,
) -> list[Reap]:
    """What is to be done, in the order in which it is to be claimed: parents before children.
    What is `claimed` is not asked again; what is below it may still be."""
    judge = Judge(policy, sessions, ages, still)
    found = [reap for each in candidates if not each.claimed for reap in judge.of(each)]
    return with_descendants(found, candidates, judge)


def with_descendants(
    reaps: Iterable[Reap], candidates: Sequence[Candidate], judge: Judge
) -> list[Reap]:
    """`reaps` with the live tasks below those that end, as far as these are to fall with them."""
    found = list(reaps)
    ending = {reap.task_id: reap for reap in found if reap.ends}
    if ending:
        children = _by_parent(candidates)
        wave: Sequence[Reap] = list(ending.values())
        while wave:
            wave = [
                fall
                for parent in wave
                for child in children.get(parent.task_id, ())
                if child.task_id not in ending
                and not child.claimed
                and (fall := judge.falls(child, parent)) is not None
            ]
            ending.update((reap.task_id, reap) for reap in wave)
            found += wave
    return sorted(found, key=lambda reap: (reap.depth, reap.created_at, reap.task_id))


def _by_parent(candidates: Iterable[Candidate]) -> Mapping[str, Sequence[Candidate]]:
    children: dict[str, list[Candidate]] = defaultdict(list)
    for each in candidates:
        if each.parent_task_id is not None:
            children[each.parent_task_id].append(each)
    return children


def waves(reaps: Iterable[Reap]) -> list[list[Reap]]:
    """What ends, in the order in which it does: the deepest first, so that nothing is left without
    its parent; and the newest first among those at one depth."""
    by_depth: dict[int, list[Reap]] = defaultdict(list)
    for reap in reaps:
        by_depth[reap.depth].append(reap)
    return [
        sorted(by_depth[depth], key=lambda reap: (reap.created_at, reap.task_id), reverse=True)
        for depth in sorted(by_depth, reverse=True)
    ]


def trees(reaps: Iterable[Reap]) -> list[list[Reap]]:
    """Those that hang together, each with its children behind it; `reaps` have parents first."""
    found: list[list[Reap]] = []
    tree_of: dict[str, list[Reap]] = {}
    for reap in reaps:
        tree = tree_of.get(reap.parent_task_id or "")
        if tree is None:
            tree = []
            found.append(tree)
        tree.append(reap)
        tree_of[reap.task_id] = tree
    return found
