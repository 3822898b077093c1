#!/bin/sh
# Prometheus and promtool for the tests, in .prometheus: Debian's package, unpacked and not
# installed, so that nothing runs afterwards that did not run before. Says why where it cannot.
set -eu
cd "$(dirname "$0")/.."
into=.prometheus
if [ -x "$into/usr/bin/promtool" ] || command -v promtool >/dev/null 2>&1; then
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg >/dev/null 2>&1; then
    echo "no Prometheus: this machine has no apt-get"
    exit 1
fi
mkdir -p "$into"
cd "$into"
if ! apt-get download prometheus >/dev/null 2>&1; then
    apt-get update >/dev/null 2>&1 || true # the lists of packages may not be there yet
    if ! apt-get download prometheus >/dev/null 2>&1; then
        echo "no Prometheus: apt-get has no such package"
        exit 1
    fi
fi
dpkg --extract prometheus_*.deb .
rm prometheus_*.deb
