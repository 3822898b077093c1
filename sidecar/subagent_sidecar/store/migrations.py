"""The schema, as numbered migrations. A migration that has shipped is never edited."""

from sqlite_utils import Database, Migrations

from .deliveries import create_deliveries
from .keys import create_keys
from .reaping import create_reaps
from .replies import create_replies

migrations = Migrations("subagent-sidecar")


@migrations(name="0001_books")
def books(db: Database) -> None:
    """Threads, tasks, runs, intents and events.

    `tails` holds the ids of tasks reversed, up to the rowid in `progress` (see tails.py). Live
    tasks are those with `ended_at IS NULL`; their index is what listing and counting read.
    `intents` needs no index: it holds what is on its way right now. `sums` holds what is kept of
    pruned tasks (core/sums.py), and `progress` the newest event that was pruned. `events.seq` and
    the rowids of tasks grow for ever as long as the newest is never pruned (AUTOINCREMENT would
    cost a second table on every start).
    """
    _run(db, _BOOKS)


@migrations(name="0002_policy")
def policy(db: Database) -> None:
    """What rules are held against: trees of tasks, equal instructions, what each run used; what
    was decided; and what operators have frozen or added to.

    What is on record from before is its own tree, unless its parent is there; what its runs used
    is added up from the messages.
    """
    _run(db, _POLICY)


@migrations(name="0003_replies")
def replies(db: Database) -> None:
    """What was answered to starts that are to be made once (see replies.py)."""
    create_replies(db)


@migrations(name="0004_unpriced")
def unpriced(db: Database) -> None:
    """The messages without a price, by model: what is looked for once there is one."""
    db.execute("CREATE INDEX usage_unpriced ON usage (model) WHERE cost_micro_usd IS NULL")


@migrations(name="0005_sessions")
def sessions(db: Database) -> None:
    """Sessions that renewed a lease or were ended; all others are known by their tasks alone."""
    _run(db, _SESSIONS)


@migrations(name="0006_reaps")
def reaps(db: Database) -> None:
    """What the reaper has claimed, and what it has told of once (see reaping.py)."""
    create_reaps(db)


@migrations(name="0007_folded_refusals")
def folded_refusals(db: Database) -> None:
    """A decision may stand for several refusals that were alike (core/folding.py)."""
    db.execute("ALTER TABLE decisions ADD COLUMN times INTEGER NOT NULL DEFAULT 1")
    db.execute("ALTER TABLE decisions ADD COLUMN until TEXT")


@migrations(name="0008_clock_set_back")
def clock_set_back(db: Database) -> None:
    """As of when windows count a run, where that is not when it was made (core/set_back.py)."""
    db.execute("ALTER TABLE runs ADD COLUMN counted_at TEXT")


@migrations(name="0009_used")
def used(db: Database) -> None:
    """What was used, added up as it is read (core/metrics/record.py): metrics cannot add up all
    there is each time they are asked. It begins with what is on record, by the task's agent."""
    _run(db, _USED)


@migrations(name="0010_traces")
def traces(db: Database) -> None:
    """The trace context in which a task was started, where there was one (core/trace_ids.py)."""
    db.execute("ALTER TABLE tasks ADD COLUMN trace_parent TEXT")
    db.execute("ALTER TABLE intents ADD COLUMN trace_parent TEXT")


@migrations(name="0011_deliveries")
def deliveries(db: Database) -> None:
    """What is to be told to targets of completion push (see deliveries.py)."""
    create_deliveries(db)


@migrations(name="0012_supervisor_keys")
def supervisor_keys(db: Database) -> None:
    """What is kept of the keys of supervisors (see keys.py)."""
    create_keys(db)


def _run(db: Database, script: str) -> None:
    for statement in script.split(";"):
        if statement.strip():
            db.execute(statement)


