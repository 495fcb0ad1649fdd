"""What the description says of usage events, in the three ways of writing them.

The bodies are read by `metering`, which takes thousands of events at a time; here is what it takes.
"""

from typing import Any, Final

from tallystick.metering.model import EVENTS_MAX, TEXT_LENGTH_MAX
from tallystick.metering.requests import CLOUDEVENT, CLOUDEVENT_BATCH, JSON

Json = dict[str, Any]

TEXT: Final[Json] = {
    "type": "string",
    "minLength": 1,
    "maxLength": TEXT_LENGTH_MAX,
    "pattern": r"^[^\x00-\x1f\x7f-\x9f]+$",
}
_OPTIONAL_TEXT: Final[Json] = {"anyOf": [TEXT, {"type": "null"}]}
_TIME: Final[Json] = {
    "anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}],
    "description": "When it happened, at most an hour ahead unless set otherwise; left out: now.",
}
PROPERTIES: Final[Json] = {
    "type": "object",
    "description": "What a meter sums must be a number, or a decimal string, from 0.",
}
_MANY: Final[Json] = {"type": "array", "minItems": 1, "maxItems": EVENTS_MAX}

_CLOUDEVENT: Final[Json] = {
    "title": "CloudEvent",
    "description": "CloudEvents 1.0; other attributes are extensions.",
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": TEXT,
        "source": TEXT,
        "type": TEXT,
        "subject": {**TEXT, "description": "The account: its id, or your own for it."},
        "time": _TIME,
        "data": PROPERTIES,
        "data_base64": {"type": "null"},
    },
}
_LAGO_EVENT: Final[Json] = {
    "title": "LagoEvent",
    "type": "object",
    "required": ["transaction_id", "code"],
    "properties": {
        "transaction_id": TEXT,
        "code": {**TEXT, "description": "The code of a meter."},
        "external_subscription_id": _OPTIONAL_TEXT,
        "external_customer_id": _OPTIONAL_TEXT,
        "timestamp": {
            "description": "Seconds since 1970.",
            "anyOf": [
                {"type": "integer", "minimum": 0, "maximum": 99_999_999_999},
                {"type": "string", "pattern": r"^[0-9]{1,11}(\.[0-9]{1,12})?$"},
                {"type": "null"},
            ],
        },
        "properties": {"anyOf": [PROPERTIES, {"type": "null"}]},
        "precise_total_amount_cents": {"type": ["string", "null"]},
    },
    "anyOf": [
        {"required": [name], "properties": {name: {"type": "string"}}}
        for name in ("external_subscription_id", "external_customer_id")
    ],
}
_LAGO_ECHO: Final[Json] = {
    "title": "LagoEventEcho",
    "description": "The event as it was sent; without a time, with the time when it came.",
    "type": "object",
    "required": ["event"],
    "properties": {
        "event": {"type": "object", "required": ["transaction_id", "code", "timestamp"]}
    },
}
OWN_EVENT: Final[Json] = {
    "title": "Event",
    "type": "object",
    "required": ["id", "subject"],
    "properties": {
        "id": TEXT,
        "source": {**TEXT, "default": "api"},
        "type": TEXT,
        "meter": TEXT,
        "subject": TEXT,
        "time": _TIME,
        "properties": PROPERTIES,
    },
    "additionalProperties": False,
    "oneOf": [{"required": ["type"]}, {"required": ["meter"]}],
}
_LAGO: Final[Json] = {
    "title": "LagoEventBody",
    "type": "object",
    "required": ["event"],
    "properties": {"event": _LAGO_EVENT},
}
_LAGO_MANY: Final[Json] = {
    "title": "LagoEventsBody",
    "type": "object",
    "required": ["events"],
    "properties": {"events": {**_MANY, "items": _LAGO_EVENT}},
}
_OWN: Final[Json] = {
    "title": "EventsBody",
    "type": "object",
    "required": ["events"],
    "properties": {"events": {**_MANY, "items": OWN_EVENT}},
    "additionalProperties": False,
}
_CLOUDEVENTS: Final[Json] = {**_MANY, "items": _CLOUDEVENT}

EVENTS_BODY: Final[Json] = {
    "required": True,
    "description": 'One CloudEvent, a batch of them, Lago\'s `{"event": …}` or '
    '`{"events": […]}`, or our own `{"events": […]}`.',
    "content": {
        CLOUDEVENT: {"schema": _CLOUDEVENT},
        CLOUDEVENT_BATCH: {"schema": _CLOUDEVENTS},
        JSON: {"schema": {"anyOf": [_CLOUDEVENT, _CLOUDEVENTS, _LAGO, _LAGO_MANY, _OWN]}},
    },
}
RECORD_BODY: Final[Json] = {
    "required": True,
    "description": "One event in our own form; without a subject it is the key's own account's.",
    "content": {
        JSON: {
            "schema": {
                **OWN_EVENT,
                "title": "EventToRecord",
                "required": ["id"],
                "properties": {**OWN_EVENT["properties"], "subject": _OPTIONAL_TEXT},
            }
        }
    },
}
LAGO_BODY: Final[Json] = {
    "required": True,
    "description": "Lago's batch of events.",
    "content": {JSON: {"schema": _LAGO_MANY}},
}
EVENTS_ANSWERS: Final[Json] = {
    "200": {
        "description": "Lago's body again; or, for our own form and with "
        "`Prefer: return=representation`, what became of each event.",
        "content": {
            JSON: {
                "schema": {
                    "anyOf": [{"$ref": "#/components/schemas/Results"}, _LAGO_ECHO, _LAGO_MANY]
                }
            }
        },
    },
    "204": {"description": "CloudEvents: all of them are stored, or parked."},
}
LAGO_ANSWERS: Final[Json] = {
    "200": {
        "description": "All of them are stored, or parked; the body again. With "
        "`Prefer: return=representation`, what became of each event.",
        "content": {JSON: {"schema": _LAGO_MANY}},
    }
}
PREFER: Final[Json] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`return=representation` asks for a result for each event.",
    "schema": {"type": "string"},
}
