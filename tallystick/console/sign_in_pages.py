"""The door: sign in, sign out, and where to go from the start."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.datastructures import Cookie
from litestar.params import QueryParameter
from litestar.response import Redirect

from tallystick.accounts import sign_in as door
from tallystick.accounts.sign_in import SESSION_LASTS
from tallystick.accounts.tokens import csrf_matches
from tallystick.console.context import Caller, Console
from tallystick.console.forms import safe_next, text_field
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import HOME, home_of
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import Forbidden, NotSignedIn, TooMany

COOKIE: Final = "session_token"
_OPEN: Final = {"public": True, "always_on": True, "page": True}
_OWN_SITE: Final = frozenset({"same-origin", "none"})
_WRONG: Final = "The e-mail address or the password is wrong."


@get(HOME, opt={"permission": "billing:read", "always_on": True, "page": True},
     include_in_schema=False)  # fmt: skip
async def show_start(console: Console, request: WebRequest, principal: Caller) -> Response[Any]:
    """Go on to where this person's work is."""
    if not console.settings.billing_enabled:
        return page(console, request, "switched_off.html", {})
    return Redirect(home_of(principal), status_code=303)


@get("/sign-in", opt=_OPEN, include_in_schema=False)
async def show_sign_in(
    console: Console,
    request: WebRequest,
    following: Annotated[str, QueryParameter(name="next", description="where to go on to")] = HOME,
) -> Response[str]:
    """Show the form; `next` is the page that was asked for."""
    facts = {"next": safe_next(following), "email": "", "error": ""}
    return page(console, request, "sign_in.html", facts)


@post("/sign-in", opt=_OPEN, include_in_schema=False)
async def sign_in(console: Console, request: WebRequest) -> Response[Any]:
    """Begin a session, or show the form again with one sentence (401, 429)."""
    _refuse_other_sites(request)
    form = await request.form()
    email, address = text_field(form, "email"), request.client.host if request.client else ""
    password = text_field(form, "password")
    try:
        entered = await console.sign_in.sign_in(email, password, address, console.clock())
    except (NotSignedIn, TooMany) as error:
        return _again(console, request, form, error)
    answer = Redirect(safe_next(text_field(form, "next")), status_code=303)
    answer.set_cookie(_cookie(console, entered.token, int(SESSION_LASTS.total_seconds())))
    return answer


@post("/sign-out", opt=_OPEN, include_in_schema=False)
async def sign_out(console: Console, request: WebRequest) -> Response[Any]:
    """End the session; public, so that one that has ended already can be left as well."""
    token = request.cookies.get(COOKIE, "")
    if token:
        given = text_field(await request.form(), "csrf_token")
        if not csrf_matches(token, given):
            raise Forbidden("csrf_token_invalid", "Send the page's CSRF token.")
        async with console.db.transaction(WRITER) as conn:
            await door.sign_out(conn, token, console.clock())
    answer = Redirect("/sign-in", status_code=303)
    answer.set_cookie(_cookie(console, "", 0))
    return answer


def _again(
    console: Console,
    request: WebRequest,
    form: Mapping[str, object],
    error: NotSignedIn | TooMany,
) -> Response[str]:
    """Show the form again, with what was wrong in one sentence."""
    status, sentence, headers = HTTPStatus.UNAUTHORIZED, _WRONG, {}
    if isinstance(error, TooMany):
        seconds = int(str(error.extra["retry_after"]))
        status, headers = HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(seconds)}
        sentence = f"Too many tries. Wait {-(-seconds // 60)} min, then try again."
    facts = {
        "next": safe_next(text_field(form, "next")),
        "email": text_field(form, "email"),
        "error": sentence,
    }
    return page(console, request, "sign_in.html", facts, status=status, headers=headers)


def _refuse_other_sites(request: WebRequest) -> None:
    """Refuse a form of another site, which would sign its visitor in as somebody else.

    There is no session yet that a token could be bound to; every browser sends this header.
    """
    if request.headers.get("sec-fetch-site", "none") not in _OWN_SITE:
        raise Forbidden("cross_site_sign_in", "Sign in on this site's own page.")


def _cookie(console: Console, token: str, seconds: int) -> Cookie:
    return Cookie(
        key=COOKIE,
        value=token,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=console.settings.cookie_secure,
    )


ROUTES: Final = (show_start, show_sign_in, sign_in, sign_out)
