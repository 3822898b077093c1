"""Who asks, and what is there for them."""

from subagent_sidecar.core.principal import ANONYMOUS, Principal


def test_a_supervisor_sees_its_own_tasks_and_no_others() -> None:
    ann = Principal("ann")
    assert ann.sees("ann")
    assert not ann.sees("bob") and not ann.sees("") and not ann.sees("Ann")


def test_one_that_may_see_every_task_does() -> None:
    assert Principal("ops", every_task=True).sees("ann")


def test_who_may_start_all_is_not_held_against_a_list() -> None:
    assert Principal("ann").only == Principal("ann", agents=("coder", "*")).only == ()
    assert Principal("ann", agents=("coder", "res*")).only == ("coder", "res*")


def test_without_keys_everybody_sees_everything() -> None:
    assert ANONYMOUS.sees("ann") and ANONYMOUS.sees(ANONYMOUS.supervisor)
