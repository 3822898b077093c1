"""The routes of supervisors' keys."""

from collections.abc import Iterator

from .kinds import COUNT, DURATION, FLAG, NAME, body, maybe, record, ref, said, several
from .operation import Operation, Parameter

_LISTED = record({"keys": several(ref("Key")), "auth": FLAG})
_MADE = record(
    {
        "key": said(NAME, "the key: shown this once, and kept nowhere"),
        "record": ref("Key"),
        "auth": FLAG,
    }
)
_REVOKED = record({"revoked": several(ref("Key")), "changed": COUNT})
_WHICH = Parameter(
    name="key",
    schema=NAME,
    says="the id of a key, or the name of a supervisor that has only one",
    where="path",
    required=True,
)


def keys() -> Iterator[Operation]:
    yield Operation(
        method="get",
        path="/v1/keys",
        name="listKeys",
        says="The keys of supervisors, revoked ones included; `auth` is whether they are asked "
        "for.",
        answer=_LISTED,
    )
    yield Operation(
        method="post",
        path="/v1/keys",
        name="makeKey",
        says="Makes a key of a supervisor. `agents` are patterns of what it may start, `expires` "
        "is how long it is good for.",
        answer=_MADE,
        body=body(
            {
                "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$"},
                "agents": maybe(several(NAME, minItems=1, maxItems=100)),
                "expires": maybe(DURATION),
                "every_task": FLAG,
            },
            required=("name",),
            examples=[{"name": "team-a"}, {"name": "ci", "agents": ["res*"], "expires": "30d"}],
        ),
        refusals=(400, 413, 415),
    )
    yield Operation(
        method="post",
        path="/v1/keys/{key}/revoke",
        name="revokeKey",
        says="Revokes a key, or all of a supervisor's. `changed` is how many were good until now.",
        answer=_REVOKED,
        parameters=(_WHICH,),
        body=body({"all": FLAG}, examples=[{}]),
        refusals=(400, 404, 409, 413, 415),
    )
