"""Deciding what a start is, whether it may be, and making it durable before it is sent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from .at_large import apart
from .changes import Start, StartRefused
from .decide import Numbers, decide
from .decisions import admitted, decision
from .facts import items_of
from .key_words import beyond_key
from .ledger import Ledger
from .matching import Call
from .model import Event, Intent, IntentKind, Item, Task, just_after
from .policy import Budget, LimitKind, Policy
from .quick import changed, completed, made
from .refusal import Refused
from .trace_ids import beneath, trace_alone
from .verdict import Allow, Batch, Deny

_DEFAULT = "default:"
NO_RULES = Policy()
_new_intent, _new_call = made(Intent), made(Call)


def default_session(supervisor: str) -> str:
    """The session of callers that name none."""
    return f"{_DEFAULT}{supervisor}"


def is_default(session_id: str) -> bool:
    """Whether it is nobody's own: all callers that name none are in it."""
    return session_id.startswith(_DEFAULT)


def admit(ledger: Ledger, start: Start) -> Intent:
    """Decide what a start is (a new task or an update) and make it durable as an intent."""
    intent, _ = _understood(ledger, start)
    ledger.put_intent(intent)
    return intent


def admit_by(policy: Policy, ledger: Ledger, numbers: Numbers, start: Start) -> Intent | Refused:
    """`admit` if the policy lets it. A refusal is returned, not raised, with its record: it changes
    nothing in the books, so that refusing costs no write (see folding.py)."""
    intent, task = _understood(ledger, start)
    if start.agents and (refused := _beyond_key(intent, task, start.agents)) is not None:
        return refused
    wakes = task is not None and _takes_a_place(ledger, task, intent)
    return _decided(ledger, intent, policy, numbers, wakes=wakes)


def _beyond_key(intent: Intent, task: Task | None, agents: Sequence[str]) -> Refused | None:
    """The refusal of a start that is not all of `agents` that its supervisor's key is for. A
    follow-up that names no graph runs that of its task."""
    items = items_of(intent)
    running = task.assistant_id if task is not None else None
    for item in items:
        call = _call(intent, item, wakes=False)
        deny = beyond_key(agents, call, item.assistant_id or intent.assistant_id or running)
        if deny is not None:
            batch = Batch(size=len(items), counted=0) if len(items) > 1 else None
            return _refused(intent, call, replace(deny, batch=batch))
    return None


def _takes_a_place(ledger: Ledger, task: Task, intent: Intent) -> bool:
    """Whether a follow-up makes something unfinished that was not: its task, which had ended, or
    another agent than the task's."""
    if intent.agent_name != task.agent_name:
        return True
    return not task.live and not _has_a_place(ledger, task.task_id)


def _has_a_place(ledger: Ledger, task_id: str) -> bool:
    """Whether a task that has ended counts as unfinished all the same: another start is on its way
    to it, or one of its runs may be at work."""
    if any(intent.kind is not IntentKind.CRON for intent in ledger.intents_on(task_id)):
        return True
    return any(run.unfinished for run in ledger.runs(task_id))


def _understood(ledger: Ledger, start: Start) -> tuple[Intent, Task | None]:
    """The start, and the task that it is an update of. The same thread on another server is another
    thread, whoever gave it that id."""
    task = ledger.task(start.thread_id) if start.thread_id and not start.cron else None
    if task is not None and task.upstream != start.upstream:
        task = None
    return (_spawn(ledger, start) if task is None else _update(ledger, start, task)), task


def _decided(
    ledger: Ledger, intent: Intent, policy: Policy, numbers: Numbers, *, wakes: bool
) -> Intent | Refused:
    if intent.items:
        return _all_decided(ledger, intent, policy, numbers, wakes=wakes)
    call = _call(intent, intent, wakes=wakes)
    verdict = decide(policy, numbers, call, datetime.fromisoformat(intent.created_at))
    if isinstance(verdict, Deny):
        return _refused(intent, call, apart(ledger, verdict))
    if verdict.contested:
        _tell(ledger, intent, call, verdict)
    completed(intent, admitted=admitted(verdict))
    ledger.put_intent(intent)
    return intent


