"""Inputs: good ones, broken by chance. The same seed gives the same ones."""

import gzip
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.support.otlp_request import B, Emitted, request

_POLICIES = Path(__file__).parents[2] / "policies"
_START = (
    b'{"assistant_id":"a","input":{"messages":[{"role":"user","content":"do \\ud83d\\ude00"}]},'
    b'"metadata":{"subagent_name":"a","parent_thread_id":"p","x":[1,2.5e3,null]},'
    b'"config":{"configurable":{"deepagents_parent":{"thread_id":"p"}}}}'
)
_JSON = (
    _START,
    b"[" + _START + b"," + _START + b"]",
    b'{"thread_id":"t","metadata":{"subagent_name":"a"},"if_exists":"do_nothing"}',
    b'{"status":"pending","run_ids":["r"],"thread_id":"t"}',
    b'{"id":1,"method":"run.start","params":{"input":{"messages":[]},"assistant_id":"a"}}',
    b'{"jsonrpc":"2.0","id":"1","method":"message/send","params":{"message":{"parts":[{"kind":'
    b'"text","text":"x"}],"contextId":"t"}}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"x":1}}}',
    b'{"run_id":"r","thread_id":"t","assistant_id":"a","status":"running","metadata":{}}',
    b'event: metadata\r\ndata: {"run_id":"r"}\r\n\r\n',
)
_PATHS = (
    b"threads/t/runs",
    b"threads/t/runs/r/cancel?action=rollback&wait=1",
    b"to/one/threads/t/runs/stream",
    b"runs/batch",
    b"threads/%2e%2e/admin/..%2f..%5cx",
    b"a2a/a",
    b"threads/t/stream/events",
    b"base//./a/%252e/;x=1/..;/",
)
_FIELDS = (
    b"Host: a\nConnection: close, X-Api-Key\nX-Api-Key: k\nTransfer-Encoding: chunked\nTE: x",
    b"host:a\nX-Forwarded-For: 1.2.3.4\nContent-Length: 5\nUpgrade: websocket\nAuthorization: B",
)
_FRAMES = (
    b"\x81\x85\x01\x02\x03\x04ijkl" + b"\x88\x80\x00\x00\x00\x00",
    b"\x01\x03abc\x80\x02de\x82\xfe\x01\x00" + bytes(40),
)

_SPANS = (
    b'{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":'
    b'"s"}}]},"scopeSpans":[{"spans":[{"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":'
    b'"b7ad6b7169203331","name":"n","kind":3,"startTimeUnixNano":"1","attributes":[{"key":'
    b'"thread_id","value":{"stringValue":"t"}}]}]}]}]}',
    b"\x0a\x23\x12\x21\x12\x1f\x0a\x10" + bytes(range(16)) + b"\x12\x08abcdefgh" + b"\x2a\x01n",
    gzip.compress(b"\x0a\x00" * 50, mtime=0) * 2,
)

_POLICIES_IN_SHORT = (
    b"version: 1\nlimits:\n- {name: a, concurrent: 5, per: session, match: {agent: 'a*'}}\n"
    b"- {name: b, starts: 9, per: supervisor, window: 1m, mode: observe}\n- {name: c, depth: 2}\n",
    b"version: 1\nbudgets:\n- {name: d, usd: 5.25, tokens: 2_000, per: task, soft_at: 0.8,\n"
    b"  on_unpriced: 'assume:0.50', on_exhausted: cancel, message: stop}\n"
    b"prices: {m: {input_per_mtok: 3.0, output_per_mtok: 15.0}}\n",
    b"version: 1\nlifecycle:\n- {name: e, queue: 5m, run: 90m, stall: 10s}\n"
    b"- {name: f, lease: 10m, grace: 5m, on_session_end: request_cancel}\n"
    b"polling: {coalesce: 250ms}\non_store_error: fail_open\n",
)

_TOLD = {"langsmith.metadata.thread_id": "t", "langsmith.metadata.run_id": "r1"}
_LAUNCHED = {"output": "Launched async subagent. task_id: t"}
_EMITTED = (
    (Emitted(id=1, said=_TOLD), Emitted(id=2, parent=1, links=[(B, 3)]), Emitted(id=3, trace=B)),
    (Emitted(id=4, trace=B, name="start_async_task", said=_LAUNCHED), Emitted(id=1, trace=B)),
    (Emitted(id=5, said={"session.id": "s", "metadata": '{"thread_id": "t"}'}, failed="no"),),
)

CORPUS: Mapping[str, Callable[[], Sequence[bytes]]] = {
    "router": lambda: _PATHS,
    "recognisers": lambda: _JSON,
    "answers": lambda: _JSON,
    "splicing": lambda: _JSON,
    "fields": lambda: _FIELDS,
    "sockets": lambda: _FRAMES,
    "spans": lambda: _SPANS,
    "receiver": lambda: [*_SPANS, *(request(*spans).SerializeToString() for spans in _EMITTED)],
    "policies": lambda: [
        *_POLICIES_IN_SHORT,
        *(file.read_bytes()[:1500] for file in sorted(_POLICIES.glob("*.yaml"))),
    ],
}
_PIECES = (
    *(b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\", b"\\ud800", b"\\u0000", b"\0", b"\xff"),
    *(b"1e999", b"-0", b"9" * 30, b"null", b"true", b"NaN", b"\xed\xa0\x80", b"\xef\xbb\xbf"),
    *(b"/", b"..", b"%2e", b"%2F", b"%", b"\\", b"?", b"#", b";", b"\r\n", b"\n", b" ", b"\t"),
    *(b"[" * 3000, b'{"a":' * 500, b"a" * 5000, b"- ", b"&a ", b"*a", b"<<: ", b"!!python/x "),
    *(b"1m", b"-1s", b"match: ", b"per: session", b"'", b"|\n", b"\x7f\xff", b"\x81\xfe"),
)


def broken(chance: random.Random, corpus: Sequence[bytes]) -> bytes:
    """One of the corpus with pieces lost, doubled, moved, put in, or of another one."""
    data = bytearray(chance.choice(corpus))
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        size = chance.choice((1, 1, 4, 30))
        match chance.randrange(6):
            case 0:
                del data[at : at + size]
            case 1:
                data[at:at] = data[at : at + size]
            case 2:
                data[at:at] = chance.choice(_PIECES)
            case 3:
                data[at : at + size] = chance.choice(_PIECES)
            case 4:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case _:
                other = chance.choice(corpus)
                start = chance.randrange(len(other))
                data[at:at] = other[start : start + 40]
    return bytes(data)
