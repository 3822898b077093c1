"""Serve the demo records on the admin plane's default port until Ctrl-C."""

import threading
from contextlib import suppress

from subagentctl.outside import utc_now
from subagentctl.testing import FakeAdmin, demo_events, demo_tasks


def main() -> None:
    fake = FakeAdmin(port=8461)
    fake.tasks = list(demo_tasks(utc_now()))
    fake.events = {task["task_id"]: demo_events(task) for task in fake.tasks}
    with fake.running(), suppress(KeyboardInterrupt):
        threading.Event().wait()


if __name__ == "__main__":
    main()
