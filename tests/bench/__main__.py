"""Every benchmark in turn: `make bench`."""

import sys

from . import admission, polling, requests, startup, streams, watcher

if __name__ == "__main__":
    sys.argv[1:] = []
    for module in (requests, streams, polling, startup, admission, watcher):
        print(f"\n== {module.__name__.rpartition('.')[2]}")
        module.main()
