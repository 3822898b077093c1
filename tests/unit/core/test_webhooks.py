"""Which webhooks a body names, and where they lead, however they are spelled (row 20)."""

import json

import pytest

from subagent_sidecar.core.push.addresses import allow_list
from subagent_sidecar.core.webhooks import UnclearWebhook, host_of, webhooks
from subagent_sidecar.errors import BadBody, WebhookRefused
from subagent_sidecar.proxy.webhooks import Webhooks

HOOK = "https://hooks.example.com/x"

NO_PLAIN_URL = [
    *("", "/x", "//evil.example/x", "x", "hooks.example.com", "?x", "#x", "http:", "http://"),
    *("http:/hooks.example.com", "http:hooks.example.com", "https:///hooks.example.com"),
    *("ftp://hooks.example.com", "file:///etc/passwd", "gopher://hooks.example.com:6379/_x"),
    *("unix:///var/run/docker.sock", "data:,x", "javascript:x", "http+unix://x/y"),
    *("http://u@hooks.example.com", "http://hooks.example.com@169.254.169.254/"),
    *("http://169.254.169.254\\\\@hooks.example.com", "http://hooks.example.com\\\\.evil.example"),
    *("http://a b/", " http://hooks.example.com"),
    *(
        "http://hooks.example.com\t",
        "http://hooks.example.com\n",
        "http://\u2460.example",
        "http://\uff11",
    ),
    *("http://127。0。0。1", "http://hooks%2eexample.com", "http://%31%32%37.1", "http://a\0b"),
    *("http://[::1", "http://::1/", "http://[fe80::1%25eth0]/", "http://[::ffff:127.0.0.1]x/"),
    *("http://hooks.example.com:", "http://hooks.example.com:x", "http://hooks.example.com:99999"),
    *("http://*", "http://hooks.example.com,evil.example", "http://hooks.example.com;evil"),
]
INSIDE = [
    *("http://127.0.0.1", "http://127.1", "http://2130706433", "http://0x7f000001", "http://0"),
    *("http://0177.0.0.1", "http://0x7f.1", "http://017700000001", "http://127.0.0.1."),
    *("http://[::1]", "http://[::]", "http://[::ffff:127.0.0.1]", "http://[::ffff:a9fe:a9fe]"),
    *(
        "http://[64:ff9b::a9fe:a9fe]",
        "http://[2002:7f00:1::]",
        "http://[fe80::1]",
        "http://[fd00::1]",
    ),
    *("http://169.254.169.254/latest/meta-data", "http://10.0.0.1", "http://192.168.1.1"),
    *("http://172.16.0.1", "http://100.64.0.1", "http://0.0.0.0", "http://255.255.255.255"),
    *(
        "http://localhost:8460",
        "http://LOCALHOST.",
        "http://metadata.google.internal",
        "HTTP://127.0.0.1",
    ),
]
NAMES = {
    **dict.fromkeys(("localhost", "localhost."), ("127.0.0.1", "::1")),
    "metadata.google.internal": ("169.254.169.254",),
    "hooks.example.com": ("93.184.216.34",),
    "rebinds.example.com": ("93.184.216.34", "127.0.0.1"),
    **dict.fromkeys(("0x7f000001", "0x7f.1", "127.0.0.1."), ("127.0.0.1",)),
}


async def look_up(host: str) -> tuple[str, ...]:
    if host not in NAMES:
        raise OSError(host)
    return NAMES[host]


def judge(*allowed: str) -> Webhooks:
    return Webhooks(allow_list(list(allowed)), look_up)


def start(webhook: object) -> bytes:
    return json.dumps({"assistant_id": "a", "webhook": webhook}).encode()


def test_there_are_sixty_spellings() -> None:
    assert len({*NO_PLAIN_URL, *INSIDE}) >= 60


@pytest.mark.parametrize("webhook", [*NO_PLAIN_URL, 1, True, [HOOK], {"url": HOOK}])
def test_what_is_no_plain_url_leads_nowhere(webhook: object) -> None:
    with pytest.raises(UnclearWebhook):
        host_of(webhook)


@pytest.mark.parametrize("webhook", INSIDE)
async def test_a_name_on_the_list_leads_to_no_address_inside(webhook: str) -> None:
    with pytest.raises(WebhookRefused, match="webhook_allow"):
        await judge("*").judge(start(webhook))


async def test_what_is_on_the_list_passes_and_nothing_else() -> None:
    await judge("hooks.example.com").judge(start(HOOK))
    await judge("127.0.0.0/8", "::1").judge(start("http://localhost:9/x"))
    for other in ("https://evil.example/", "https://hooks.example.com.evil.example/", HOOK + "\n"):
        with pytest.raises(WebhookRefused):
            await judge("hooks.example.com").judge(start(other))
    with pytest.raises(WebhookRefused):
        await judge().judge(start(HOOK))


async def test_of_several_addresses_all_have_to_be_allowed() -> None:
    with pytest.raises(WebhookRefused):
        await judge("*.example.com").judge(start("https://rebinds.example.com/"))


SAID = [
    (b'{"assistant_id":"a"}', []),
    (b'{"webhook":null}', []),
    (start(HOOK), [HOOK]),
    (b'{"webhook":"a","webhook":"b"}', ["b"]),
    (b'{"w\\u0065bhook":"a"}', ["a"]),
    (b'[{"webhook":"a"},{"webhook":"b"},1]', ["a", "b"]),
    (b'{"method":"run.start","params":{"webhook":"a"}}', ["a"]),
    (b'[{"params":{"webhook":"a"}}]', ["a"]),
    (b'{"input":{"webhook":"a"}}', []),
    ('{"webhook":"a"}'.encode("utf-16"), ["a"]),
    (b'{"webhook":"a","x":NaN,"y":"\\ud800"}', ["a"]),
]


@pytest.mark.parametrize(("body", "found"), SAID, ids=range(len(SAID)))
def test_every_place_for_a_webhook_is_known(body: bytes, found: list[str]) -> None:
    assert webhooks(body) == found


UNREADABLE = [b'{"webhook":', b'{"webhook":"\xff"}', b'{"webhook":' + b"[" * 9000]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody):
        await judge("*").judge(body)


@pytest.mark.parametrize("name", ["pushNotificationConfig", "push_notification_config"])
def test_where_an_a2a_message_wants_news_is_a_webhook(name: str) -> None:
    params = {"message": {}, "configuration": {name: {"url": "http://169.254.169.254/"}}}
    sent = json.dumps({"method": "message/send", "params": params}).encode()
    assert webhooks(sent) == ["http://169.254.169.254/"]
    assert webhooks(b'{"params": {"configuration": {"pushNotificationConfig": 5}}}') == []
