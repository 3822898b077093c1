"""Where a push may connect to: names vouch for public addresses, and for nothing else."""

import pytest

from subagent_sidecar.core.push.addresses import AllowList, allow_list

NAMED = allow_list(["hooks.example.com", "*.corp.example"])
PRIVATE = allow_list(["10.1.0.0/16", "127.0.0.1", "fd00::/8"])


@pytest.mark.parametrize(
    ("allow", "host", "address", "allowed"),
    [
        (NAMED, "hooks.example.com", "93.184.216.34", True),
        (NAMED, "HOOKS.example.com.", "2606:2800:220:1::1", True),
        (NAMED, "a.corp.example", "93.184.216.34", True),
        (NAMED, "hooks.example.com.evil.net", "93.184.216.34", False),
        (NAMED, "93.184.216.34", "93.184.216.34", False),
        # a name that somebody points inside
        (NAMED, "hooks.example.com", "127.0.0.1", False),
        (NAMED, "hooks.example.com", "10.1.2.3", False),
        (NAMED, "hooks.example.com", "169.254.169.254", False),
        (NAMED, "hooks.example.com", "100.64.0.1", False),
        (NAMED, "hooks.example.com", "0.0.0.0", False),
        (NAMED, "hooks.example.com", "224.0.0.1", False),
        (NAMED, "hooks.example.com", "::1", False),
        (NAMED, "hooks.example.com", "fe80::1%eth0", False),
        (NAMED, "hooks.example.com", "fec0::1", False),
        (NAMED, "hooks.example.com", "fd00::1", False),
        (NAMED, "hooks.example.com", "::ffff:169.254.169.254", False),
        (NAMED, "hooks.example.com", "64:ff9b::a9fe:a9fe", False),
        (NAMED, "hooks.example.com", "2002:7f00:1::", False),
        (NAMED, "hooks.example.com", "not an address", False),
        # ranges that are named
        (PRIVATE, "whatever.example", "10.1.2.3", True),
        (PRIVATE, "whatever.example", "::ffff:10.1.2.3", True),
        (PRIVATE, "127.0.0.1", "127.0.0.1", True),
        (PRIVATE, "127.0.0.2", "127.0.0.2", False),
        (PRIVATE, "whatever.example", "10.2.0.1", False),
        (PRIVATE, "whatever.example", "93.184.216.34", False),
        (PRIVATE, "whatever.example", "fd12::1", True),
        (allow_list(["*"]), "any.example", "93.184.216.34", True),
        (allow_list(["*"]), "any.example", "192.168.0.1", False),
        (AllowList(), "hooks.example.com", "93.184.216.34", False),
    ],
)
def test_it_is_the_address_that_decides(
    allow: AllowList, host: str, address: str, allowed: bool
) -> None:
    assert allow.allows(host, address) is allowed


def test_a_target_that_can_never_be_reached_is_known_beforehand() -> None:
    assert NAMED.may_allow("hooks.example.com")
    assert not NAMED.may_allow("other.example.com")
    assert not NAMED.may_allow("127.0.0.1")
    assert PRIVATE.may_allow("127.0.0.1")
    assert not PRIVATE.may_allow("2130706433")  # 127.0.0.1, to some
    assert not allow_list(["*"]).may_allow("127.1")
    assert PRIVATE.may_allow("any.example")  # it may resolve to one of the ranges


@pytest.mark.parametrize(
    "given", ["*", [1], ["10.0.0.1/8"], ["http://a.example"], ["a.example:80"], ["a b"], [""]]
)
def test_what_is_neither_a_name_nor_a_range_is_a_mistake(given: object) -> None:
    with pytest.raises(ValueError, match=r"must be a list|neither|is not a range|is a URL"):
        allow_list(given)


def test_a_url_is_told_to_be_one() -> None:
    with pytest.raises(ValueError, match="is a URL; only its host name belongs here"):
        allow_list(["https://hooks.example/done"])
