"""Webhook endpoints: who is told of which events, and with which secret it is signed."""

from urllib.parse import urlsplit

from tallystick.simulators.stripe.call import API_VERSION, Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.old_versions import api_version
from tallystick.simulators.stripe.paging import LIST, page
from tallystick.simulators.stripe.params import (
    Shape,
    boolean,
    clearable,
    many,
    merged,
    metadata,
    text,
)
from tallystick.simulators.stripe.state import State

FIELDS: Shape = {
    "description": clearable(text),
    "enabled_events": many(text),
    "metadata": metadata,
    "url": text,
}
# Secrets are kept apart: an endpoint shows its own only in the answer that made it.
SECRETS = "_webhook_secret"
# The endpoint that the command line names has one id, so that a restart does not double it.
STARTUP_ID = "we_commandline"


def add(state: State, key: str, url: str, secret: str, enabled_events: list[str]) -> Json:
    """Make or replace an endpoint; inside a change of the state."""
    state.put(SECRETS, key, {"secret": secret})
    return state.save(
        {
            "id": key,
            "object": "webhook_endpoint",
            "api_version": API_VERSION,
            "application": None,
            "created": state.now(),
            "description": None,
            "enabled_events": enabled_events,
            "livemode": False,
            "metadata": {},
            "status": "enabled",
            "url": url,
        }
    )


def secret_of(state: State, key: str) -> str:
    """Return the signing secret of an endpoint that exists."""
    entry = state.get(SECRETS, key) or {}
    return str(entry["secret"])


def _create(call: Call) -> Json:
    key, secret = call.state.ids.new("we"), call.state.ids.new("whsec")
    _check(call)
    endpoint = add(call.state, key, call.params["url"], secret, call.params["enabled_events"])
    given = {
        "api_version": call.params.get("api_version", API_VERSION),
        "description": call.params.get("description"),
        "metadata": merged({}, call.params.get("metadata") or {}),
    }
    return {**call.state.save({**endpoint, **given}), "secret": secret}


def _check(call: Call) -> None:
    url = urlsplit(call.params.get("url", "http://unchanged"))
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise invalid("Invalid URL: it must begin with http:// or https://.", param="url")
    if call.params.get("enabled_events") == []:
        raise invalid("At least one event must be enabled.", param="enabled_events")


def _retrieve(call: Call) -> Json:
    return call.found("webhook_endpoint", call.path["id"])


def _update(call: Call) -> Json:
    before = call.found("webhook_endpoint", call.path["id"])
    _check(call)
    given = dict(call.named())
    if "disabled" in given:
        given["status"] = "disabled" if given.pop("disabled") else "enabled"
    if "metadata" in given:
        given["metadata"] = merged(before["metadata"], given["metadata"])
    return call.state.save({**before, **given})


def _delete(call: Call) -> Json:
    key = call.found("webhook_endpoint", call.path["id"])["id"]
    call.state.drop("webhook_endpoint", key)
    call.state.drop(SECRETS, key)
    return {"id": key, "object": "webhook_endpoint", "deleted": True}


def _list(call: Call) -> Json:
    return page(call, "webhook_endpoint", lambda _: True)


ONE = "/v1/webhook_endpoints/{id}"
ROUTES = (
    Route(
        "POST",
        "/v1/webhook_endpoints",
        _create,
        {**FIELDS, "api_version": api_version},
        ("enabled_events", "url"),
    ),
    Route("GET", "/v1/webhook_endpoints", _list, LIST),
    Route("GET", ONE, _retrieve),
    Route("POST", ONE, _update, {**FIELDS, "disabled": boolean}),
    Route("DELETE", ONE, _delete),
)
