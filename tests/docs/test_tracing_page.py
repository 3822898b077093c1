"""The links that docs/tracing.md proposes can be used as they stand there."""

import re

from tests.docs import repository

from subagent_sidecar.core.trace_links import trace_links

SECTION = repository.section(repository.read("docs/tracing.md"), "Links")


def test_the_examples_are_templates_that_name_the_trace() -> None:
    examples = dict(re.findall(r"^  ([a-z]+): \"(http[^\"]+)\"$", SECTION, re.MULTILINE))
    assert examples.keys() == {"jaeger", "grafana", "phoenix", "langfuse"}
    assert all("{trace_id}" in url for url in trace_links(examples).values())
