"""Schemas of bodies and answers, from the structs of the handlers.

Answers carry decimals as JSON numbers. Bodies carry them as strings, and so do prices.
"""

from inspect import cleandoc
from typing import Any, Final, get_args

import msgspec
from babel import Locale
from litestar.handlers import HTTPRouteHandler

from tallystick.api.openapi_prices import add_price_rules
from tallystick.money.currency import currencies
from tallystick.pricing.model import Price

Json = dict[str, Any]

TEMPLATE: Final = "#/components/schemas/{name}"
_CODES: Final = {"iso-4217": "CurrencyCode", "iso-3166-1": "CountryCode"}
_PRICES: Final[Json] = {"type": "array", "items": {"$ref": TEMPLATE.format(name="Price")}}
_DECIMAL: Final[Json] = {
    "type": "string",
    "pattern": r"^[0-9]{1,15}(\.[0-9]{1,12})?$",
    "description": "A decimal string, in major units where it is an amount.",
}
# 400 names what is missing there (the IGNY8 seed), where everything else answers 422.
_MANUAL_REQUIRED: Final = ("invoice_id", "payment_method", "transaction_reference")
_WITH_TAX: Final[Json] = {"tax_name": ["tax_percent"], "tax_percent": ["tax_name"]}


def components(handlers: list[HTTPRouteHandler]) -> Json:
    """Return the schema of every struct that the handlers take or answer with, by its name."""
    answers = {t for h in handlers for t in _structs(h.parsed_fn_signature.return_type.annotation)}
    told = {t for h in handlers for t in h.opt.get("answers", ())}
    bodies = {
        t
        for h in handlers
        if (data := h.parsed_fn_signature.parameters.get("data"))
        for t in _structs(data.annotation)
    }
    found = {
        **_schemas(answers | told, decimals={"type": "number"}),
        **_schemas(bodies | {Price}, decimals=_DECIMAL),
    }
    _add_rules(found)
    return {**found, "CurrencyCode": _currencies(), "CountryCode": _countries()}


def _currencies() -> Json:
    """List the codes that are taken: of ISO 4217, and in lower case as our answers have them."""
    codes = sorted(currencies())
    enum = [*codes, *(code.lower() for code in codes)]
    return {"type": "string", "description": "ISO 4217.", "enum": enum}


def _countries() -> Json:
    codes = map(str, Locale("en").territories)
    enum = sorted(code for code in codes if len(code) == 2 and code.isalpha())  # noqa: PLR2004 - ISO 3166-1 alpha-2
    return {"type": "string", "description": "ISO 3166-1 alpha-2.", "enum": enum}


def _structs(annotation: Any) -> set[Any]:
    """Return the structs of an annotation: itself, or the arms of a union or of a generic."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return {annotation}
    return {found for inner in get_args(annotation) for found in _structs(inner)}


def _schemas(types: set[Any], decimals: Json) -> Json:
    ordered = sorted(types, key=str)
    roots, found = msgspec.json.schema_components(ordered, ref_template=TEMPLATE)
    named = {t: root for t, root in zip(ordered, roots, strict=True) if not isinstance(t, type)}
    for root in named.values():
        found["Price"] = root  # the one union that has a name
    replaced: Json = _with_decimals(found, decimals)
    return replaced


def _with_decimals(schema: Any, decimals: Json) -> Any:
    if isinstance(schema, list):
        return [_with_decimals(inner, decimals) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "decimal":
        return {**decimals, **{k: v for k, v in schema.items() if k == "default"}}
    if schema.get("format") in _CODES:
        return {"$ref": TEMPLATE.format(name=_CODES[schema["format"]])}
    plain = {key: _with_decimals(inner, decimals) for key, inner in schema.items()}
    if isinstance(plain.get("description"), str):
        plain["description"] = cleandoc(plain["description"])
    return plain


def _add_rules(found: Json) -> None:
    """Say what holds between fields, and what is made of more than a struct."""
    found["PlanAnswer"]["properties"]["prices"] = _PRICES
    found["NewPlan"]["properties"]["prices"] |= _PRICES
    add_price_rules(found)
    manual = found["ManualPayment"]
    manual["required"] = list(_MANUAL_REQUIRED)
    for name in _MANUAL_REQUIRED:
        manual["properties"][name] = manual["properties"][name]["anyOf"][0]
    found["AccountBody"]["dependentRequired"] = _WITH_TAX
    found["MeterBody"] |= {
        "if": {"required": ["aggregation"], "properties": {"aggregation": {"const": "sum"}}},
        "then": {"required": ["property"], "properties": {"property": {"type": "string"}}},
        "else": {"properties": {"property": {"type": "null"}}},
    }
    for name in ("DeductBody", "ReserveBody"):
        figures = found[name]["properties"]
        found[name]["anyOf"] = [
            {"required": [figure], "properties": {figure: figures[figure]["anyOf"][0]}}
            for figure in ("quantity", "credits")
        ]
    proof = found["MicrodepositProof"]
    told = ("amounts", "descriptor_code")
    proof["oneOf"] = [
        {
            "required": [one],
            "properties": {one: proof["properties"][one]["anyOf"][0], other: {"type": "null"}},
        }
        for one, other in (told, reversed(told))
    ]
    _add_checkout_shapes(found["NewCheckout"])
    found["SubscribeMonthly"]["not"] = {
        "required": ["plan", "price_cents"],
        "properties": {"plan": {"type": "string"}, "price_cents": {"type": "integer"}},
    }
    found["NewKey"]["not"] = {  # what belongs to an account does not rule the business
        "required": ["account"],
        "properties": {
            "account": {"type": "string"},
            "scopes": {"type": "array", "contains": {"const": "admin"}},
        },
    }


def _add_checkout_shapes(body: Json) -> None:
    """Say which members go with which mode: one at most, and none to save a method."""
    members = body["properties"]
    shapes = [
        ("setup", None),
        ("payment", None),
        ("payment", "invoice_id"),
        ("payment", "amount_cents"),
        ("payment", "currency"),
        ("subscription", "plan"),
    ]
    body["oneOf"] = [
        {
            "required": ["mode", *([one] if one else [])],
            "properties": {
                "mode": {"const": mode},
                **{
                    name: members[name]["anyOf"][0] if name == one else {"type": "null"}
                    for name in ("invoice_id", "amount_cents", "currency", "plan")
                },
            },
        }
        for mode, one in shapes
    ]
