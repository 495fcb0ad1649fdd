"""OAuth 2 client credentials: one client for tokens made in pages, another one for charges."""

import base64
import binascii
import hmac
from datetime import timedelta
from urllib.parse import parse_qs

from tallystick.simulators.ccbill.config import Config
from tallystick.simulators.ccbill.errors import Unauthorized
from tallystick.simulators.ccbill.model import Bearer, ClientKind
from tallystick.simulators.ccbill.state import State
from tallystick.simulators.http import Reply, Request, as_json

PATH = "/ccbill-auth/oauth/token"
FORM = "application/x-www-form-urlencoded"
NO_STORE = {"cache-control": "no-store"}


def issue(state: State, request: Request) -> Reply:
    """Return a fresh access token. Raises Unauthorized for an unknown client.

    The grant may stand in the form or in the query. There is no CORS: a page can not ask.
    """
    kind = _client(state.config, request.headers.get("authorization", ""))
    form = parse_qs(request.body.decode("latin-1"))
    asked = form.get("grant_type") or parse_qs(request.query).get("grant_type") or [""]
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if request.body and content_type != FORM:
        return _refused("invalid_request", f"Content-Type must be {FORM}.")
    if asked != ["client_credentials"]:
        error = "unsupported_grant_type" if asked != [""] else "invalid_request"
        return _refused(error, "grant_type must be client_credentials.")
    lifetime = state.config.token_lifetime_s
    token = state.new_bearer()
    state.put("bearers", token, Bearer(kind, state.now() + timedelta(seconds=lifetime)))
    scope = "create_token read_token" if kind == "frontend" else "charge_token read_token"
    return as_json(
        200,
        {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": lifetime,
            "scope": scope,
        },
        NO_STORE,
    )


def bearer(state: State, authorization: str) -> ClientKind:
    """Return whose access token this is. Raises Unauthorized when it is none, or expired."""
    scheme, _, token = authorization.strip().partition(" ")
    found: Bearer | None = state.get("bearers", token.strip())
    if scheme.lower() != "bearer" or found is None or found.expires_at <= state.now():
        raise Unauthorized("invalid_token", "Full authentication is required.", "Bearer")
    return found.client


def _client(config: Config, authorization: str) -> ClientKind:
    name, _, secret = _basic(authorization).partition(":")
    known: tuple[tuple[ClientKind, str, str], ...] = (
        ("frontend", config.frontend.id, config.frontend.secret),
        ("backend", config.backend.id, config.backend.secret),
    )
    for kind, its_id, its_secret in known:
        if name == its_id and hmac.compare_digest(secret.encode(), its_secret.encode()):
            return kind
    raise Unauthorized("invalid_client", "Bad client credentials.", "Basic")


def _basic(authorization: str) -> str:
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _refused(error: str, description: str) -> Reply:
    return as_json(400, {"error": error, "error_description": description}, NO_STORE)
