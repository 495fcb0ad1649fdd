"""What the description says of every route alike: problems, credentials, headers, names of ids."""

from typing import Any, Final

from tallystick.exports.sheets import ACCOUNT_SHEETS
from tallystick.kernel.ids import PREFIXES

Json = dict[str, Any]

PROBLEM_SCHEMA: Final[Json] = {
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457); `code` is stable.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
HEADERS: Final[Json] = {
    "X-Request-Id": {
        "description": "The request's id: yours, where you sent a usable one.",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
    },
    "RateLimit-Limit": {
        "description": "Requests a minute.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit-Remaining": {
        "description": "How many are left in this minute.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
    "RateLimit-Reset": {
        "description": "Seconds until the next minute begins.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "ETag": {
        "description": "Names exactly this content; send it back as `If-None-Match`.",
        "required": True,
        "schema": {"type": "string", "pattern": '^"[0-9a-f]+"$'},
    },
    "Idempotent-Replayed": {
        "description": "The answer that the same `Idempotency-Key` got before.",
        "schema": {"type": "string", "const": "true"},
    },
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
    },
}
RATE: Final = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")


def headers(*names: str) -> Json:
    """Name headers of an answer; what they are is said once, in the components."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


REFUSED: Final[Json] = {
    "description": "Refused; `code` says why.",
    "headers": headers("X-Request-Id", "Retry-After"),
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}
NOT_MODIFIED: Final = "Nothing has changed since the ETag that was sent."
SCHEMES: Final[Json] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "API key (`tsk_…`) or JWT"},
    "sessionId": {
        "type": "apiKey",
        "in": "header",
        "name": "X-SESSION-ID",
        "description": "A session's token, beside a bearer token of the same user.",
    },
    "session": {"type": "apiKey", "in": "cookie", "name": "session_token"},
    "jwtCookie": {"type": "apiKey", "in": "cookie", "name": "access_token"},
    "csrf": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-Token",
        "description": "Beside a cookie, for whatever changes something: the HMAC-SHA256 of "
        "`csrf` under the cookie's value, in hexadecimal.",
    },
}
HEADER_PARAMETERS: Final[Json] = {
    "Idempotency-Key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Your name for this intent: the same key and body get the same answer.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "X-Account-Id": {
        "name": "X-Account-Id",
        "in": "header",
        "description": "The account that the request is about, where the credential leaves it "
        "open: its id, or your own for it.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    },
    "If-None-Match": {
        "name": "If-None-Match",
        "in": "header",
        "description": "ETags that you have the content of, or `*`.",
        "schema": {"type": "string"},
    },
}


def header_parameter(name: str) -> Json:
    """Name a header that many requests may carry."""
    return {"$ref": f"#/components/parameters/{name}"}


def typeid(kind: str) -> Json:
    """Describe an id of ours (TypeID) of this kind."""
    return {"type": "string", "pattern": rf"^{PREFIXES[kind]}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$"}


PERCENTILE: Final = r"^(100|[0-9]{1,2}(\.[0-9]{1,3})?)$"

PARAMETERS: Final[Json] = {
    "own_sheet": {"type": "string", "enum": [f"{name}.csv" for name in ACCOUNT_SHEETS]},
    "sheet": {"type": "string", "enum": [f"{name}.csv" for name in (*ACCOUNT_SHEETS, "journal")]},
    "account_id": typeid("account"),
    "api_key_id": typeid("api_key"),
    "per": {"type": "string", "enum": ["period", "day", "minute"]},
    "meter_code": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"},
    "invoice_id": typeid("invoice"),
    "plan_code": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    "add_on_code": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    "coupon_code": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"},
    "redemption_id": typeid("coupon_redemption"),
    "issuer_id": typeid("issuer"),
    "subscription_add_on_id": typeid("subscription_add_on"),
    "feature_code": {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"},
    "plan_version_id": typeid("plan_version"),
    "what_if_id": typeid("what_if"),
    "plan_migration_id": typeid("plan_migration"),
    "tax_rate_id": typeid("tax_rate"),
    "tax_exemption_id": typeid("tax_exemption"),
    "package_id": typeid("credit_package"),
    "conflict_id": typeid("event_conflict"),
    "event_id": {
        "type": "string",
        "pattern": r"^[^/\x00-\x1f\x7f-\x9f]{1,255}$",
        "description": "The sender's id of the event, or that of a correction (`ucr_…`).",
    },
    "cost_id": typeid("credit_cost"),
    "transaction_id": typeid("ledger_entry"),
    "reservation_id": typeid("credit_reservation"),
    "line_id": typeid("invoice_line"),
    "rule_id": typeid("alert_rule"),
    "budget_id": typeid("budget"),
    "credit_note_id": typeid("credit_note"),
    "refund_id": typeid("refund"),
    "payment_id": typeid("payment"),
    "checkout_id": typeid("checkout"),
    "stripe_meter_event_id": typeid("stripe_meter_event"),
    "webhook_endpoint_id": typeid("webhook_endpoint"),
    "webhook_delivery_id": typeid("webhook_delivery"),
    "config_code": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    "gateway": {"type": "string", "pattern": "^[a-z]{1,40}$"},
    "subscription_id": typeid("subscription"),
    "test_clock_id": typeid("test_clock"),
    # Ours, or the gateway's.
    "method_id": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^[A-Za-z0-9_-]+$",
    },
    # The framework describes a list without the limits of its items.
    "percentile": {
        "type": "array",
        "minItems": 1,
        "maxItems": 20,
        "items": {"type": "string", "pattern": PERCENTILE},
    },
    # 24 bytes; the first eight are microseconds since 1970, which till 2255 begin like this.
    "cursor": {"type": "string", "pattern": "^A[AB][A-Za-z0-9_-]{30}$"},
}
"""Schemas of parameters by name, where the handler's type says less."""
