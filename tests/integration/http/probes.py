"""Requests that two parsers may read in two ways (row 21).

Each is followed on its connection by `SMUGGLED`. What comes of it must not depend on whose parser
stands in front: either all of it is refused, or it means what RFC 9112 says it means.
"""

from dataclasses import dataclass

CANARY = b"k3y-0f-s0meb0dy"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
GET = b"GET /x HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + CANARY + b"\r\n"
POST = GET.replace(b"GET", b"POST")
TE = b"Transfer-Encoding: chunked\r\n"
CL = b"Content-Length: 5\r\n"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
BODY = b"\r\nhello"
WRAPPED = b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED
UPGRADE = b"Connection: Upgrade\r\nUpgrade: "


@dataclass(frozen=True)
class Probe:
    """`bodies` are those of the requests the server gets: none if the probe is refused. `last` is
    what the connection ends behind, though it is answered."""

    sent: bytes
    bodies: tuple[bytes, ...] = ()
    last: bool = False


def _length(value: bytes) -> Probe:
    return Probe(POST + b"Content-Length: " + value + b"\r\n" + BODY)


def _coding(value: bytes) -> Probe:
    return Probe(POST + b"Transfer-Encoding: " + value + b"\r\n\r\n" + CHUNKS)


def _field(line: bytes) -> Probe:
    return Probe(POST + line + CL + BODY)


def _chunks(chunks: bytes) -> Probe:
    return Probe(POST + TE + b"\r\n" + chunks)


def _start(line: bytes) -> Probe:
    return Probe(GET.replace(b"GET /x HTTP/1.1", line, 1) + b"\r\n")


_UNDERSTOOD = (b"hello", b"")
_WHOLE = (SMUGGLED,)

