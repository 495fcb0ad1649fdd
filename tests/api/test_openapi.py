"""The description is a file that is kept, valid, and complete."""

from collections.abc import Iterator
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import schemathesis
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from tallystick.app import api_description

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
KEPT = (files("tallystick.api") / "openapi.json").read_bytes()
DESCRIPTION: Json = msgspec.json.decode(KEPT)
PUBLIC = {
    "/healthz",
    "/readyz",
    "/api/v1/meta/features",
    "/api/stripe/webhook",
    "/api/v1/webhooks/stripe",
    "/api/ccbill/webhook",
    "/api/v1/webhooks/ccbill",
}


def operations() -> Iterator[tuple[str, str, Json]]:
    for path, item in DESCRIPTION["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


OPERATIONS = [pytest.param(*each, id=f"{each[0]} {each[1]}") for each in operations()]


def test_the_kept_file_is_what_the_routes_say() -> None:
    assert api_description() == KEPT, "The routes have changed: run `make openapi`."


def test_the_description_is_openapi_3_1() -> None:
    assert DESCRIPTION["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(DESCRIPTION).validate()


def test_every_schema_is_a_json_schema() -> None:
    for schema in DESCRIPTION["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere() -> None:
    def look(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                place: Any = DESCRIPTION
                for step in value["$ref"].removeprefix("#/").split("/"):
                    place = place[step]
            for inner in value.values():
                look(inner)
        elif isinstance(value, list):
            for inner in value:
                look(inner)

    look(DESCRIPTION)


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))


def examples() -> Iterator[tuple[str, Json, Json]]:
    """Yield each example of a body or an answer, with the schema that it is an example of."""
    for method, path, operation in operations():
        described = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (one.get("content", {}).values() for one in described):
            yield from (
                (f"{method} {path}", one["schema"], one["example"])
                for one in content
                if "example" in one
            )


def test_every_example_is_what_its_schema_says() -> None:
    components = {"components": DESCRIPTION["components"]}
    wrong = [
        (place, error.message)
        for place, schema, example in examples()
        for error in Draft202012Validator({**schema, **components}).iter_errors(example)
    ]
    assert wrong == []


def test_every_request_about_credits_has_an_example() -> None:
    without = [
        path
        for _, path, operation in operations()
        if "credit" in path
        and "requestBody" in operation
        and "example" not in operation["requestBody"]["content"]["application/json"]
    ]
    assert without == []


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS)
def test_an_operation_is_described(method: str, path: str, operation: Json) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert len(operation["tags"]) == 1
    assert bool(operation["security"]) is (path not in PUBLIC)
    assert "default" in operation["responses"]
    good = [status for status in operation["responses"] if status.startswith("2")]
    assert good
    kinds = operation["responses"].get("200", {}).get("content", {})
    is_streamed = bool({"text/csv", "application/zip"} & set(kinds))
    assert ("304" in operation["responses"]) is (method == "get" and not is_streamed)
    for status in good:
        answer = operation["responses"][status]
        assert ("content" in answer) is (status != "204")
        assert "X-Request-Id" in answer["headers"]
    if method in {"post", "patch", "put"} and path not in PUBLIC:
        names = [parameter.get("$ref", "") for parameter in operation["parameters"]]
        assert any(name.endswith("/Idempotency-Key") for name in names) is (method == "post")
    for parameter in operation.get("parameters", []):
        if "$ref" not in parameter and parameter["in"] == "path":
            assert parameter["schema"].keys() & {"pattern", "enum"}


def test_a_cookie_that_changes_something_needs_the_csrf_token() -> None:
    for method, path, operation in operations():
        for way in operation["security"]:
            by_cookie = bool({"session", "jwtCookie"} & set(way))
            assert ("csrf" in way) is (by_cookie and method != "get"), path


def test_every_body_refuses_what_it_does_not_know() -> None:
    for _, path, operation in operations():
        content = operation.get("requestBody", {}).get("content", {})
        # extensions of CloudEvents, Lago's further fields, the gateway's own events
        if path.startswith("/api/v1/events") or path in {*PUBLIC, "/api/v1/usage/check-and-record"}:
            continue
        for body in content.values():
            for arm in body["schema"].get("oneOf", [body["schema"]]):
                if arm != {"type": "null"}:
                    name = arm["$ref"].rpartition("/")[2]
                    assert (
                        DESCRIPTION["components"]["schemas"][name]["additionalProperties"] is False
                    )


NO_MONEY = {
    "percent", "credits", "usable", "reserved", "owed", "overdraft", "available", "remaining",
    "balance_after", "adjusted", "plan_credits_per_month", "credits_used_this_month",
    "credits_remaining", "total_credits", "alert_below", "top_up_below", "cap", "taken",
    "overdrawn",
    # The Ops Center seed's units of usage, and a unit price, which has no whole cents.
    "included_credits", "used", "overage", "price_per_1k",
    "value",  # of a meter
    "used_percent", "expected_percent",
}  # fmt: skip


def test_an_amount_is_never_there_without_its_cents() -> None:
    """A decimal number of major units stands beside the exact whole number of minor units.

    Credits are no money: they are exact as they stand.
    """
    for name, schema in DESCRIPTION["components"]["schemas"].items():
        for field, told in schema.get("properties", {}).items():
            kinds = [told, *told.get("anyOf", [])]
            if any(kind.get("type") == "number" for kind in kinds) and field not in NO_MONEY:
                assert f"{field}_cents" in schema["properties"], f"{name}.{field}"


async def test_the_server_serves_the_kept_file(shop: "Shop") -> None:
    answer = await shop.anybody.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.content == KEPT
