"""What the description says of requests to correct usage; `corrections` reads them."""

from typing import Any, Final

from tallystick.api.event_schemas import OWN_EVENT, PROPERTIES, TEXT
from tallystick.corrections.service import EVENTS_MAX
from tallystick.metering.requests import JSON
from tallystick.payments.approvals import REASON_LENGTH_MAX

Json = dict[str, Any]

_OPTIONAL_TEXT: Final[Json] = {"anyOf": [TEXT, {"type": "null"}]}
_ASKED: Final[Json] = {
    "reason": {
        "type": "string",
        "minLength": 1,
        "maxLength": REASON_LENGTH_MAX,
        "pattern": r"^[^\x00]*[^\x00\s][^\x00]*$",
    },
    "confirm": {
        "type": ["string", "null"],
        "description": "The `confirmation` that came with the effect on issued invoices.",
    },
    "preview": {
        "type": "boolean",
        "default": False,
        "description": "Only show the effect, also where nothing has to be confirmed.",
    },
}
_NAMED: Final[Json] = {
    **_ASKED,
    "source": {**_OPTIONAL_TEXT, "description": "The event's source; left out: `api`."},
    "subject": {
        **_OPTIONAL_TEXT,
        "description": "The account, where neither the key nor `X-Account-Id` says it.",
    },
}


def _body(title: str, properties: Json, required: list[str], **more: Any) -> Json:
    schema = {
        "title": title,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **more,
    }
    return {"required": True, "content": {JSON: {"schema": schema}}}


REVERSE_BODY: Final = _body("ReverseEvent", _NAMED, ["reason"])
AMEND_BODY: Final = _body(
    "AmendEvent",
    {
        **_NAMED,
        "type": TEXT,
        "time": {"type": "string", "format": "date-time"},
        "properties": {**PROPERTIES, "description": "All of them; the old ones are dropped."},
    },
    ["reason"],
    anyOf=[{"required": [name]} for name in ("type", "time", "properties")],
)
BACKFILL_BODY: Final = _body(
    "BackfillEvents",
    {
        **_ASKED,
        "events": {
            "type": "array",
            "minItems": 1,
            "maxItems": EVENTS_MAX,
            "description": "All of one account.",
            "items": {
                **OWN_EVENT,
                "title": "EventToBackfill",
                "required": ["id", "subject", "time"],
                "properties": {
                    **OWN_EVENT["properties"],
                    "time": {"type": "string", "format": "date-time"},
                },
            },
        },
    },
    ["reason", "events"],
)
