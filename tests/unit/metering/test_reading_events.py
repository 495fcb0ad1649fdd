"""Bodies as the official clients send them (captured from them), and what is refused."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.kernel.errors import BadInput
from tallystick.metering.lago_events import read_timestamp
from tallystick.metering.model import EVENTS_MAX, UsageEvent
from tallystick.metering.requests import read_events, read_lago_events

ONE = "application/cloudevents+json"
MANY = "application/cloudevents-batch+json"
JSON = "application/json"
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

# openmeter 1.0.0b236: ingest_event, with and without what may be left out; ingest_events.
OPENMETER_ONE = (
    b'{"id": "e1", "source": "app", "type": "tokens", "subject": "cust-1", "specversion": "1.0", '
    b'"time": "2026-01-02T03:04:05.678901Z", "data": {"tokens": "120.5", "model": "x"}}'
)
OPENMETER_BARE = (
    b'{"id": "e1", "source": "app", "type": "tokens", "subject": "cust-1", "specversion": "1.0"}'
)
OPENMETER_MANY = b"[" + OPENMETER_ONE + b", " + OPENMETER_BARE + b"]"
# lago-python-client 1.55: create with a float, an int and without a timestamp; batch_create.
LAGO_ONE = (
    b'{"event":{"transaction_id":"t1","external_subscription_id":"s1","code":"tokens",'
    b'"timestamp":"1767323045.678","precise_total_amount_cents":null,'
    b'"properties":{"tokens":5,"m":"x","f":1.5}}}'
)
LAGO_BARE = (
    b'{"event":{"transaction_id":"t1","external_subscription_id":"s1","code":"tokens",'
    b'"timestamp":null,"precise_total_amount_cents":"12.345","properties":null}}'
)
LAGO_MANY = (
    b'{"events":[{"transaction_id":"t0","external_subscription_id":"s1","code":"tokens",'
    b'"timestamp":"1767323045","precise_total_amount_cents":null,"properties":{"tokens":"5"}},'
    b'{"transaction_id":"t1","external_subscription_id":"s1","code":"tokens",'
    b'"timestamp":"1767323045","precise_total_amount_cents":null,"properties":{"tokens":"5"}}]}'
)
OWN = (
    b'{"events": [{"id": "1", "type": "call", "subject": "c", "properties": {"n": 2}},'
    b' {"id": "2", "meter": "calls", "subject": "c", "source": "gw", "data": {"n": 0.10},'
    b' "time": "2026-01-02T04:04:05.678901+01:00"}]}'
)


def only(content_type: str, body: bytes) -> UsageEvent:
    (event,) = read_events(content_type, body).events
    return event


def faults(content_type: str, body: bytes) -> list[tuple[str, str]]:
    with pytest.raises(BadInput) as caught:
        read_events(content_type, body)
    return [(fault.field, fault.code) for fault in caught.value.errors]


def cloud_event(**changes: Any) -> dict[str, Any]:
    return {**msgspec.json.decode(OPENMETER_ONE), **changes}


def test_a_cloudevent_of_the_official_client_is_read() -> None:
    event = only(ONE, OPENMETER_ONE)
    assert (event.source, event.id, event.type, event.subject) == ("app", "e1", "tokens", "cust-1")
    assert event.at == AT
    assert event.properties == {"tokens": "120.5", "model": "x"}


@pytest.mark.parametrize("content_type", [ONE, JSON, f"{JSON}; charset=utf-8", ONE.upper()])
def test_a_cloudevent_is_known_by_its_content_type_or_its_specversion(content_type: str) -> None:
    event = only(content_type, OPENMETER_BARE)
    assert (event.at, event.properties) == (None, {})


@pytest.mark.parametrize("content_type", [MANY, JSON])
def test_an_array_is_a_batch_of_cloudevents(content_type: str) -> None:
    batch = read_events(content_type, b" " + OPENMETER_MANY)
    assert batch.shape.name == "cloudevents"
    assert [event.at for event in batch.events] == [AT, None]


def test_extensions_of_a_cloudevent_pass_unread() -> None:
    event = only(ONE, msgspec.json.encode(cloud_event(meter="calls", traceparent="00-1", n=[1])))
    assert event.meter is None


def test_a_lago_event_of_the_official_client_is_read() -> None:
    event = only(JSON, LAGO_ONE)
    assert (event.source, event.id, event.meter, event.subject) == ("lago", "t1", "tokens", "s1")
    assert event.at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert event.properties == {"tokens": 5, "m": "x", "f": Decimal("1.5")}


def test_lagos_nulls_are_what_it_does_not_know_and_its_amount_is_kept() -> None:
    event = only(JSON, LAGO_BARE)
    assert event.at is None
    assert event.properties == {"precise_total_amount_cents": "12.345"}


def test_lagos_batch_is_read_on_both_paths() -> None:
    assert read_lago_events(LAGO_MANY) == read_events(JSON, LAGO_MANY)
    assert [event.id for event in read_lago_events(LAGO_MANY).events] == ["t0", "t1"]


def test_a_lago_event_may_name_the_customer_instead() -> None:
    body = LAGO_ONE.replace(b"external_subscription_id", b"external_customer_id")
    assert only(JSON, body).subject == "s1"


def test_our_own_events_are_read() -> None:
    first, second = read_events(JSON, OWN).events
    assert (first.source, first.type, first.at, first.properties) == ("api", "call", None, {"n": 2})
    assert (second.source, second.meter, second.at) == ("gw", "calls", AT)
    assert second.properties == {"n": Decimal("0.10")}


def test_a_property_named_like_lagos_id_does_not_make_an_event_lagos() -> None:
    body = OWN.replace(b'"n": 2', b'"transaction_id": "x"')
    assert read_events(JSON, body).shape.name == "tallystick"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"id": None}, ("id", "malformed")),
        ({"id": 1}, ("id", "malformed")),
        ({"id": ""}, ("id", "invalid_length")),
        ({"id": "x" * 256}, ("id", "invalid_length")),
        ({"id": "a\u0000"}, ("id", "control_character")),
        ({"source": "a\n"}, ("source", "control_character")),
        ({"type": "a\x7f"}, ("type", "control_character")),
        ({"subject": "a\x85"}, ("subject", "control_character")),
        ({"subject": ""}, ("subject", "invalid_length")),
        ({"subject": {}}, ("subject", "malformed")),
        ({"specversion": "0.3"}, ("specversion", "malformed")),
        ({"time": "2026-01-02T03:04:05"}, ("time", "timezone_missing")),
        ({"time": "2026-01-02"}, ("time", "invalid_time")),
        ({"time": "2026-02-30T00:00:00Z"}, ("time", "invalid_time")),
        ({"time": "0000-01-01T00:00:00Z"}, ("time", "invalid_time")),
        ({"time": 1767323045}, ("time", "malformed")),
        ({"data": None}, ("data", "malformed")),
        ({"data": [1]}, ("data", "malformed")),
        ({"data": "text"}, ("data", "malformed")),
        ({"data_base64": "AAAA"}, ("data_base64", "malformed")),
        ({"data": {"a": "\u0000"}}, ("data.a", "control_character")),
        ({"data": {"a": [{"b": "\u0000"}]}}, ("data.a", "control_character")),
        ({"data": {"a": {"\u0000": 1}}}, ("data.a", "control_character")),
        ({"data": {"a\u0000": 1}}, ("data.a\\u0000", "control_character")),
    ],
)
def test_a_bad_part_of_a_cloudevent_is_named(
    changes: dict[str, Any], fault: tuple[str, str]
) -> None:
    assert faults(ONE, msgspec.json.encode(cloud_event(**changes))) == [fault]
    many = msgspec.json.encode([cloud_event(), cloud_event(**changes)])
    assert faults(MANY, many) == [(f"[1].{fault[0]}", fault[1])]


@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "specversion"])
def test_what_a_cloudevent_lacks_is_named(name: str) -> None:
    event = cloud_event()
    del event[name]
    assert faults(ONE, msgspec.json.encode(event)) == [(name, "missing")]
    assert faults(MANY, msgspec.json.encode([event])) == [(f"[0].{name}", "missing")]


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "01", "1.", ".5", "+1", "0x10", "1_000"]
)
def test_what_is_no_json_number_is_malformed(number: str) -> None:
    body = OPENMETER_ONE.replace(b'"120.5"', number.encode())
    assert faults(ONE, body) == [("body", "malformed_json")]


@pytest.mark.parametrize(
    "number",
    ["1e400", "-1e400", "1e-400", "0e999999999", "1e99999999999999999999", "9" * 5000,
     "0." + "1" * 100],
)  # fmt: skip
def test_a_number_beyond_all_bounds_is_refused(number: str) -> None:
    body = OPENMETER_ONE.replace(b'"120.5"', number.encode())
    assert faults(ONE, body) == [("data", "number_out_of_range")]


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("0.1", Decimal("0.1")),
        ("1e3", Decimal("1E+3")),
        ("-0.000000000001", Decimal("-1E-12")),
        ("9007199254740993", 9007199254740993),
        ("0.30000000000000004", Decimal("0.30000000000000004")),
    ],
)
def test_a_json_number_is_read_exactly(number: str, value: object) -> None:
    event = only(ONE, OPENMETER_ONE.replace(b'"120.5"', number.encode()))
    assert event.properties["tokens"] == value
    assert type(event.properties["tokens"]) is type(value)


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"{", b"[", b"\xff", b"\xef\xbb\xbf{}", b'["', b'{"a": "\\ud800"}',
     b'{"a": "a\nb"}', b"{'a': 1}"],
)  # fmt: skip
@pytest.mark.parametrize("content_type", [ONE, MANY, JSON])
def test_what_is_not_json_is_refused(content_type: str, body: bytes) -> None:
    assert faults(content_type, body)[0][0] == "body"


@pytest.mark.parametrize("body", [b"null", b"1", b'"text"', b"true"])
@pytest.mark.parametrize("content_type", [ONE, MANY, JSON])
def test_json_that_is_no_event_is_refused(content_type: str, body: bytes) -> None:
    assert faults(content_type, body) == [("body", "malformed")]


def nested(levels: int) -> bytes:
    return OPENMETER_ONE.replace(b'"120.5"', b'{"a":' * levels + b"1" + b"}" * levels)


def test_nesting_is_bounded() -> None:
    assert only(ONE, nested(10)).properties["tokens"] != 1
    assert faults(ONE, nested(11)) == [("data.tokens", "too_deep")]
    assert faults(ONE, nested(100_000)) == [("body", "too_deep")]
    assert faults(ONE, OPENMETER_BARE[:-1] + b', "x": ' + b"[" * 100_000) == [("body", "too_deep")]


def test_the_number_of_events_is_bounded() -> None:
    item = msgspec.json.encode(cloud_event())
    assert len(read_events(MANY, b"[" + b",".join([item] * EVENTS_MAX) + b"]").events) == EVENTS_MAX
    too_many = b"[" + b",".join([item] * (EVENTS_MAX + 1)) + b"]"
    assert faults(MANY, too_many) == [("body", "too_many_events")]
    assert faults(MANY, b"[]") == [("body", "no_events")]
    assert faults(JSON, b'{"events": []}') == [("events", "no_events")]


def test_printable_text_of_any_script_is_taken() -> None:
    text = "Zoë 東京 \u00a0\u200d 👩\u200d💻"
    assert only(ONE, msgspec.json.encode(cloud_event(subject=text))).subject == text


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b'"transaction_id":"t1"', b'"transaction_id":""',
         ("event.transaction_id", "invalid_length")),
        (b'"transaction_id":"t1",', b"", ("event.transaction_id", "missing")),
        (b'"code":"tokens",', b"", ("event.code", "missing")),
        (b'"code":"tokens"', b'"code":"a\\u0000"', ("event.code", "control_character")),
        (b'"external_subscription_id":"s1",', b"", ("event.external_subscription_id", "missing")),
        (b'"1767323045.678"', b'"2026-01-01T00:00:00Z"', ("event.timestamp", "invalid_time")),
        (b'"1767323045.678"', b"-1", ("event.timestamp", "invalid_time")),
        (b'"1767323045.678"', b"true", ("event.timestamp", "invalid_time")),
        (b'"1767323045.678"', b"[1]", ("event.timestamp", "invalid_time")),
        (b'"1767323045.678"', b'""', ("event.timestamp", "invalid_time")),
        (b'"1767323045.678"', b"999999999999", ("event.timestamp", "invalid_time")),
        (b'{"tokens":5,"m":"x","f":1.5}', b"[]", ("event.properties", "malformed")),
        (b'"precise_total_amount_cents":null', b'"precise_total_amount_cents":1',
         ("event.precise_total_amount_cents", "malformed")),
    ],
)  # fmt: skip
def test_a_bad_part_of_a_lago_event_is_named(
    old: bytes, new: bytes, fault: tuple[str, str]
) -> None:
    assert faults(JSON, LAGO_ONE.replace(old, new)) == [fault]
    many = LAGO_ONE.replace(b'{"event":', b'{"events":[')[:-1] + b"]}"
    with pytest.raises(BadInput) as caught:
        read_lago_events(many.replace(old, new))
    (told,) = caught.value.errors
    assert (told.field, told.code) == (fault[0].replace("event.", "events[0]."), fault[1])


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (0, 0), ("0", 0), (1, 1_000_000), ("1.5", 1_500_000), (Decimal("1.0000005"), 1_000_000),
        (Decimal("1.767323045678901E+9"), 1_767_323_045_678_901), ("1.9999999999", 1_999_999),
    ],
)  # fmt: skip
def test_seconds_since_1970_are_read_to_the_microsecond(value: object, micros: int) -> None:
    at = read_timestamp(value)
    assert at == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (b'"id": "2", ', b"", ("events[1].id", "missing")),
        (b'"meter": "calls", ', b"", ("events[1].type", "type_or_meter")),
        (b'"meter": "calls"', b'"meter": "calls", "type": "call"',
         ("events[1].type", "type_or_meter")),
        (b'"type": "call"', b'"type": ""', ("events[0].type", "type_or_meter")),
        (b'"data":', b'"properties": {"n": 1}, "data":', ("events[1].data", "properties_or_data")),
        (b'"subject": "c", "source"', b'"source"', ("events[1].subject", "missing")),
        (b'"source": "gw"', b'"source": ""', ("events[1].source", "invalid_length")),
        (b'"source": "gw"', b'"quantity": 1', ("events[1].quantity", "unknown_field")),
        (b'"n": 2', b'"n": {"a": "\\u0000"}', ("events[0].properties.n", "control_character")),
    ],
)  # fmt: skip
def test_a_bad_part_of_our_own_event_is_named(
    old: bytes, new: bytes, fault: tuple[str, str]
) -> None:
    batch = read_events(JSON, OWN.replace(old, new))
    assert len(batch.events) == 1
    ((_, result),) = batch.invalid.items()
    assert [(found.field, found.code) for found in result.errors] == [fault]


def test_a_field_beside_our_own_events_is_refused() -> None:
    assert faults(JSON, OWN.replace(b"{", b'{"x": 1, ', 1)) == [("x", "unknown_field")]


def test_an_object_that_is_no_known_body_says_what_is_missing() -> None:
    assert faults(JSON, b"{}") == [("events", "missing")]
    assert faults(JSON, OPENMETER_BARE + b"x") == [("body", "malformed_json")]


def test_several_faults_are_told_at_once() -> None:
    body = OWN.replace(b'"meter": "calls", ', b"").replace(b'"type": "call", ', b"")
    assert faults(JSON, body) == [
        ("events[0].type", "type_or_meter"), ("events[1].type", "type_or_meter"),
    ]  # fmt: skip


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/xml", "json"])
def test_another_content_type_is_refused(content_type: str) -> None:
    assert faults(content_type, OPENMETER_ONE) == [("Content-Type", "unsupported_content_type")]


def test_an_offset_is_an_instant_like_any_other() -> None:
    event = only(ONE, msgspec.json.encode(cloud_event(time="2026-01-02T13:04:05.678901+10:00")))
    assert event.at == AT.astimezone(timezone(timedelta(hours=10)))


ONE_BY_ONE = [
    (MANY, b"[%b]", OPENMETER_BARE, b'{"id": "bad", "source": 1}', "[1].source"),
    (JSON, b'{"events": [%b]}', LAGO_MANY[11:-2].partition(b"},{")[0] + b"}",
     b'{"transaction_id": "bad", "code": ""}', "events[1].code"),
    (JSON, b'{"events": [%b]}', b'{"id": "1", "type": "call", "subject": "c"}',
     b'{"id": "bad", "typ": "call", "subject": "c"}', "events[1].typ"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "body", "good", "bad", "field"), ONE_BY_ONE)
def test_asked_for_each_event_a_bad_one_does_not_sink_the_others(
    kind: str, body: bytes, good: bytes, bad: bytes, field: str
) -> None:
    batch = read_events(kind, body % b",".join((good, bad, good)), each=True)
    assert (len(batch.events), batch.places) == (2, [0, 2])
    ((place, result),) = batch.invalid.items()
    assert (place, result.id, result.errors[0].field) == (1, "bad", field)
    with pytest.raises(BadInput) as caught:
        read_events(kind, body % b",".join((bad, bad)), each=True)
    assert [fault.field for fault in caught.value.errors] == [field.replace("1", "0"), field]


@pytest.mark.parametrize(
    ("item", "code"),
    [(b'{"id": 5}', "malformed"), (b"7", "malformed"), (b'{"id": "\\u0000"}', "missing"),
     (b'{"id": "x", "data": {"n": 1e400}}', "number_out_of_range")],
)  # fmt: skip
def test_an_event_without_a_readable_id_is_answered_without_one(item: bytes, code: str) -> None:
    batch = read_events(MANY, b"[%b, %b]" % (item, OPENMETER_BARE), each=True)
    result = batch.invalid[0]
    assert result.id == ("x" if b'"x"' in item else None)
    assert (result.detail, result.errors[0].field[:3]) == (code, "[0]")
