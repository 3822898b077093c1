"""The route of the tools."""

from collections.abc import Iterator

from ...core import toolset
from .kinds import ANY_OBJECT, MOMENT, NAME, TEXT, body, maybe, record, said, several, words
from .operation import Operation, Parameter

_TASK = {
    "task_id": NAME,
    "agent_name": TEXT,
    "status": maybe(TEXT),
    "run_id": maybe(TEXT),
    "purpose": maybe(TEXT),
    "created_at": MOMENT,
}
_LISTED = record(_TASK)
_TOLD = record(
    {
        "tool": words(*toolset.NAMES),
        "text": said(TEXT, "what a model is given"),
        "content": said(several(ANY_OBJECT), "the same as blocks, where there are media"),
        "tasks": said(several(_LISTED), "of a list"),
        **_TASK,
    },
    optional=("content", "tasks", *_TASK),
)
_TOOL = Parameter(
    name="tool",
    schema=words(*toolset.NAMES),
    says="which tool",
    where="path",
    required=True,
)


def tools() -> Iterator[Operation]:
    yield Operation(
        method="post",
        path="/v1/tools/{tool}",
        name="callTool",
        says="Uses a tool as a model would; its problems carry the `text` for a model, too.",
        answer=_TOLD,
        parameters=(_TOOL,),
        body=body(
            {
                "arguments": said(ANY_OBJECT, "those of the tool: `GET /sidecar/tools`"),
                "session": said(NAME, "that the task of a start is to be in"),
            },
            examples=[{"arguments": {"task_id": "019aaf6e-8a51-7c60-9d1e-6b0a2f0d8e11"}}],
        ),
        refusals=(400, 402, 403, 404, 409, 413, 415, 502, 504),
    )
