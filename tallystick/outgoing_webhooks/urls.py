"""Whether an address of an endpoint can be taken, before anything is sent to it."""

from ipaddress import ip_address
from typing import Final

import httpx
import msgspec

from tallystick.kernel.errors import BadInput
from tallystick.outgoing_webhooks.addresses import is_public

URL_LENGTH_MAX: Final = 2048
_PORT_MAX: Final = 65_535


class Reach(msgspec.Struct, frozen=True):
    """Where webhooks may go, as the settings say."""

    private: bool = False
    """Also to addresses that are not of the public internet."""
    http: bool = False
    """Also without TLS."""


def check_url(text: str, reach: Reach) -> str:
    """Return the address in its normal form.

    Raises BadInput naming `url`: `invalid_url`, `https_required`, `credentials_in_url`,
    `address_not_allowed`. Names are looked up when something is sent, each time.
    """
    url = _parsed(text)
    if url.scheme not in {"http", "https"}:
        raise BadInput.field("url", "invalid_url", "must begin with https://")
    if url.scheme == "http" and not reach.http:
        raise BadInput.field("url", "https_required", "must begin with https://")
    if url.userinfo:
        message = "must not hold a user or a password: verify the signature in their place"
        raise BadInput.field("url", "credentials_in_url", message)
    if not url.host or url.fragment or not 1 <= (url.port or 443) <= _PORT_MAX:
        raise BadInput.field("url", "invalid_url", "must have a host, a port, and no fragment")
    if not reach.private and _is_private_literal(url.host):
        message = "must not name an address inside a private network"
        raise BadInput.field("url", "address_not_allowed", message)
    return str(url)


def _parsed(text: str) -> httpx.URL:
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > URL_LENGTH_MAX:
        message = f"must be printable ASCII without spaces, {URL_LENGTH_MAX} characters at most"
        raise BadInput.field("url", "invalid_url", message)
    try:
        return httpx.URL(text)
    except httpx.InvalidURL as error:
        raise BadInput.field("url", "invalid_url", "is no address") from error


def _is_private_literal(host: str) -> bool:
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return False
