"""What was used is added up in the transaction that enters it, once."""

from pathlib import Path

from subagent_sidecar.core.metrics.record import Used
from subagent_sidecar.store import figures
from subagent_sidecar.store.connections import connect_writer
from subagent_sidecar.store.kept import Kept
from subagent_sidecar.store.touches import Touches
from subagent_sidecar.store.working_set import WorkingSet

USED = Used(upstream="up", agent_name="coder", model="m", messages=1, input_tokens=5)


def test_what_is_written_in_the_middle_of_a_transaction_is_not_written_again(
    tmp_path: Path,
) -> None:
    db = connect_writer(tmp_path / "books.db")
    rows = WorkingSet(db, Touches(), Kept())
    rows.add_used(USED)
    rows.add_used(USED)
    rows.flush()  # as rules do that have to count what is on record
    rows.flush()
    assert figures.used(db.conn) == [USED.plus(USED)]
    db.conn.close()
