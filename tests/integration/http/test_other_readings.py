"""What the sidecar reads in the probes of row 21, beside what nginx reads in them.

Both stand in front of the same server, which takes down each request it gets. That the sidecar does
with each probe what `probes` says of it is tried in `test_smuggling`, nginx or not.
"""

import re
from collections.abc import Iterator, Mapping

import pytest
from tests.integration.http import probes
from tests.integration.http.probes import SMUGGLED, Probe
from tests.integration.http.rig import Recorder, sidecar
from tests.integration.http.test_smuggling import TABLES
from tests.integration.http.wire import Wire
from tests.integration.upstream.raw_server import serving
from tests.support import nginx as nginxes
from tests.support.nginx import Nginx

ALL = {**TABLES, "wrappings": probes.WRAPPINGS}
LAST = SMUGGLED.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
"""Follows each probe: whoever reads it as a request closes the connection behind it."""

WRITTEN_WITH = "1.22."
"""The nginx whose differences these are. Others may have fewer: newer ones refuse more."""

REFUSED_HERE_ONLY = {
    "RFC 9112 2.2: a line feed alone may end a line, if a recipient likes; not all do": (
        "fields: bare line feed",
        "fields: line feeds only",
        "chunks: line feed after an extension",
        "chunks: line feed after the size",
        "chunks: line feed after the data",
        "chunks: line feeds at the end",
    ),
    "RFC 9112 2.2: a carriage return alone is no end of a line, and no part of a value": (
        "fields: two carriage returns",
    ),
    "RFC 9110 5.5: no control character is part of a value; nginx passes these on": (
        "fields: control character",
        "fields: delete",
    ),
    "RFC 9110 5.1: no such character is part of a name; nginx drops the field": (
        "fields: bracket in a name",
        "fields: name beyond ASCII",
    ),
    "RFC 9112 7.1.1: no such character is part of an extension; nginx reads over it": (
        "chunks: NUL in an extension",
    ),
    "RFC 9112 7.1: nothing stands between a size and its end; nginx reads over it": (
        "chunks: space after",
    ),
    "RFC 9112 7.1: an empty line ends a body; nginx takes the next request for a trailer": (
        "chunks: no empty line at the end",
    ),
    "RFC 9110 6.5.1: no framing stands in a trailer; nginx drops all trailers": (
        "chunks: framing in the trailer",
        "chunks: coding in the trailer",
    ),
    "there is no HTTP/1.2, nor HTTP/1.10; nginx takes them for HTTP/1.1": (
        "starts: HTTP/1.2",
        "starts: HTTP/1.10",
    ),
    "HTTP/0.9, which has no fields": ("starts: no version",),
    "the parser knows the registered methods only": ("starts: made-up method",),
    "RFC 9112 3.2.1: a target has no fragment": ("starts: fragment",),
    "RFC 9112 3.2: a target is ASCII": ("starts: bytes beyond ASCII",),
}
ACCEPTED_HERE_ONLY = {
    "RFC 9110 5.5: white space around a value is no part of it, tabs included; it ends here": (
        "lengths: white space after",
    ),
}
# Third, where a probe is `last`, nothing is read behind it here, for a flaw of the parser.

Reading = tuple[bytes, bytes]
"""The first line and the body of a request."""


def names(differences: Mapping[str, tuple[str, ...]]) -> set[str]:
    return {name for group in differences.values() for name in group}


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginxes.proxying(tmp_path_factory.mktemp("nginx")) as proxy:
        yield proxy


def reading(request: bytes) -> Reading:
    head, _, body = request.partition(b"\r\n\r\n")
    framings = re.findall(rb"(?im)^(?:content-length|transfer-encoding)\s*:", head)
    assert len(framings) <= 1, request
    return head.partition(b"\r\n")[0], body


async def readings(server: Recorder, port: int, probe: Probe) -> tuple[Reading, ...]:
    """What the server gets of a probe by way of the proxy on `port`."""
    server.requests.clear()
    async with Wire(port) as wire:
        await wire.send(probe.sent + LAST)
        await wire.everything()
    return tuple(reading(request) for request in server.requests)


@pytest.mark.parametrize("table", ALL)
async def test_nothing_crosses_that_nginx_reads_differently(nginx: Nginx, table: str) -> None:
    server = Recorder(port=nginx.upstream)
    stricter, looser = set[str](), set[str]()
    async with serving(server.script, port=nginx.upstream), sidecar(server.url) as front:
        for name, probe in ALL[table].items():
            theirs = await readings(server, nginx.port, probe)
            ours = await readings(server, front.port, probe)
            if probe.last:
                assert ours == theirs[:1], name
            elif ours != theirs:
                assert not (ours and theirs), (name, ours, theirs)
                (looser if ours else stricter).add(f"{table}: {name}")
    refused, accepted = (
        {name for name in names(differences) if name.startswith(f"{table}: ")}
        for differences in (REFUSED_HERE_ONLY, ACCEPTED_HERE_ONLY)
    )
    assert (stricter - refused, looser - accepted) == (set(), set())
    if nginx.version.startswith(WRITTEN_WITH):
        assert (refused - stricter, accepted - looser) == (set(), set())


def test_the_differences_are_of_probes_that_are_tried() -> None:
    crossing = {f"{table}: {name}": p.bodies for table in ALL for name, p in ALL[table].items()}
    assert not any(crossing[name] for name in names(REFUSED_HERE_ONLY))
    assert all(crossing[name] for name in names(ACCEPTED_HERE_ONLY))
    assert len(crossing) >= 38
