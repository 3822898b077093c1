"""What instruments a process: each of them as its own documentation has it, and no more.

None of them carries a context from one server to the next.
"""

from collections.abc import Callable

from openinference.instrumentation.langchain import LangChainInstrumentor as OpenInference
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.langchain import LangchainInstrumentor as OpenLLMetry
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

_EVERY_MS = 300
"""The default of five seconds would be five seconds of waiting."""


def emit(name: str, endpoint: str, *, service: str) -> TracerProvider:
    """From now on what LangChain does in this process is told at `endpoint`."""
    provider = TracerProvider(resource=Resource.create({"service.name": f"{service}-{name}"}))
    exporter = OTLPSpanExporter(endpoint)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_EVERY_MS))
    _EMITTERS[name](provider)
    return provider


def _openinference(provider: TracerProvider) -> None:
    OpenInference().instrument(tracer_provider=provider)


def _openllmetry(provider: TracerProvider) -> None:
    OpenLLMetry().instrument(tracer_provider=provider)


def _langsmith(provider: TracerProvider) -> None:
    """The rest is in LANGSMITH_TRACING, LANGSMITH_OTEL_ENABLED and LANGSMITH_OTEL_ONLY."""
    trace.set_tracer_provider(provider)


_EMITTERS: dict[str, Callable[[TracerProvider], None]] = {
    "openinference": _openinference,
    "openllmetry": _openllmetry,
    "langsmith": _langsmith,
}
