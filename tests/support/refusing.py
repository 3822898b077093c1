"""Starts that a store refuses, and their record: what the service does about them, in one step."""

import pytest

from subagent_sidecar.core.changes import Start
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.ports import Store


async def refused_on_record(store: Store, start: Start, policy: Policy) -> Refused:
    """The refusal, which is on record."""
    with pytest.raises(Refused) as told:
        await store.admit(start, policy)
    assert told.value.record is not None
    await store.apply([told.value.record])
    return told.value