_BOOKS = """
CREATE TABLE threads (
    thread_id TEXT PRIMARY KEY,
    upstream TEXT NOT NULL,
    created_at TEXT NOT NULL,
    supervisor TEXT NOT NULL,
    session_id TEXT,
    agent_name TEXT
) WITHOUT ROWID;

CREATE TABLE tasks (
    task_id TEXT PRIMARY KEY,
    upstream TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    status TEXT NOT NULL,
    session_id TEXT NOT NULL,
    supervisor TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_updated_at TEXT NOT NULL,
    run_id TEXT,
    thread_status TEXT NOT NULL,
    assistant_id TEXT,
    parent_task_id TEXT,
    depth INTEGER NOT NULL,
    purpose TEXT,
    polls INTEGER NOT NULL,
    last_checked_at TEXT,
    started_at TEXT,
    ended_at TEXT,
    ended_by TEXT,
    reason TEXT
);
CREATE INDEX tasks_newest ON tasks (created_at, task_id);
CREATE INDEX tasks_of_session ON tasks (session_id, created_at, task_id);
CREATE INDEX tasks_of_supervisor ON tasks (supervisor, created_at, task_id);
CREATE INDEX tasks_live ON tasks (upstream, created_at, task_id) WHERE ended_at IS NULL;
CREATE INDEX tasks_ended ON tasks (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_live_parents ON tasks (parent_task_id)
    WHERE ended_at IS NULL AND parent_task_id IS NOT NULL;

CREATE TABLE tails (tail TEXT PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO progress VALUES ('tails', 0), ('pruned', 0);

CREATE TABLE runs (
    task_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    request_id TEXT,
    assistant_id TEXT,
    strategy TEXT,
    started_at TEXT,
    ended_at TEXT,
    cancel_asked_at TEXT,
    cancel_asked_by TEXT,
    cancel_reason TEXT,
    cancel_unconfirmed_at TEXT,
    cancel_confirmed_at TEXT,
    superseded_by TEXT,
    PRIMARY KEY (task_id, run_id)
) WITHOUT ROWID;
CREATE INDEX runs_asked_to_end ON runs (cancel_asked_at) WHERE cancel_reason IS NOT NULL;

CREATE INDEX runs_at_large ON runs (task_id) WHERE cancel_unconfirmed_at IS NOT NULL;

CREATE INDEX runs_to_cancel ON runs (task_id, run_id)
    WHERE cancel_asked_at IS NOT NULL AND cancel_confirmed_at IS NULL;

CREATE TABLE intents (
    intent_id TEXT PRIMARY KEY,
    request_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    upstream TEXT NOT NULL,
    created_at TEXT NOT NULL,
    session_id TEXT NOT NULL,
    supervisor TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    depth INTEGER NOT NULL,
    thread_id TEXT,
    parent_task_id TEXT,
    assistant_id TEXT,
    strategy TEXT,
    purpose TEXT,
    previous_run_id TEXT,
    in_doubt TEXT
) WITHOUT ROWID;

CREATE TABLE usage (
    task_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    run_id TEXT NOT NULL,
    at TEXT NOT NULL,
    model TEXT,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_micro_usd INTEGER,
    PRIMARY KEY (task_id, message_id)
) WITHOUT ROWID;

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    task_id TEXT,
    run_id TEXT,
    status TEXT,
    detail TEXT NOT NULL
);
CREATE INDEX events_of_task ON events (task_id, seq);

CREATE TABLE sums (
    day TEXT NOT NULL,
    supervisor TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    upstream TEXT NOT NULL,
    status TEXT NOT NULL,
    model TEXT NOT NULL,
    tasks INTEGER NOT NULL,
    runs INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL,
    PRIMARY KEY (day, supervisor, agent_name, upstream, status, model)
) WITHOUT ROWID
"""

