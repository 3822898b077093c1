"""Who needs a key to be served has no say in where an agent server posts (row 20)."""

from tests.integration.auth.rig import from_clients, guarded
from tests.integration.http.test_webhooks import RUN, request


async def test_none_may_lead_anywhere_until_the_list_says_so() -> None:
    async with guarded() as (server, front, key), front.wire() as wire:
        field = f"x-api-key: {key}".encode()
        got = await wire.ask(request("/threads/t/runs", RUN, "POST", field))
        assert (got.status, from_clients(server)) == (403, [])
        plain = request("/threads/t/runs", b'{"assistant_id":"a"}', "POST", field)
        assert (await wire.ask(plain)).status == 200
