"""Replaying the record through another policy. Imported when it is done: YAML takes its time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from subagent_sidecar.core.decisions import Decision, Verdict
from subagent_sidecar.core.model import Timestamp, timestamp
from subagent_sidecar.core.past import Past, PastStart, in_order_of_time
from subagent_sidecar.core.past_words import amount, read_decision, read_start
from subagent_sidecar.core.prices import usd_text
from subagent_sidecar.core.replay import Fate, Outcome, looks_back, replay
from subagent_sidecar.core.replay_sums import ByRule, Saved, Sums
from subagentctl import policies
from subagentctl.client import Client, JsonObject
from subagentctl.when import parse_moment

P = TypeVar("P", PastStart, Decision)
_STARTS, _DECISIONS = "500", "500"
"""How many are asked for at once: the sidecar has other things to do as well."""

_SECOND = 1_000_000


@dataclass
class Record:
    """What the sidecar has on record, read as it is asked for. `starts` counts what has come,
    `whole_from` is known with the first page."""

    client: Client
    whole_from: Timestamp | None = None
    starts: int = 0
    _asked: bool = field(default=False, repr=False)

    def past(self, started_since: Timestamp | None, refused_since: Timestamp) -> Iterator[Past]:
        """Starts and refusals in order of time."""
        return in_order_of_time(self._starts(started_since), self._refusals(refused_since))

    def _starts(self, since: Timestamp | None) -> Iterator[PastStart]:
        query = {"since": since or "", "limit": _STARTS}
        for page in self._pages("/v1/starts", query, "after", "next_after"):
            if not self._asked:
                self._asked, self.whole_from = True, self._moment(page, "whole_from")
            for words in self._listed(page, "starts"):
                self.starts += 1
                yield self._understood(read_start, words)

    def _refusals(self, since: Timestamp) -> Iterator[Decision]:
        query = {"since": since, "order": "oldest", "limit": _DECISIONS}
        query["verdict"] = Verdict.DENY.value
        for page in self._pages("/v1/decisions", query, "cursor", "next_cursor"):
            for words in self._listed(page, "decisions"):
                yield self._understood(read_decision, words)

    def _pages(
        self, path: str, query: Mapping[str, str], cursor: str, following: str
    ) -> Iterator[JsonObject]:
        after: str | None = ""
        while after is not None:
            page = self.client.get(path, {**query, cursor: after})
            after = page.get(following)
            if after is not None and not isinstance(after, str):
                raise self.client.surprise("its pages do not follow one another")
            yield page

    def _moment(self, page: JsonObject, key: str) -> Timestamp | None:
        found = parse_moment(page.get(key))
        return None if found is None else timestamp(found)

    def _listed(self, page: JsonObject, key: str) -> list[Any]:
        listed = page.get(key)
        if not isinstance(listed, list):
            raise self.client.surprise(f"its answer has no {key}")
        return listed

    def _understood(self, read: Callable[[Any], P], words: Any) -> P:
        try:
            return read(words)
        except (KeyError, TypeError, ValueError) as error:
            # It came over the network, from a sidecar of whatever version.
            raise self.client.surprise("its record is none that this version can read") from error


def replayed(client: Client, files: Sequence[str], since: datetime, *, single: bool) -> JsonObject:
    """What the policy in `files` would have made of what is on record since then; with `single`
    each start that it would have refused. Raises Invalid with every mistake in the files."""
    loaded = policies.load(files)
    begin = timestamp(since)
    horizon = looks_back(loaded.policy, begin)
    record, sums = Record(client), Sums()
    told: list[JsonObject] = []
    for outcome in replay(loaded.policy, record.past(horizon, begin), since=begin):
        sums.add(outcome)
        if single and _to_be_told(outcome):
            told.append(_single(outcome))
    missing = record.whole_from is not None and (horizon is None or record.whole_from > horizon)
    return {
        "files": loaded.files,
        "since": begin,
        "whole_from": record.whole_from if missing else None,
        **_sums(sums),
        **({"single": told} if single else {}),
    }


def _to_be_told(outcome: Outcome) -> bool:
    """Of what was refused on record only what would have been let in is news."""
    if isinstance(outcome.past, Decision):
        return outcome.fate is Fate.LET_IN
    return outcome.fate in (Fate.REFUSED, Fate.ORPHANED) or bool(outcome.observed)


def _sums(sums: Sums) -> JsonObject:
    return {
        "starts": sums.starts,
        "refused": sums.refused,
        "not_made": sums.orphaned,
        "past_the_sidecar": sums.past_us,
        "saved": _saved(sums.saved),
        "by_rule": [_by_rule(each) for each in sums.by_rule.values()],
        "without_parent": _saved(sums.orphans),
        "observed": [_by_rule(each) for each in sums.observed.values()],
        "refusals": {
            "on_record": sums.refusals,
            "let_in": sums.would_pass,
            "not_made": sums.moot,
        },
    }


def _by_rule(one: ByRule) -> JsonObject:
    return {
        "rule": one.rule,
        "policy": one.policy,
        "starts": one.starts,
        "refusals_on_record": one.refusals,
        "first": one.first,
        "last": one.last,
        "usage": _saved(one.saved),
    }


def _saved(saved: Saved) -> JsonObject:
    return {
        "runs": saved.runs,
        "usd": usd_text(saved.micro_usd),
        "tokens": saved.tokens,
        "run_time_s": saved.run_time / _SECOND,
        "cost_unknown": saved.cost_unknown,
        "tokens_unknown": saved.tokens_unknown,
        "run_time_unknown": saved.run_time_unknown,
    }


def _single(outcome: Outcome) -> JsonObject:
    past, check = outcome.past, outcome.check
    if check is None and outcome.observed:
        check = outcome.observed[0]
    alone = Saved()
    if isinstance(past, PastStart):
        alone.add(past)
    return {
        "at": past.at,
        "times": outcome.times,
        "on_record": "started" if isinstance(past, PastStart) else "refused",
        "fate": outcome.fate.value,
        "task_id": past.task_id if isinstance(past, PastStart) else past.thread_id,
        "run_id": past.run_id if isinstance(past, PastStart) else None,
        "agent": past.call.agent,
        "session": past.call.session,
        "rule": None if check is None else check.rule,
        "what": None if check is None else check.what,
        "current": None if check is None else amount(check.what, check.current),
        "limit": None if check is None else amount(check.what, check.limit),
        "usage": _saved(alone) if isinstance(past, PastStart) else None,
    }
