"""Every benchmark in turn: `make bench`."""

import sys

from . import admission, otlp, polling, requests, startup, streams, tracing, watcher

if __name__ == "__main__":
    sys.argv[1:] = []
    for module in (requests, streams, polling, startup, admission, watcher, otlp, tracing):
        print(f"\n== {module.__name__.rpartition('.')[2]}")
        module.main()
