"""The stories: all five tools with each kind of subagent.

Before every step the server's state is settled (a gate reached, a thread at rest), so what the
model is told does not depend on timing.
"""

from collections.abc import Awaitable, Callable

from tests.acceptance.driver.play import Play

Story = Callable[[Play], Awaitable[None]]


async def researcher(play: Play) -> None:
    """Works, is updated, answers, is asked again, is cancelled."""
    await play.start("topic A words=10", gate="first")
    await play.check()
    await play.list_all()
    await _follow_up(play, "also EU words=3")
    if play.queues_updates:
        await play.list_all()
        await play.let_through("first")
        await play.working("second")
        await play.check()
    await play.let_through("second")
    await play.at_rest()
    await play.check()
    await play.list_all()
    await play.update("third question", gate="third")
    await play.working("third")
    await play.cancel()
    await play.stopped("third")
    await play.at_rest()
    await play.check()
    await play.list_all()


async def failing(play: Play) -> None:
    """Fails, fails again on an update, and is cancelled when nothing is left to cancel."""
    await play.start("explode", gate="first")
    await play.check()
    await play.let_through("first")
    await play.at_rest()
    await play.check()
    await play.list_all()
    await play.update("explode again", gate="second")
    await play.working("second")
    await play.check()
    await play.let_through("second")
    await play.at_rest()
    await play.check()
    await play.cancel()
    await play.list_all()


async def asker(play: Play) -> None:
    """Asks its human, goes on with the answer, asks again, is cancelled while it waits."""
    await play.start("ask me", gate="first")
    await play.check()
    await play.let_through("first")
    await play.at_rest()
    await play.check()
    await play.list_all()
    await play.answer("EU")
    await play.at_rest()
    await play.check()
    await play.update("ask me more", gate="second")
    await play.working("second")
    await play.let_through("second")
    await play.at_rest()
    await play.check()
    await play.update("forget that, ask this", gate="third")
    await play.working("third")
    await play.let_through("third")
    await play.at_rest()
    await play.check()
    await play.cancel()
    await play.check()
    await play.list_all()


async def hang(play: Play) -> None:
    """Never ends by itself, not after an update either, and is cancelled."""
    await play.start("hang", gate="first")
    await play.check()
    await play.list_all()
    await _follow_up(play, "hang on")
    await play.cancel()
    await play.stopped("first" if play.queues_updates else "second")
    await play.at_rest()
    await play.check()
    await play.list_all()


async def _follow_up(play: Play, text: str) -> None:
    """Update the subagent at gate "first", wait until the server has settled it, and check."""
    await play.update(text, gate="second")
    if not play.queues_updates:
        await play.stopped("first")
    if not (play.queues_updates and play.server.queues):
        await play.working("second")
    await play.check()


STORIES: dict[str, Story] = {
    "researcher": researcher,
    "failing": failing,
    "asker": asker,
    "hang": hang,
}
