"""Stripe's lists: newest first, a page at a time, by the id before or after it."""

from collections.abc import Callable, Sequence

from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json, invalid, no_such
from tallystick.simulators.stripe.params import PAGING

LIST = PAGING
LIMIT_DEFAULT = 10
LIMIT_MAX = 100


def page(call: Call, family: str, wanted: Callable[[Json], bool], url: str | None = None) -> Json:
    """Return the asked page of a family's objects that are `wanted`, newest first."""
    things = [thing for thing in call.state.newest_first(family) if wanted(thing)]
    return page_of(call, family, things, url)


def page_of(call: Call, family: str, things: Sequence[Json], url: str | None = None) -> Json:
    """Return the asked page of objects that are in their order already."""
    limit = _limit(call)
    after, before = call.params.get("starting_after"), call.params.get("ending_before")
    if after and before:
        raise invalid("You cannot use both `starting_after` and `ending_before`.")
    if before:
        end = _place(things, family, before, "ending_before")
        start = max(end - limit, 0)
        part, more = things[start:end], start > 0
    else:
        start = _place(things, family, after, "starting_after") + 1 if after else 0
        part, more = things[start : start + limit], len(things) > start + limit
    return {"object": "list", "data": list(part), "has_more": more, "url": url or f"/v1/{family}s"}


def created_within(call: Call, thing: Json) -> bool:
    """Tell whether the object was made in the range that the parameter `created` asks for."""
    bounds = call.params.get("created")
    if bounds is None:
        return True
    at: int = thing["created"]
    if isinstance(bounds, int):
        return at == bounds
    return all(
        (
            at > bounds.get("gt", at - 1),
            at >= bounds.get("gte", at),
            at < bounds.get("lt", at + 1),
            at <= bounds.get("lte", at),
        )
    )


def _limit(call: Call) -> int:
    limit: int = call.params.get("limit", LIMIT_DEFAULT)
    if not 1 <= limit <= LIMIT_MAX:
        raise invalid(
            f"This value must be between 1 and {LIMIT_MAX}: {limit}",
            code="parameter_invalid_integer",
            param="limit",
        )
    return limit


def _place(things: Sequence[Json], family: str, key: str, param: str) -> int:
    for place, thing in enumerate(things):
        if thing["id"] == key:
            return place
    raise no_such(family, key, param)
