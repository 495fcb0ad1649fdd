"""Lists as Lago writes them: a page, and `meta` about it."""

from collections.abc import Mapping, Sequence
from typing import Final

from tallystick.simulators.lago.errors import Json

PER_PAGE: Final = 20


def paged(name: str, items: Sequence[Json], query: Mapping[str, str]) -> Json:
    """Return one page of the items."""
    page, size = _number(query, "page", 1), _number(query, "per_page", PER_PAGE)
    page_count = -(-len(items) // size)
    first = (page - 1) * size
    meta = {
        "current_page": page,
        "next_page": page + 1 if page < page_count else None,
        "prev_page": page - 1 if page > 1 else None,
        "total_pages": page_count,
        "total_count": len(items),
    }
    return {name: list(items[first : first + size]), "meta": meta}


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "")
    return max(int(text), 1) if text.isdecimal() else default
