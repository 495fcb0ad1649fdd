"""Who asks, behind proxies: what anybody can send is believed from our own proxies alone."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address


def peer_of(host: str | None, forwarded: Sequence[str], trusted: Sequence[str]) -> str | None:
    """Return the address of the first hop that is not a trusted proxy; None: unknown.

    `host` is who connected; `forwarded` are the values of `X-Forwarded-For`, each hop adding its
    own peer on the right. Read from the right: with the proxy 10.0.0.1 trusted, `host` 10.0.0.1
    and `6.6.6.6, 198.51.100.7`, it is 198.51.100.7; what stands left of it anybody may have sent.
    """
    networks = [ip_network(one) for one in trusted]
    hops = [hop.strip() for value in forwarded for hop in value.split(",")]
    at = _address(host)
    while at is not None and any(at in network for network in networks) and hops:
        at = _address(hops.pop())
    return None if at is None else str(at)


def _address(text: str | None) -> Address | None:
    try:
        found = ip_address((text or "").strip("[]"))
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