def _all_decided(
    ledger: Ledger, intent: Intent, policy: Policy, numbers: Numbers, *, wakes: bool
) -> Intent | Refused:
    """Ask for one item of a batch after the other, each with those before it in place."""
    now = datetime.fromisoformat(intent.created_at)
    items = intent.items
    let_in: list[Item] = []
    for item in items:
        call = _call(intent, item, wakes=wakes)
        verdict = decide(policy, numbers, call, now)
        if isinstance(verdict, Deny):
            verdict = apart(ledger, verdict)
            if len(items) > 1:
                before = [_call(intent, each, wakes=wakes) for each in let_in]
                verdict = _of_batch(verdict, call, before, len(items))
            if let_in:
                ledger.drop_intent(intent.intent_id)
            return _refused(intent, call, verdict)
        if verdict.contested:
            _tell(ledger, intent, call, verdict)
        let_in.append(changed(item, admitted=admitted(verdict)))
        intent = changed(intent, items=tuple(let_in))
        ledger.put_intent(intent)
    return intent


def _of_batch(deny: Deny, call: Call, before: Sequence[Call], size: int) -> Deny:
    """With how many of those before it are counted in the number it was refused by. None of them
    is going to be there: when their places are free again is not the question."""
    rule, counted = deny.rule, 0
    if rule is not None and rule.per is not None and deny.check.what != "unpriced":
        scope_id = deny.check.scope_id
        alike = deny.check.what == LimitKind.DUPLICATES
        counted = sum(
            rule.match.fits(each)
            and each.scope_id(rule.per) == scope_id
            and (not alike or (each.agent, each.fingerprint) == (call.agent, call.fingerprint))
            for each in before
        )
    if isinstance(rule, Budget) and deny.check.what != "runs" and not deny.check.held.amount:
        counted = 0  # they have not used anything yet
    retry_after = None if counted else deny.retry_after
    return replace(deny, batch=Batch(size=size, counted=counted), retry_after=retry_after)


def _call(intent: Intent, item: Item | Intent, *, wakes: bool) -> Call:
    """A start that is about to be. A new task's own tree has nothing in it yet."""
    update = intent.kind is IntentKind.UPDATE
    return _new_call(
        agent=item.agent_name or intent.agent_name,
        upstream=intent.upstream,
        supervisor=intent.supervisor,
        session=intent.session_id,
        depth=intent.depth,
        task_id=intent.thread_id if update else None,
        tree_id=intent.tree_id or (intent.thread_id if update else None),
        fingerprint=item.fingerprint,
        update=update,
        wakes=wakes,
    )


def _refused(intent: Intent, call: Call, verdict: Deny) -> Refused:
    record = StartRefused(
        decision=decision(intent, call, verdict),
        check=verdict.check,
        code=verdict.code,
        trace_parent=intent.trace_parent,
    )
    return Refused(verdict, record)


def _tell(ledger: Ledger, intent: Intent, call: Call, verdict: Allow) -> None:
    """Put on record which observing rules spoke against a start that was let in."""
    made = decision(intent, call, verdict)
    ledger.add_decision(made)
    for check in verdict.observed:
        detail = made.told(check)
        ledger.add_event(
            Event(at=made.at, kind="would_refuse", task_id=intent.thread_id, detail=detail)
        )


