"""`tallystick rate`: a line in, a line out, and no line stops the next."""

import io
import json
from typing import Any

import pytest

from tallystick.money.errors import UnknownLocale
from tallystick.pricing import cases
from tallystick.pricing.cases import answers

PER_UNIT = {"model": "per_unit", "currency": "USD", "unit": "0.02"}


def asked(*lines: object, locale: str | None = None) -> list[dict[str, Any]]:
    text = b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )
    return [json.loads(answer.text) for answer in answers(io.BytesIO(text), locale)]


def case(price: object, usage: object, **other: object) -> dict[str, object]:
    return {"id": "c", "price": price, "usage": usage, **other}


def test_a_case_is_answered_with_amount_currency_and_steps() -> None:
    assert asked(case(PER_UNIT, {"quantity": "12.5"})) == [
        {
            "id": "c", "amount": "0.25", "currency": "USD",
            "steps": [{"kind": "per_unit", "amount": "0.25", "quantity": "12.5", "unit": "0.02"}],
        }
    ]  # fmt: skip


def test_a_bad_line_is_told_by_its_id_and_the_rest_go_on() -> None:
    bad = {**PER_UNIT, "unit": "-1"}
    found = asked(case(bad, {"quantity": "1"}, id=7), b"", case(PER_UNIT, {"quantity": "1"}))
    assert [one["id"] for one in found] == [7, "c"]
    assert found[0]["error"]["code"] == "validation_failed"
    assert found[0]["error"]["message"] == "price.unit: must not be below zero."
    assert found[1]["amount"] == "0.02"


@pytest.mark.parametrize(("unit", "quantity"), [("0.1", "3"), ('"0.1"', "3.000"), ("1e-1", '"3"')])
def test_json_numbers_are_exact(unit: str, quantity: str) -> None:
    price = f'{{"model":"per_unit","currency":"USD","unit":{unit}}}'
    line = f'{{"id":"c","price":{price},"usage":{{"quantity":{quantity}}}}}'
    assert asked(line.encode())[0]["amount"] == "0.3"


def test_numbers_are_never_written_with_an_exponent() -> None:
    (found,) = asked(case({**PER_UNIT, "unit": "0.000000000001"}, {"quantity": "0.0000001"}))
    assert found["amount"] == "0." + "0" * 18 + "1"
    assert found["steps"][0]["unit"] == "0.000000000001"


def test_events_are_rated_by_the_models_that_need_them() -> None:
    percentage = {"model": "percentage", "currency": "USD", "rate": "1", "fixed": "1"}
    assert asked(case(percentage, {"events": ["10", 20]}))[0]["amount"] == "2.3"
    assert asked(case(percentage, {"quantity": "30", "event_count": 2}))[0]["amount"] == "2.3"
    assert asked(case(percentage, {"events": []}))[0]["amount"] == "0"
    dynamic = {"model": "dynamic", "currency": "USD"}
    events = [{"amount": "0.25"}, {"amount": 1.5, "quantity": "2"}]
    assert asked(case(dynamic, {"events": events}))[0]["amount"] == "1.75"
    assert asked(case(dynamic, {"events": []}))[0]["amount"] == "0"


def test_a_flat_price_needs_no_usage() -> None:
    flat = {"model": "flat", "currency": "USD", "amount": "49"}
    assert asked({"id": 1, "price": flat})[0]["amount"] == "49"


def test_properties_choose_the_filter_and_the_bounds_are_those_of_the_price() -> None:
    dearer = [{"values": {"region": ["eu"]}, "price": {"unit": "3"}}]
    price = {**PER_UNIT, "filters": dearer, "minimum": "10"}
    usage = {"quantity": "2", "properties": {"region": "eu"}}
    (found,) = asked(case(price, usage))
    assert found["amount"] == "10"
    assert [step["amount"] for step in found["steps"]] == ["6", "4"]


def test_sentences_come_when_they_are_asked_for() -> None:
    (found,) = asked(case(PER_UNIT, {"quantity": "12.5"}), locale="de")
    assert found["explanation"] == ["12,5 \u00d7 0,02\u00a0$ = 0,25\u00a0$"]
    with pytest.raises(UnknownLocale):
        asked(locale="xx")


@pytest.mark.parametrize(
    ("usage", "field"),
    [
        (None, "usage"),
        ([], "usage"),
        ({}, "usage"),
        ({"quantity": "1", "events": []}, "usage"),
        ({"quantity": "x"}, "usage.quantity"),
        ({"quantity": None}, "usage.quantity"),
        ({"quantity": True}, "usage.quantity"),
        ({"quantity": "1", "event_count": -1}, "usage.event_count"),
        ({"quantity": "1", "amount": "1"}, "usage.amount"),
        ({"quantity": "1", "properties": {"a": 1}}, "usage.properties"),
        ({"events": "10"}, "usage.events"),
        ({"events": ["1"], "event_count": 1}, "usage.event_count"),
        ({"events": ["1", {"amount": "1"}]}, "usage.events[1]"),
        ({"events": ["1", "NaN"]}, "usage.events[1]"),
    ],
)
def test_usage_is_refused_by_its_path(usage: object, field: str) -> None:
    (found,) = asked(case({"model": "percentage", "currency": "USD", "rate": "1"}, usage))
    assert [error["field"] for error in found["error"]["errors"]] == [field]


@pytest.mark.parametrize(
    "event", ["1", {}, {"amount": "x"}, {"amount": "1", "price": "1"}, {"amount": "1e18"}]
)
def test_dynamic_events_are_refused_by_their_path(event: object) -> None:
    usage = {"events": [{"amount": "1"}, event]}
    (found,) = asked(case({"model": "dynamic", "currency": "USD"}, usage))
    (error,) = found["error"]["errors"]
    assert error["field"].startswith("usage.events[1]")


@pytest.mark.parametrize(
    ("line", "known", "code"),
    [
        (b"{", None, "malformed_json"),
        (b"\xff\xfe", None, "malformed_json"),
        (b"[]", None, "validation_failed"),
        (b"{}", None, "validation_failed"),
        (b'{"id": [1], "price": 1}', None, "validation_failed"),
        (b'{"id": 1e999999999999999999999}', None, "validation_failed"),
        (b'{"id": 5, "price": {}, "usage": {}, "more": 1}', 5, "validation_failed"),
        (b'{"id": 5, "price": 1e9999999999999999999, "usage": {}}', 5, "validation_failed"),
        (b'{"id": 5, "price": ' + b"9" * 5000 + b', "usage": {}}', 5, "validation_failed"),
        (b'{"id": 5, "price": ' + b"[" * 100_000, None, "malformed_json"),
    ],
)
def test_a_line_that_is_no_case_is_refused(line: bytes, known: object, code: str) -> None:
    (found,) = asked(line)
    assert found.keys() == {"id", "error"}
    assert (found["id"], found["error"]["code"]) == (known, code)


def test_a_line_that_is_too_long_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "LINE_BYTES_MAX", 200)
    found = asked(b" " * 199, b"x" * 777, case(PER_UNIT, {"quantity": "1"}), b"y" * 199)
    assert [one.get("error", {}).get("code") for one in found] == [
        "line_too_long", None, "malformed_json"
    ]  # fmt: skip
