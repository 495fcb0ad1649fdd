"""How answers look: money, lists, quantities; one shape for every route of every seed.

An amount appears twice: exact as an integer in minor units (`total_cents`) and for people as a
decimal JSON number in major units (`total`). Unit prices and quantities are decimal strings.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec
from litestar import Response

from tallystick.kernel.paging import Page
from tallystick.money.amount import Money

_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")


class JsonResponse(Response[Any]):
    """Encodes decimals as JSON numbers with all their digits; never through a float."""

    def render(self, content: Any, media_type: str, enc_hook: Any = None) -> bytes:
        """Return the body's bytes."""
        if isinstance(content, bytes | str):
            return super().render(content, media_type, enc_hook)
        return encode(content)


def encode(content: Any) -> bytes:
    """Write JSON; decimals are numbers with all their digits, never through a float."""
    return _ENCODER.encode(content)


class Pagination(msgspec.Struct, frozen=True):
    """Where in the list this part stands."""

    page: int
    limit: int
    total: int
    total_pages: int
    next_cursor: str | None


def pagination(page: Page[Any]) -> Pagination:
    """Describe a page."""
    request = page.request
    return Pagination(request.page, request.limit, page.total, page.total_pages, page.next_cursor)


def major(minor: int, currency: str) -> Decimal:
    """Return the amount in major units, for people: `major(4900, "USD") == Decimal("49.00")`."""
    return Money(minor, currency).to_decimal()


def plain(quantity: Decimal) -> str:
    """Write a decimal without an exponent and without needless zeros: `10`, `0.02`, `1000`."""
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