def _update(ledger: Ledger, start: Start, task: Task) -> Intent:
    """A run on a known task: the task keeps its session, depth and name. It comes after the
    newest run, wherever somebody has set the clock meanwhile."""
    newest = ledger.run(task.task_id, task.run_id) if task.run_id else None
    return Intent(
        intent_id=start.intent_id,
        request_id=start.request_id,
        kind=IntentKind.UPDATE,
        upstream=start.upstream,
        created_at=start.at if newest is None else max(start.at, just_after(newest.created_at)),
        session_id=task.session_id,
        supervisor=task.supervisor,
        agent_name=_agent_of(start, task),
        depth=task.depth,
        thread_id=task.task_id,
        parent_task_id=task.parent_task_id,
        assistant_id=start.assistant_id,
        strategy=start.strategy,
        purpose=start.purpose,
        previous_run_id=task.run_id,
        tree_id=task.tree_id,
        fingerprint=start.fingerprint,
        trace_parent=task.trace_parent,
    )


def _agent_of(start: Start, task: Task) -> str:
    """Whose run a follow-up is. A task goes by its subagent's name, which need not be its graph's;
    a follow-up that names another graph is another agent's, whatever thread it is on."""
    if start.assistant_id is None or start.assistant_id in (task.assistant_id, task.agent_name):
        return task.agent_name
    return start.agent_name or start.assistant_id


def _spawn(ledger: Ledger, start: Start) -> Intent:
    thread = ledger.thread(start.thread_id) if start.thread_id else None
    named = start.header_session or (thread.session_id if thread else None) or start.body_session
    agent = start.agent_name or (thread.agent_name if thread else None) or start.assistant_id
    on_thread = start.thread_id and not start.batch and not start.cron  # the usual way
    intent = _new_intent(
        intent_id=start.intent_id,
        request_id=start.request_id,
        kind=IntentKind.START if on_thread else _kind(start),
        upstream=start.upstream,
        created_at=start.at,
        session_id=named or default_session(start.supervisor),
        supervisor=thread.supervisor if thread else start.supervisor,
        agent_name=agent or "unknown",
        thread_id=start.thread_id,
        assistant_id=start.assistant_id,
        strategy=start.strategy,
        purpose=start.purpose,
        fingerprint=start.fingerprint,
        trace_parent=start.trace_parent if on_thread else _root_context(start),
    )
    if start.batch:
        completed(intent, items=tuple(_named(item, agent) for item in start.items))
    if named and (parent := _parent(ledger, named, start)) is not None:
        _put_under(parent, ledger, start, intent)
    return intent


def _put_under(parent: Task, ledger: Ledger, start: Start, intent: Intent) -> None:
    completed(
        intent,
        depth=parent.depth + 1,
        parent_task_id=parent.task_id,
        tree_id=parent.tree_id or parent.task_id,
        trace_parent=_trace_parent(ledger, start, parent),
    )


def _trace_parent(ledger: Ledger, start: Start, parent: Task) -> str:
    run = ledger.run(parent.task_id, parent.run_id) if parent.run_id else None
    return beneath(parent, run, start.trace_parent)


def _root_context(start: Start) -> str | None:
    """A stateless start is told its trace before it has a task to name it after."""
    if start.trace_parent is None and start.thread_id is None and not (start.batch or start.cron):
        return trace_alone(start.intent_id)
    return start.trace_parent


def _named(item: Item, agent: str | None) -> Item:
    name = item.agent_name or item.assistant_id or agent or "unknown"
    return item if item.agent_name == name else changed(item, agent_name=name)


def _parent(ledger: Ledger, session_id: str, start: Start) -> Task | None:
    """The task whose thread the session is. One that never ran started nothing, and the name of a
    default session is no task's, whatever id somebody gave a thread. Nor is another supervisor's
    task a parent for whoever happens to know its id: what was started would be charged to it."""
    if is_default(session_id):
        return None
    task = ledger.task(session_id)
    if task is None or task.run_id is None:
        return None
    return task if start.every_task or task.supervisor == start.supervisor else None


def _kind(start: Start) -> IntentKind:
    if start.cron:
        return IntentKind.CRON
    if start.batch:
        return IntentKind.BATCH
    return IntentKind.START if start.thread_id else IntentKind.STATELESS
