"""The SSE server of `streams`, in a process of its own: PORT RATE."""

import asyncio
import sys

from .streams import serve

if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
