#!/bin/sh
# Print the path of a Python this project can use; if there is none, say so in one sentence.
# Every candidate is run, not only found: version managers leave commands on PATH that fail.
# Python 3.15 and newer come last: some locked packages have no wheels for them yet.

known='import sys
fits = sys.implementation.name == "cpython" and (3, 11) <= sys.version_info[:2] < (3, 15)
print(sys.executable) if fits else sys.exit(1)'
newer='import sys
fits = sys.implementation.name == "cpython" and sys.version_info[:2] >= (3, 15)
print(sys.executable) if fits else sys.exit(1)'

for candidate in "${PYTHON:-python3}" python3 python3.13 python3.12 python3.11 python3.14 python; do
    if found=$("$candidate" -c "$known" 2>/dev/null); then
        echo "$found"
        exit 0
    fi
done
for candidate in "${PYTHON:-python3}" python3 python3.15 python; do
    if found=$("$candidate" -c "$newer" 2>/dev/null); then
        echo "setup: $found is newer than what is tested: some packages may need a C compiler" >&2
        echo "$found"
        exit 0
    fi
done
echo "setup: no Python 3.11 or newer found: install one, or run make PYTHON=/path/to/python3" >&2
exit 1
