"""Where webhooks may go."""

from ipaddress import ip_address

import pytest

from tallystick.kernel.errors import BadInput
from tallystick.outgoing_webhooks.addresses import is_public, is_public_text
from tallystick.outgoing_webhooks.urls import Reach, check_url

PRIVATE = (
    "0.0.0.0",  # noqa: S104 - an address to be refused
    "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.192",
    "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::",
    "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1",
    "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1", "ff02::1",
)  # fmt: skip
PUBLIC = ("8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::808:808")


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_of_the_public_internet_is_refused(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_taken(text: str) -> None:
    assert is_public_text(text)


def test_what_is_no_address_is_not_public() -> None:
    assert not is_public_text("example.com")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "invalid_url"),
        ("example.com/hook", "invalid_url"),
        ("ftp://example.com/", "invalid_url"),
        ("https:///hook", "invalid_url"),
        ("https://exa mple.com/", "invalid_url"),
        ("https://example.com/\x00", "invalid_url"),
        ("https://example.com/#part", "invalid_url"),
        ("https://example.com:99999/", "invalid_url"),
        (f"https://example.com/{'x' * 2048}", "invalid_url"),
        ("http://example.com/", "https_required"),
        ("https://user:secret@example.com/", "credentials_in_url"),
        ("https://127.0.0.1/", "address_not_allowed"),
        ("https://[::ffff:10.0.0.1]/", "address_not_allowed"),
        ("https://169.254.169.254/latest/meta-data", "address_not_allowed"),
    ],
)
def test_a_url_that_can_not_be_taken_is_refused_with_its_reason(url: str, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_url(url, Reach())
    (error,) = refused.value.errors
    assert (error.field, error.code) == ("url", code)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "reach"),
    [
        ("https://example.com/hooks?tenant=1", Reach()),
        ("https://example.com:8443/", Reach()),
        ("https://93.184.216.34/", Reach()),
        ("http://example.com/", Reach(http=True)),
        ("https://10.0.0.1/", Reach(private=True)),
    ],
)
def test_a_url_that_can_be_taken_stays_as_it_is(url: str, reach: Reach) -> None:
    assert check_url(url, reach) == url
