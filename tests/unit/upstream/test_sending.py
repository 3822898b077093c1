"""Requests as bytes. What servers see of them is in tests/integration/upstream."""

import pytest

from subagent_sidecar.errors import RequestError
from subagent_sidecar.ports import Outgoing
from subagent_sidecar.upstream.sending import encode


@pytest.mark.parametrize("body", [None, b"", b"a\r\nb\n"])
@pytest.mark.parametrize("evil", [b"\n", b"\r", b"\r\n"])
@pytest.mark.parametrize("place", range(4))
def test_no_line_break_gets_into_a_head(place: int, evil: bytes, body: bytes | None) -> None:
    """Row 21: whatever let it through, it does not become a second request."""
    parts = [b"GET", b"/", b"Name", b"value"]
    sane = Outgoing(method=parts[0], target=parts[1], headers=[(parts[2], parts[3])], body=body)
    assert encode(sane).endswith(b"\r\n\r\n" + (body or b""))
    parts[place] += evil + b"x"
    with pytest.raises(RequestError, match="line break"):
        encode(
            Outgoing(method=parts[0], target=parts[1], headers=[(parts[2], parts[3])], body=body)
        )


def test_a_request_may_have_no_fields_at_all() -> None:
    assert encode(Outgoing(method=b"GET", target=b"/", headers=())) == b"GET / HTTP/1.1\r\n\r\n"
