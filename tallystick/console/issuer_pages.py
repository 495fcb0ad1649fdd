"""For staff: the legal entities in whose name documents go out."""

from typing import Any, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from litestar.response import Redirect

from tallystick.console import issuer_views as views
from tallystick.console.context import Console, ConsoleContext
from tallystick.console.refusals import REFUSED, status_of
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import ISSUERS
from tallystick.issuers import service
from tallystick.issuers.logo import BYTES_MAX
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput, TallystickError

_READ: Final = {"permission": "staff:read", "page": True}
_ADMIN: Final = {"permission": "staff:admin", "page": True}
_ONE: Final = f"{ISSUERS}/{{issuer_id:str}}"


@get(ISSUERS, opt=_READ, include_in_schema=False)
async def show_issuers(console: Console, request: WebRequest) -> Response[str]:
    """List issuers, the retired ones last."""
    async with console.db.transaction(STAFF) as conn:
        found = await service.list_issuers(conn)
    facts = {"rows": [views.issuer_row(one) for one in found]}
    return page(console, request, "issuers.html", facts, here=ISSUERS)


@get(_ONE, opt=_READ, include_in_schema=False)
async def show_issuer(
    console: Console, request: WebRequest, issuer_id: FromPath[str], *, done: bool = False
) -> Response[str]:
    """Show an issuer's fields; who may change them has a form."""
    return await _page(console, request, ids.parse("issuer", issuer_id), done=done)


@post(_ONE, opt=_ADMIN, include_in_schema=False)
async def change_issuer(
    console: Console, request: WebRequest, issuer_id: FromPath[str]
) -> Response[Any]:
    """Change the fields; documents that were issued stay as they are."""
    wanted, form = ids.parse("issuer", issuer_id), await request.form()
    try:
        asked = views.read_fields(form)
        async with console.db.transaction(WRITER) as conn:
            await service.change_issuer(conn, wanted, asked)
    except REFUSED as error:
        return await _page(console, request, wanted, told=views.typed(form), error=error)
    return Redirect(f"{ISSUERS}/{issuer_id}?done=true", status_code=303)


@post(f"{_ONE}/logo", opt=_ADMIN, include_in_schema=False)
async def set_logo(
    console: Console, request: WebRequest, issuer_id: FromPath[str]
) -> Response[Any]:
    """Print this picture on what is issued from now on."""
    wanted = ids.parse("issuer", issuer_id)
    sent = (await request.form()).get("logo")
    try:
        if not isinstance(sent, UploadFile) or not sent.filename:
            raise BadInput.field("logo", "missing", "choose a PNG or an SVG")
        content = await sent.read(BYTES_MAX + 1)
        async with console.db.transaction(WRITER) as conn:
            await service.set_logo(conn, wanted, content)
    except REFUSED as error:
        return await _page(console, request, wanted, error=error)
    return Redirect(f"{ISSUERS}/{issuer_id}?done=true", status_code=303)


@post(f"{_ONE}/logo/remove", opt=_ADMIN, include_in_schema=False)
async def remove_logo(console: Console, issuer_id: FromPath[str]) -> Response[Any]:
    """Print no picture from now on."""
    async with console.db.transaction(WRITER) as conn:
        await service.set_logo(conn, ids.parse("issuer", issuer_id), None)
    return Redirect(f"{ISSUERS}/{issuer_id}?done=true", status_code=303)


async def _page(
    console: ConsoleContext,
    request: WebRequest,
    issuer_id: UUID,
    *,
    told: dict[str, str] | None = None,
    error: TallystickError | None = None,
    done: bool = False,
) -> Response[str]:
    async with console.db.transaction(STAFF) as conn:
        issuer = await service.get_issuer(conn, issuer_id)
    facts = {
        "issuer": views.issuer_row(issuer),
        "has_logo": issuer.logo_id is not None,
        "fields": views.FIELDS,
        "told": told or views.told_of(issuer),
        "notice": "Saved. It holds for what is issued from now on." if done else "",
        "error": error.detail if error else "",
        "errors": {one.field: one.message for one in getattr(error, "errors", ())},
    }
    status = status_of(error) if error else 200
    return page(console, request, "issuer.html", facts, here=ISSUERS, status=status)


ROUTES: Final = (show_issuers, show_issuer, change_issuer, set_logo, remove_logo)