LENGTHS = {
    "length and coding": Probe(POST + CL + TE + b"\r\n" + CHUNKS),
    "coding and length": Probe(POST + TE + CL + b"\r\n" + CHUNKS),
    "two lengths": Probe(POST + CL + b"Content-Length: 6\r\n" + BODY),
    "the same length twice": Probe(POST + CL + CL + BODY),
    "list of lengths": _length(b"5, 5"),
    "plus": _length(b"+5"),
    "minus": _length(b"-5"),
    "hexadecimal": _length(b"0x5"),
    "empty length": _length(b""),
    "semicolon": _length(b"5;"),
    "underscore": _length(b"0_5"),
    "two numbers": _length(b"5 5"),
    "decimal": _length(b"5.0"),
    "larger than 64 bits": _length(b"18446744073709551621"),
    "foreign digit": _length("\u0665".encode()),
    "leading zero": Probe(POST + b"Content-Length: 05\r\n" + BODY, _UNDERSTOOD),
    "white space after": Probe(POST + b"Content-Length: 5 \t\r\n" + BODY, _UNDERSTOOD),
}
CODINGS = {
    "unknown coding": _coding(b"xchunked"),
    "chunked is not last": _coding(b"chunked, identity"),
    "identity first": _coding(b"identity, chunked"),
    "gzip first": _coding(b"gzip, chunked"),
    "chunked twice": _coding(b"chunked, chunked"),
    "two codings": _coding(b"chunked\r\nTransfer-Encoding: chunked"),
    "two different codings": _coding(b"chunked\r\nTransfer-Encoding: identity"),
    "identity": Probe(POST + b"Transfer-Encoding: identity\r\n" + CL + BODY),
    "empty coding": _coding(b""),
    "empty list member": _coding(b",chunked"),
    "quoted": _coding(b'"chunked"'),
    "parameter": _coding(b"chunked;q=1"),
    "vertical tab": _coding(b"\x0bchunked"),
    "HTTP/1.0": Probe(POST.replace(b"1.1", b"1.0") + TE + b"\r\n" + CHUNKS),
    "HTTP/1.0 kept": Probe(
        POST.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\n" + TE + b"\r\n" + CHUNKS
    ),
    "any case": Probe(POST + TE.replace(b"chu", b"CHU") + b"\r\n" + CHUNKS, _UNDERSTOOD),
}
FIELDS = {
    "space before the colon": _field(b"Transfer-Encoding : chunked\r\n"),
    "tab before the colon": _field(b"X\t: a\r\n"),
    "folded coding": _field(b"Transfer-Encoding:\r\n chunked\r\n"),
    "folded line": _field(b"X: a\r\n b\r\n"),
    "bare line feed": _field(b"X: a\n"),
    "bare line feed in a value": _field(b"X: a\nTransfer-Encoding: chunked\r\n"),
    "bare carriage return": _field(b"X: a\rTransfer-Encoding: chunked\r\n"),
    "two carriage returns": _field(b"X: a\r\r\n"),
    "NUL": _field(b"X: a\x00b\r\n"),
    "control character": _field(b"X: a\x01b\r\n"),
    "delete": _field(b"X: a\x7fb\r\n"),
    "NUL in a name": _field(b"Content-Length\x00: 9\r\n"),
    "form feed in a name": _field(b"\x0cTransfer-Encoding: chunked\r\n"),
    "no name": _field(b": a\r\n"),
    "no colon": _field(b"Transfer-Encoding\r\n"),
    "bracket in a name": _field(b"X(a): b\r\n"),
    "name beyond ASCII": _field("Xé: b\r\n".encode()),
    "first line folded": Probe(GET.replace(b"Host", b" Host") + b"\r\n"),
    "line feeds only": Probe((POST + CL + b"\r\n").replace(b"\r\n", b"\n") + b"hello"),
    "two hosts": Probe(GET + b"Host: b\r\n\r\n"),
    "the same host twice": Probe(GET + b"Host: a\r\n\r\n"),
    "no host": Probe(GET.replace(b"Host: a\r\n", b"") + b"\r\n"),
    "underscore for a dash": Probe(POST + b"Content_Length: 5\r\n\r\n", (b"", b"")),
}
CHUNKED = {
    "line feed after an extension": _chunks(b"5;a\nhello\r\n0\r\n\r\n"),
    "carriage return in an extension": _chunks(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "NUL in an extension": _chunks(b"5;a\x00b\r\nhello\r\n0\r\n\r\n"),
    "quote left open": _chunks(b'5;a="\r\n\r\nhello\r\n0\r\n\r\n'),
    "0x": _chunks(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "plus": _chunks(b"+5\r\nhello\r\n0\r\n\r\n"),
    "minus": _chunks(b"-5\r\nhello\r\n0\r\n\r\n"),
    "underscore": _chunks(b"0_5\r\nhello\r\n0\r\n\r\n"),
    "space before": _chunks(b" 5\r\nhello\r\n0\r\n\r\n"),
    "space after": _chunks(b"5 \r\nhello\r\n0\r\n\r\n"),
    "no size": _chunks(b"\r\nhello\r\n0\r\n\r\n"),
    "larger than 64 bits": _chunks(b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    "line feed after the size": _chunks(b"5\nhello\r\n0\r\n\r\n"),
    "line feed after the data": _chunks(b"5\r\nhello\n0\r\n\r\n"),
    "more data than said": _chunks(b"5\r\nhelloX\r\n0\r\n\r\n"),
    "line feeds at the end": _chunks(b"5\r\nhello\r\n0\n\n"),
    "no empty line at the end": _chunks(b"5\r\nhello\r\n0\r\n"),
    "framing in the trailer": _chunks(b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n"),
    "coding in the trailer": _chunks(b"5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\n\r\n"),
}
STARTS = {
    "tabs": _start(b"GET\t/x\tHTTP/1.1"),
    "space in the target": _start(b"GET /x y HTTP/1.1"),
    "HTTP/1.2": _start(b"GET /x HTTP/1.2"),
    "HTTP/1.10": _start(b"GET /x HTTP/1.10"),
    "HTTP/2.0": _start(b"GET /x HTTP/2.0"),
    "HTTP/0.9": _start(b"GET /x HTTP/0.9"),
    "lower case": _start(b"GET /x http/1.1"),
    "no version": Probe(b"GET /x\r\n"),
    "preface of HTTP/2": Probe(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": Probe(b"\x16\x03\x01\x00\xee\x01\x00\x00\xea\x03\x03"),
    "made-up method": _start(b"FOO /x HTTP/1.1"),
    "fragment": _start(b"GET /x#y HTTP/1.1"),
    "bytes beyond ASCII": _start("GET /é HTTP/1.1".encode()),
    "no target": _start(b"GET  HTTP/1.1"),
    "relative target": _start(b"GET x HTTP/1.1"),
    "tunnel": Probe(b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    "tunnel to a path": Probe(b"CONNECT /x HTTP/1.1\r\nHost: a\r\n" + WRAPPED),
}
WRAPPINGS = {
    "body of a GET": Probe(GET + WRAPPED, _WHOLE),
    "body beside an upgrade": Probe(POST + UPGRADE + b"websocket\r\n" + WRAPPED, _WHOLE),
    "body of a handshake": Probe(GET + UPGRADE + b"websocket\r\n" + WRAPPED, _WHOLE),
    "body beside an upgrade to TCP": Probe(
        POST + UPGRADE + b"tcp\r\n" + WRAPPED, _WHOLE, last=True
    ),
    "body beside an upgrade to HTTP/2": Probe(
        POST + UPGRADE + b"h2c\r\n" + WRAPPED, _WHOLE, last=True
    ),
    "chunk beside an upgrade": Probe(
        POST
        + UPGRADE
        + b"websocket\r\n"
        + TE
        + b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
        _WHOLE,
    ),
    "after an expectation": Probe(POST + b"Expect: 100-continue\r\n" + WRAPPED, _WHOLE),
}