_POLICY = """
ALTER TABLE tasks ADD COLUMN tree_id TEXT;
ALTER TABLE runs ADD COLUMN fingerprint TEXT;
ALTER TABLE runs ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN cost_micro_usd INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN unpriced INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE intents ADD COLUMN tree_id TEXT;
ALTER TABLE intents ADD COLUMN fingerprint TEXT;
ALTER TABLE intents ADD COLUMN items TEXT;
ALTER TABLE intents ADD COLUMN admitted TEXT;
ALTER TABLE runs ADD COLUMN admitted TEXT;
ALTER TABLE runs ADD COLUMN agent_name TEXT;

UPDATE tasks SET tree_id = (
    WITH RECURSIVE up(task_id, parent, height) AS (
        SELECT t.task_id, t.parent_task_id, 0 FROM tasks t WHERE t.task_id = tasks.parent_task_id
        UNION ALL
        SELECT t.task_id, t.parent_task_id, height + 1
        FROM tasks t JOIN up ON t.task_id = up.parent WHERE height < 100
    )
    SELECT task_id FROM up ORDER BY height DESC LIMIT 1
) WHERE parent_task_id IS NOT NULL;

UPDATE runs SET
    tokens = coalesce((SELECT sum(input_tokens + output_tokens) FROM usage u
        WHERE u.task_id = runs.task_id AND u.run_id = runs.run_id), 0),
    cost_micro_usd = coalesce((SELECT sum(cost_micro_usd) FROM usage u
        WHERE u.task_id = runs.task_id AND u.run_id = runs.run_id), 0),
    unpriced = (SELECT count(*) - count(cost_micro_usd) FROM usage u
        WHERE u.task_id = runs.task_id AND u.run_id = runs.run_id),
    settled = ended_at IS NOT NULL;

CREATE INDEX tasks_of_tree ON tasks (tree_id) WHERE tree_id IS NOT NULL;
CREATE INDEX runs_unended ON runs (task_id) WHERE ended_at IS NULL;

CREATE TABLE decisions (
    seq INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    intent_id TEXT NOT NULL,
    verdict TEXT NOT NULL,
    rule TEXT,
    thread_id TEXT,
    call TEXT NOT NULL,
    checks TEXT NOT NULL
);
CREATE TABLE freezes (
    scope TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    reason TEXT,
    at TEXT NOT NULL,
    PRIMARY KEY (scope, scope_id)
) WITHOUT ROWID;

CREATE TABLE raises (
    raise_id TEXT PRIMARY KEY,
    budget TEXT NOT NULL,
    scope TEXT NOT NULL,
    scope_id TEXT NOT NULL,
    micro_usd INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    run_time INTEGER NOT NULL,
    runs INTEGER NOT NULL,
    at TEXT NOT NULL
) WITHOUT ROWID
"""

_SESSIONS = """
CREATE TABLE sessions (
    supervisor TEXT NOT NULL,
    session_id TEXT NOT NULL,
    first_beat_at TEXT,
    last_beat_at TEXT,
    beats INTEGER NOT NULL,
    lease_s INTEGER,
    ended_at TEXT,
    ended_by TEXT,
    reason TEXT,
    reopened_at TEXT,
    PRIMARY KEY (supervisor, session_id)
) WITHOUT ROWID
"""

_AMOUNTS = """
    sum(messages) AS messages, sum(unpriced) AS unpriced,
    sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
    sum(cache_read_tokens) AS cache_read_tokens, sum(cache_write_tokens) AS cache_write_tokens,
    sum(cost_micro_usd) AS cost_micro_usd
"""

_USED = f"""
CREATE TABLE used (
    upstream TEXT NOT NULL,
    agent_name TEXT NOT NULL,
    model TEXT NOT NULL,
    messages INTEGER NOT NULL,
    unpriced INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL,
    PRIMARY KEY (upstream, agent_name, model)
) WITHOUT ROWID;

INSERT INTO used SELECT upstream, agent_name, model, {_AMOUNTS} FROM (
    SELECT upstream, agent_name, model, messages, unpriced, input_tokens, output_tokens,
        cache_read_tokens, cache_write_tokens, cost_micro_usd
    FROM sums WHERE messages > 0
    UNION ALL
    SELECT tasks.upstream, tasks.agent_name, coalesce(usage.model, ''), 1,
        usage.cost_micro_usd IS NULL, input_tokens, output_tokens, cache_read_tokens,
        cache_write_tokens, coalesce(usage.cost_micro_usd, 0)
    FROM usage JOIN tasks USING (task_id)
) GROUP BY 1, 2, 3
"""
