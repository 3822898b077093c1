"""The fault table: what goes wrong -> what the client sees and what the record says.

`docs/faults.md` is this table for people (`tests/docs/test_faults_page.py` keeps them equal), and
`test_fault_table.py` plays every row of it.
"""

from collections.abc import Mapping, Sequence

from tests.integration.faults.rows.cancels import CANCELS
from tests.integration.faults.rows.clocks import CLOCKS
from tests.integration.faults.rows.polls import POLLS
from tests.integration.faults.rows.row import Row
from tests.integration.faults.rows.starts import STARTS

SECTIONS: Mapping[str, Sequence[Row]] = {
    "Starts and updates": STARTS,
    "Polls": POLLS,
    "Cancels": CANCELS,
    "Clocks": CLOCKS,
}
"""By the headings of the page."""

ROWS = [row for rows in SECTIONS.values() for row in rows]
