"""Where callbacks may go: every network that is not the public internet is refused, however it is spelt."""

import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest

from bot.outbox.egress import Allowed, NotAllowed, checked, is_denied, is_own

NOBODY = Allowed()

MUST_DENY = (
    # loopback, private, link-local, shared, this network
    *("0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.1.2.3"),  # noqa: S104  # compared, not bound
    *("169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255"),
    # assignments, documentation, relays, benchmarks
    *("192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"),
    # documentation, multicast, reserved, broadcast
    *("203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    # unspecified, loopback, and the form that carries an IPv4 address at its end
    *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    # translation
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
    # discard, Teredo, ORCHID, benchmarks, documentation, 6to4 with a private address in it
    *("100::1", "2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::1"),
    # documentation, segment routing, unique local, link-local, site-local, multicast
    *("3fff::1", "5f00::1", "fc00::1", "fd12:3456:789a::1", "fe80::1", "fec0::1", "ff02::1"),
)
PUBLIC = ("1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "2a00::1")


def test_there_are_at_least_as_many_vectors_as_the_reference_has() -> None:
    assert len(set(MUST_DENY)) >= 49


@pytest.mark.parametrize("address", MUST_DENY)
def test_no_address_that_is_not_public_is_connected_to(address: str) -> None:
    assert is_denied(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is(address: str) -> None:
    assert not is_denied(ip_address(address))
    assert not is_denied(ip_address(f"::ffff:{address}")) if "." in address else True


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/",
        "ftp://hooks.example.com/",
        "file:///etc/passwd",
        "gopher://hooks.example.com/",
        "hooks.example.com",
        "https://",
        "https:///path",
        "https://hooks.example.com:80/",
        "https://hooks.example.com:22/",
        "https://hooks.example.com:0/",
        "https://hooks.example.com:99999/",
        "https://user@hooks.example.com/",
        "https://user:pass@hooks.example.com/",
        "https://hooks.example.com@127.0.0.1/",
        "https://hooks.example.com/#fragment",
        "https://hooks.example.com/#",
        "https://127.0.0.1/",
        "https://1.1.1.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://017700000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://127.0.0.1./",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://\uff11\uff12\uff17.0.0.1/",
        "https://127\u30020\u30020\u30021/",
        "https://stra\u00dfe.example/",
        "https://hooks.example.com\\@127.0.0.1/",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\n",
        "https://ho\u200boks.example.com\u200d/",
        "https://hooks.example.com/\u00fc",
        "https://a..b/",
        "https://<b>agents</b>/",
        "https://a'b.example/",
        "https://a,b.example/",
    ],
)
def test_a_url_that_could_mislead_is_refused(url: str) -> None:
    with pytest.raises(NotAllowed):
        checked(url, NOBODY)


@pytest.mark.parametrize(
    "url, known",
    [
        ("https://hooks.example.com/andon?x=1", "https://hooks.example.com/andon?x=1"),
        ("https://Hooks.Example.COM", "https://hooks.example.com/"),
        ("https://hooks.example.com.:8443/a", "https://hooks.example.com:8443/a"),
        ("https://b\u00fccher.example/", "https://xn--bcher-kva.example/"),
        ("https://hooks.example.com:443/", "https://hooks.example.com:443/"),
    ],
)
def test_a_url_is_kept_in_ascii(url: str, known: str) -> None:
    assert checked(url, NOBODY) == known


@pytest.mark.parametrize(
    "allow, url, may",
    [
        ("10.0.0.5", "http://10.0.0.5:9000/x", True),
        ("10.0.0.5:9000", "http://10.0.0.5:9000/x", True),
        ("10.0.0.5:9000", "http://10.0.0.5:9001/x", False),
        ("10.0.0.5", "http://10.0.0.6/x", False),
        ("receiver", "http://receiver/x", True),
        ("receiver", "http://receiver.example/x", False),
        ("Receiver:8000, other", "http://RECEIVER:8000/x", True),
        ("[::1]:9000", "http://[::1]:9000/", True),
        ("[::1]", "http://[0:0:0:0:0:0:0:1]:9000/", True),
        ("receiver", "ftp://receiver/x", False),
        ("receiver", "http://user@receiver/x", False),
    ],
)
def test_hosts_that_are_allowed_by_name_may_be_private_and_in_clear(allow: str, url: str, may: bool) -> None:
    if may:
        checked(url, Allowed.read(allow))
        return
    with pytest.raises(NotAllowed):
        checked(url, Allowed.read(allow))


def test_the_service_s_own_address_is_no_endpoint() -> None:
    for own in ("https://andon.example.com", "https://andon.example.com:443"):
        with pytest.raises(NotAllowed, match="itself"):
            checked("https://andon.example.com/v1/runs", NOBODY, own=[own])
    assert checked("https://andon.example.com:8443/", NOBODY, own=["https://andon.example.com"])


def test_addresses_of_this_machine_are_known() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: which address would be used?
        mine = probe.getsockname()[0]
    assert is_own(socket.AF_INET, (mine, 80))
    assert is_own(socket.AF_INET, ("127.8.8.8", 80))
    assert is_own(socket.AF_INET, ("0.0.0.0", 80))  # noqa: S104  # compared, not bound
    assert is_own(socket.AF_INET6, ("::ffff:127.0.0.1", 80, 0, 0))
    assert is_own(socket.AF_INET6, ("::1", 80, 0, 0))
    assert not is_own(socket.AF_INET, ("192.0.2.77", 80))


def test_a_named_host_reads_the_same_with_and_without_a_port() -> None:
    allowed = Allowed.read("a.example, b.example:81")
    assert [urlsplit(f"http://{each}/") in allowed for each in ("a.example:5", "b.example", "b.example:81")] == [
        *(True, False, True)
    ]
