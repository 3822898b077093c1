"""Every route of the admin plane: what it takes and what it answers."""

from .of_keys import keys
from .of_policy import levers, policy, process
from .of_record import record, sessions, tasks
from .of_tools import tools
from .operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *tasks(),
    *sessions(),
    *record(),
    *policy(),
    *levers(),
    *keys(),
    *tools(),
    *process(),
)
