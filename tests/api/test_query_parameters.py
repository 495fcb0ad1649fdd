"""A parameter that is missing or wrong is named as it was sent, on every route that takes one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tallystick.app import api_description

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
BILLING = "/api/v1/billing"
METHODS = ("get", "post", "patch", "put", "delete")
DESCRIPTION: Json = msgspec.json.decode(api_description())
NOTHING_IS_LIKE_THIS = "\u2603"


def parameters() -> Iterator[tuple[str, str, str, bool, Json]]:
    """Yield every parameter: method, path, name, whether it is required, schema."""
    for path, item in DESCRIPTION["paths"].items():
        for method in METHODS:
            for one in item.get(method, {}).get("parameters", ()):
                if one.get("in") == "query":  # headers that all share are references
                    required = one.get("required", False)
                    yield method, path, one["name"], required, one["schema"]


PARAMETERS = list(parameters())
REQUIRED = [one[:3] for one in PARAMETERS if one[3]]
# Free text takes anything; ids and codes in it are answered by what they name.
TYPED = [
    one[:3]
    for one in PARAMETERS
    if {"enum", "format", "const"} & set(one[4]) or one[4].get("type") in {"integer", "boolean"}
]


def test_there_are_parameters_to_try() -> None:
    assert ("delete", "reason") in {(method, name) for method, _, name in REQUIRED}
    assert len(TYPED) > 50


@pytest.mark.parametrize(("method", "path", "name"), REQUIRED)
async def test_a_missing_parameter_is_named(
    shop: "Shop", method: str, path: str, name: str
) -> None:
    errors = await _errors(shop, method, path, {})
    assert (name, "missing") in {(one["field"], one["code"]) for one in errors}


@pytest.mark.parametrize(("method", "path", "name"), TYPED)
async def test_a_wrong_parameter_is_named(shop: "Shop", method: str, path: str, name: str) -> None:
    others = {
        other: NOTHING_IS_LIKE_THIS for at, to, other in REQUIRED if (at, to) == (method, path)
    }
    sent = others | {name: NOTHING_IS_LIKE_THIS}
    errors = await _errors(shop, method, path, sent)
    assert {one["field"] for one in errors} <= sent.keys()
    assert errors


async def _errors(shop: "Shop", method: str, path: str, query: dict[str, str]) -> list[Json]:
    house = shop.house_keys["admin"]
    asking = (
        shop.with_key(house, shop.acme.id) if path.startswith(BILLING) else shop.with_key(house)
    )
    address = path.replace("{", "").replace("}", "")
    answer = await asking.request(method.upper(), address, params=query)
    return list(shop.refused(answer, 422, "validation_failed").get("errors", ()))
