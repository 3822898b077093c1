"""A gRPC server with one OTLP service, for as long as it is wanted."""

from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc  # type: ignore[import-untyped]


@contextmanager
def serving(servicer: object, add: Callable[[Any, Any], None]) -> Iterator[str]:
    """The URL of `servicer`, which is made part of a server by `add`."""
    server = grpc.server(futures.ThreadPoolExecutor(1))
    add(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
