"""Which addresses a webhook may go to: those of the public internet, however they are written.

Whoever names an endpoint would otherwise let this server knock on doors that only it can reach: a
database beside it, a cloud's metadata service, a router.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

# Beyond what Python knows as not global (older ones know less): IETF protocol assignments with
# Oracle's metadata service at 192.0.0.192 (RFC 6890), 6to4 relays (RFC 7526), Azure's host agent.
_REFUSED_4: Final = tuple(
    ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
# Inside it: addresses that carry an IPv4 address (Teredo in 2001::/23, 6to4), and documentation.
_REFUSED_6: Final = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
# How a network without IPv4 reaches IPv4 (RFC 6052): judged by the address inside.
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether this is an address of the public internet, to be reached by anybody."""
    if isinstance(address, IPv4Address):
        is_open = address.is_global and not address.is_multicast and not address.is_reserved
        return is_open and not any(address in network for network in _REFUSED_4)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    is_open = address in _GLOBAL_UNICAST and address.is_global and address.scope_id is None
    return is_open and not any(address in network for network in _REFUSED_6)


def is_public_text(text: str) -> bool:
    """Tell it of an address as a resolver writes it; what is none is not public."""
    try:
        return is_public(ip_address(text))
    except ValueError:
        return False
