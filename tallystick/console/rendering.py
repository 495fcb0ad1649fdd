"""From a template and its facts to an answer; pages are never kept by a cache."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import MediaType, Request, Response

from tallystick.accounts.model import Principal
from tallystick.console.context import ConsoleContext
from tallystick.console.viewer import viewer_of

WebRequest = Request[Any, Any, Any]

# After signing out, the back button must not show what only a signed-in person may see.
_NOT_KEPT: Final = {"Cache-Control": "no-store"}


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("tallystick.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, facts: Mapping[str, object]) -> str:
    """Fill in a template; a fact it misses raises jinja2.UndefinedError."""
    return _templates().get_template(template).render(facts)


def page(
    console: ConsoleContext,
    request: WebRequest,
    template: str,
    facts: Mapping[str, object],
    *,
    here: str = "",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response[str]:
    """Answer with a page; `here` is the link of the navigation that it belongs to."""
    user = request.scope.get("user")
    enabled = console.settings.billing_enabled
    viewer = viewer_of(user, billing_enabled=enabled) if isinstance(user, Principal) else None
    shared = {"viewer": viewer, "here": here, "path": request.url.path, "notice": ""}
    return Response(
        render(template, {**shared, **facts}),
        status_code=status,
        media_type=MediaType.HTML,
        headers={**_NOT_KEPT, **(headers or {})},
    )
