"""What is attacked: each target takes bytes, and what must hold of it is asserted.

A target may raise what the sidecar turns into an answer; anything else is a crash.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from subagent_sidecar import policy_file
from subagent_sidecar.core import policy_words, routing, splice, wire
from subagent_sidecar.core.otlp import Unreadable
from subagent_sidecar.errors import BadHeader, ConfigError, RequestError
from subagent_sidecar.proxy import bodies, door_bodies, frames, headers, peek
from subagent_sidecar.telemetry.receiving import decoding
from tests.fuzz.receiving import Receiving

Target = Callable[[bytes], None]

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "M")
_UPSTREAMS = routing.UpstreamNames(names=["one", "two"], agents={"a": "two"}, default=None)


def text(data: bytes) -> str:
    """As a request line gives it to us: what is not UTF-8 are surrogates."""
    return data.decode("utf-8", "surrogateescape")


def router(data: bytes) -> None:
    """A path says where a request goes, and cannot lead out of an upstream's base."""
    target = "/" + text(data)
    prefix, rest = routing.split_prefix(target)
    assert rest == target if prefix is None else rest.startswith("/")
    with suppress(RequestError):
        assert routing.choose(_UPSTREAMS, prefix=prefix, header=text(data[:9])) in ("one", "two")
    with suppress(RequestError):
        path = wire.decoded_path(rest.partition("?")[0])
        assert not {".", ".."} & set(path.replace("\\", "/").split("/"))
        for method in _METHODS:
            meaning = wire.recognise(method, path)
            assert meaning.thread_id is None or meaning.thread_id in path
        wire.rolls_back(rest)
    wire.ids_in_location(rest)


def recognisers(data: bytes) -> None:
    """Any body is read or left alone; what is read can be kept as text."""
    said = bodies.run_body(data)
    for words in (said.purpose, said.agent_name, said.assistant_id):
        assert words is None or words.encode()  # no half a surrogate: no store takes it
    bodies.thread_body(data)
    bodies.batch_items(data)
    bodies.cancelled_runs(data)
    for act in wire.DOORS:
        door_bodies.asked(wire.Meaning(act, thread_id="t"), data)


def answers(data: bytes) -> None:
    """So with the answers of servers."""
    peek.run(data), peek.runs(data), peek.thread(data), peek.threads(data), peek.cron_id(data)
    peek.run_id_in_stream(data)
    peek.readable(data, [(b"Content-Encoding", b"gzip")])


def splicing(data: bytes) -> None:
    """A body that is changed stays the same body but for what was put in."""
    changed = splice.with_metadata(data, {"sidecar_task_id": "t"})
    if changed == data:
        return
    before, after = json.loads(data), json.loads(changed)
    assert after["metadata"].pop("sidecar_task_id") == "t"
    if isinstance(before.get("metadata"), dict):
        before["metadata"].pop("sidecar_task_id", None)
    for body in (before, after):
        if not body.get("metadata"):  # there was none, and a place for ours was made
            body.pop("metadata", None)
    assert repr(before) == repr(after)  # NaN is not itself


def fields(data: bytes) -> None:
    """No field that is for one hop crosses, whatever stands in a header."""
    lines = [line.partition(b":") for line in data.split(b"\n")]
    given = [(name, value) for name, _, value in lines]
    with suppress(BadHeader):
        sent = headers.for_upstream(given, host=b"up", own=(), peer=b"p", scheme=b"http")
        names = {name.lower() for name, _ in sent}
        assert not names & {b"connection", b"transfer-encoding", b"content-length", b"upgrade"}
        assert sum(name.lower() == b"host" for name, _ in sent) == 1
    headers.for_client(given)


def sockets(data: bytes) -> None:
    """Frames are read in whatever pieces they come; nonsense is told as such."""
    for feed in (frames.Sieve(1024).feed, frames.Listener(1024).feed):
        with suppress(frames.BadFrame):
            for at in range(0, len(data), 7):
                list(feed(data[at : at + 7]))


def spans(data: bytes) -> None:
    """Spans of others are read, or told to be unreadable."""
    for read in (decoding.from_json, decoding.from_protobuf):
        with suppress(Unreadable):
            read(data).SerializeToString()
    with suppress(Unreadable):
        assert len(decoding.unpacked(data, 1 << 16)) <= 1 << 16


@dataclass(frozen=True)
class Policies:
    """A file is a policy, or a list of what is wrong with it. A policy as it is shown is the
    same policy."""

    folder: Path

    def __call__(self, data: bytes) -> None:
        file = self.folder / "p.yaml"
        file.write_bytes(data)
        try:
            policy = policy_file.load([file])
        except ConfigError as error:
            assert error.problems
            assert all(str(file) in problem for problem in error.problems)
            return
        shown = policy_words.document(policy)
        file.write_text(json.dumps(shown))  # JSON is YAML
        assert policy_words.document(policy_file.load([file])) == shown


def targets(folder: Path) -> Mapping[str, Target]:
    """`folder` is for files."""
    return {
        "router": router,
        "recognisers": recognisers,
        "answers": answers,
        "splicing": splicing,
        "fields": fields,
        "sockets": sockets,
        "spans": spans,
        "receiver": Receiving(),
        "policies": Policies(folder),
    }
