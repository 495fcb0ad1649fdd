"""What holds between the fields of prices, in the API's description."""

from copy import deepcopy
from typing import Any, Final, get_args

from tallystick.pricing import filters
from tallystick.pricing.bounds import TIERS_MAX
from tallystick.pricing.model import Price

Json = dict[str, Any]

_NAME: Final[Json] = {
    "type": "string",
    "format": "single-line",
    "minLength": 1,
    "maxLength": filters.TEXT_LENGTH_MAX,
}
_NOTHING_INCLUDED: Final[Json] = {"const": "0", "default": "0"}
_NONE_OF_THEM: Final[Json] = {"type": "array", "maxItems": 0, "default": []}
_COUNT: Final[Json] = {
    "anyOf": [
        {"type": "string", "pattern": "^[0-9]{1,15}$"},
        {"type": "integer", "minimum": 0, "maximum": 10**15 - 1},
    ]
}
_TAX_CODE: Final[Json] = {
    "anyOf": [{"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"}, {"type": "null"}],
    "default": None,
    "description": "What is sold, in the words of the tax rates; null: standard.",
}
_IN_ARREARS: Final[Json] = {"const": "in_arrears", "default": "in_arrears"}
_OF_THE_WHOLE: Final[Json] = {
    "code": {"const": "", "default": ""},
    "meter": {"type": "null", "default": None},
    "billing": _IN_ARREARS,
    "invoice_at": {"const": "event", "default": "event"},
    "on_decrease": {"const": "keep", "default": "keep"},
    "minimum": {"type": "null", "default": None},
    "maximum": {"type": "null", "default": None},
    "group_by": _NONE_OF_THEM,
    "filters": _NONE_OF_THEM,
    "custom_unit": {"type": "null", "default": None},
    "prorate": {"const": False, "default": False},
    "tax_code": {"type": "null", "default": None},
    "tax_inclusive": {"type": "null", "default": None},
}
"""What the price of a filter leaves to the whole price."""


def add_price_rules(found: Json) -> None:
    """Add them to the schemas of all structs; `found` has those of prices by their names."""
    del found["PriceFilter"]
    plan = found["NewPlan"]["properties"]
    meter = plan["limits"]["propertyNames"] | {"type": "string"}
    for name in [model.__name__ for model in get_args(Price)]:
        _add_model_rules(found, name)
        if name != "FlatPrice":
            found[f"{name}Filter"] = _filter(found[name])
        _add_common_rules(found[name], name, plan, meter)
    unit = found["CustomUnit"]["properties"]
    unit["code"]["pattern"] = "^[A-Za-z][A-Za-z0-9_-]{0,62}$"
    unit["rate"] = unit["rate"] | {"description": "Above zero: what one is worth in money."}


def _add_common_rules(price: Json, name: str, plan: Json, meter: Json) -> None:
    told: Json = {"code": plan["code"], "currency": plan["currency"], "meter": meter}
    told["tax_code"] = _TAX_CODE
    if name == "FlatPrice":
        told |= {"meter": {"type": "null"}, "included": _NOTHING_INCLUDED}
        told |= {"group_by": _NONE_OF_THEM, "filters": _NONE_OF_THEM}
        told |= {name: _OF_THE_WHOLE[name] for name in ("invoice_at", "on_decrease")}
    else:
        if name in ("VolumePrice", "CapacityPrice"):
            told["billing"] = _IN_ARREARS
        told["group_by"] = {
            "type": "array", "items": _NAME, "default": [], "uniqueItems": True,
            "maxItems": filters.PROPERTIES_MAX,
        }  # fmt: skip
        told["filters"] = {
            "type": "array", "items": {"$ref": f"#/components/schemas/{name}Filter"},
            "maxItems": filters.FILTERS_MAX, "default": [],
            "description": "Usage belongs to the filter with most properties that match, then to "
            "the first of them.",
        }  # fmt: skip
    price["properties"] |= told
    needed = ("code",) if name == "FlatPrice" else ("code", "meter")
    # Left out, the currency is the plan's.
    price["required"] = [*(key for key in price["required"] if key != "currency"), *needed]


def _add_model_rules(found: Json, name: str) -> None:
    figures = found[name]["properties"]
    if "tiers" in figures:
        described = "Ascending; the last one has no end."
        figures["tiers"] |= {"minItems": 1, "maxItems": TIERS_MAX, "description": described}
    if name in ("PercentagePrice", "DynamicPrice"):
        figures["included"] = _NOTHING_INCLUDED
    if name == "PercentagePrice":
        figures["free_events"] = {**deepcopy(_COUNT), "default": "0"}
    if name == "BlockPrice":
        end = found["BlockTier"]["properties"]["up_to_blocks"]
        end["anyOf"] = [*deepcopy(_COUNT)["anyOf"], {"type": "null"}]


def _filter(price: Json) -> Json:
    """Return the schema of a filter: values by property, and the figures for what has them."""
    figures = {
        key: deepcopy(value) for key, value in price["properties"].items() if key != "currency"
    }
    figures |= {**deepcopy(_OF_THE_WHOLE), "currency": {"type": "string", "description": "As is."}}
    required = [key for key in price["required"] if key not in ("model", "currency")]
    return {
        "type": "object",
        "title": f"{price['title']}Filter",
        "description": "The figures for usage whose properties all have one of these values.",
        "additionalProperties": False,
        "required": ["values", "price"],
        "properties": {
            "values": {
                "type": "object",
                "description": "Values by property, as text; an empty list takes any value.",
                "minProperties": 1,
                "maxProperties": filters.PROPERTIES_MAX,
                "propertyNames": _NAME,
                "additionalProperties": {
                    "type": "array",
                    "uniqueItems": True,
                    "maxItems": filters.VALUES_MAX,
                    "items": {"type": "string", "maxLength": filters.TEXT_LENGTH_MAX},
                },
            },
            "price": {
                "type": "object",
                "additionalProperties": False,
                "properties": figures,
                "required": required,
            },
        },
    }
