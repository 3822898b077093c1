"""The answers of OTLP, held against the protocol's own classes."""

import json

import pytest
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from subagent_sidecar.core.otlp import Encoding, rpc_code, status, taken

CASES = [(0, ""), (3, "three of them"), (0, "a warning é"), (2**40, "x" * 300)]


@pytest.mark.parametrize(("rejected", "message"), CASES)
def test_what_was_taken_is_told_in_protobuf(rejected: int, message: str) -> None:
    answer = ExportTraceServiceResponse.FromString(
        taken(Encoding.PROTOBUF, rejected=rejected, message=message)
    )
    said = answer.partial_success
    assert (said.rejected_spans, said.error_message) == (rejected, message)
    assert answer.HasField("partial_success") is bool(rejected or message)


def test_what_was_taken_is_told_in_json() -> None:
    assert taken(Encoding.JSON, rejected=0, message="") == b"{}"
    told = json.loads(taken(Encoding.JSON, rejected=3, message="no"))
    assert told == {"partialSuccess": {"rejectedSpans": "3", "errorMessage": "no"}}


def test_a_failure_is_a_status() -> None:
    told = Status.FromString(status(Encoding.PROTOBUF, code=14, message="later"))
    assert (told.code, told.message) == (14, "later")
    assert json.loads(status(Encoding.JSON, code=3, message="é")) == {"code": 3, "message": "é"}


def test_every_status_has_a_code() -> None:
    assert [rpc_code(http) for http in (400, 404, 413, 415, 503, 500)] == [3, 5, 8, 3, 14, 13]
