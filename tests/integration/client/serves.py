"""`python serves.py URL -`: a supervisor that is a service, as most of them are.

uvicorn handles SIGTERM before the application is there; when it has wound up it takes all handlers
back and ends by the same signal.
"""

import sys
from typing import Any

import uvicorn

from subagent_sidecar.client.exits import keeper_of


def main(url: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        await receive()
        keeper_of(url, {}, end_at_exit=True).use("s")
        await send({"type": "lifespan.startup.complete"})
        print("ready", flush=True)
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    uvicorn.run(app, port=0, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1])
