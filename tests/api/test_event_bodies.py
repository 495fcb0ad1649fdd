"""What no event may hold, in each of the ways in which events are written; and packed bodies."""

import gzip
import json
import tracemalloc
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

BILLING = "/api/v1/billing"
EVENTS = "/api/v1/events"
BACKFILL = f"{EVENTS}/backfill"
RECORD = "/api/v1/usage/check-and-record"
Json = dict[str, Any]
JSON = "application/json"
MIB = 1 << 20


class Shape:
    """A way of writing events: path, content type, body of several, and the names of parts."""

    def __init__(self, kind: str, path: str, parts: Mapping[str, str], *, is_many: bool) -> None:
        self.kind = kind
        self.path = path
        self.parts = parts
        self.is_many = is_many

    def event(self, subject: str, changes: Mapping[str, str]) -> str:
        """Write an event as JSON text, some parts changed to other JSON texts."""
        told = {"id": '"e1"', "subject": json.dumps(subject), "type": '"api_calls"', **self.fixed()}
        if self.path == BACKFILL:
            told["at"] = '"2026-01-01T00:00:00Z"'
        told |= {"properties": '{"n": 1}', **changes}
        pairs = [f'"{self.parts.get(name, name)}": {text}' for name, text in told.items()]
        return "{" + ", ".join(pairs) + "}"

    def fixed(self) -> Mapping[str, str]:
        if "transaction_id" in self.parts.values():
            return {}
        return {"source": '"s"'} | (
            {"specversion": '"1.0"'} if "data" in self.parts.values() else {}
        )

    def body(self, event: str) -> bytes:
        text = event
        if "transaction_id" in self.parts.values():
            text = f'{{"events": [{event}]}}' if self.is_many else f'{{"event": {event}}}'
        elif self.is_many:
            text = f"[{event}]" if "data" in self.parts.values() else f'{{"events": [{event}]}}'
        if self.path == BACKFILL:
            text = f'{{"reason": "r", {text[1:]}'
        return text.encode()

    def field(self, part: str) -> str:
        place = {("data", True): "[0].", ("data", False): ""}.get(
            (self.parts.get("properties", ""), self.is_many)
        )
        if self.path == RECORD:
            place = ""
        if place is None:
            place = "events[0]." if self.is_many else "event."
        first, _, rest = part.partition(".")
        return place + self.parts.get(first, first) + (f".{rest}" if rest else "")


CLOUD = {"at": "time", "properties": "data"}
LAGO = {
    "id": "transaction_id", "subject": "external_subscription_id", "type": "code",
    "at": "timestamp",
}  # fmt: skip
OWN = {"at": "time"}
SHAPES = {
    "cloudevent": Shape("application/cloudevents+json", EVENTS, CLOUD, is_many=False),
    "cloudevents": Shape("application/cloudevents-batch+json", EVENTS, CLOUD, is_many=True),
    "plain cloudevent": Shape(JSON, EVENTS, CLOUD, is_many=False),
    "plain cloudevents": Shape(JSON, EVENTS, CLOUD, is_many=True),
    "lago": Shape(JSON, EVENTS, LAGO, is_many=False),
    "lago batch": Shape(JSON, f"{EVENTS}/batch", LAGO, is_many=True),
    "own": Shape(JSON, EVENTS, OWN, is_many=True),
    "checked": Shape(JSON, RECORD, OWN, is_many=False),
    "backfilled": Shape(JSON, BACKFILL, OWN, is_many=True),
}
# Those in which senders report, also packed; the other two are decoded like any other body.
SENT = [name for name in SHAPES if name not in {"checked", "backfilled"}]
DEEP = "[" * 12 + "1" + "]" * 12
# What is changed, and the field that is named; `at` is seconds for Lago.
BAD: dict[str, tuple[Mapping[str, str], str]] = {
    "year 9999": ({"at": '"9999-12-31T23:59:59Z"'}, "at"),
    "before 1970": ({"at": '"1969-12-31T23:59:59Z"'}, "at"),
    "year 0": ({"at": '"0000-01-01T00:00:00Z"'}, "at"),
    "no offset": ({"at": '"2026-01-01T00:00:00"'}, "at"),
    "1e400": ({"properties": '{"n": 1e400}'}, "properties"),
    "a thousand digits": ({"properties": '{"n": ' + "9" * 5000 + "}"}, "properties"),
    "NaN in a text": ({"properties": '{"n": "NaN"}'}, "properties.n"),
    "Infinity in a text": ({"properties": '{"n": "Infinity"}'}, "properties.n"),
    "below zero": ({"properties": '{"n": -1}'}, "properties.n"),
    "a list": ({"properties": '{"n": [1]}'}, "properties.n"),
    "no number": ({"properties": "{}"}, "properties.n"),
    "deep": ({"properties": f'{{"n": 1, "x": {DEEP}}}'}, "properties.x"),
    "NUL in an id": ({"id": '"a\\u0000b"'}, "id"),
    "NUL in a subject": ({"subject": '"a\\u0000b"'}, "subject"),
    "NUL in a type": ({"type": '"a\\u0000b"'}, "type"),
    "NUL in a property": ({"properties": '{"n": 1, "x": "\\u0000"}'}, "properties.x"),
    "an id of 256": ({"id": f'"{"x" * 256}"'}, "id"),
    "no id": ({"id": '""'}, "id"),
    "a number as id": ({"id": "7"}, "id"),
}
LAGO_AT = {"year 9999": '"253402300799"', "before 1970": '"-1"', "year 0": '"x"', "no offset": "[]"}


@pytest.fixture(scope="module")
async def tenant(shop: "Shop") -> "Tenant":
    """An account on the plan, with no usage yet."""
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(minutes=1))
    return tenant


@pytest.fixture
def sender(request: pytest.FixtureRequest, shop: "Shop") -> httpx.AsyncClient:
    """The house's sender; staff where events are put in."""
    if "name" in request.fixturenames and request.getfixturevalue("name") == "backfilled":
        return shop.as_person(shop.finance)
    return shop.with_key(shop.house_keys["usage:write"])


Post = Callable[..., Any]


async def post(
    sender: httpx.AsyncClient, shape: Shape, body: bytes, **headers: str
) -> httpx.Response:
    return await sender.post(
        shape.path, content=body, headers={"content-type": shape.kind, **headers}
    )


@pytest.mark.parametrize(
    ("name", "packed"), [(name, False) for name in SHAPES] + [(name, True) for name in SENT]
)
async def test_a_good_event_is_taken_in_every_shape(
    sender: httpx.AsyncClient, tenant: "Tenant", name: str, *, packed: bool
) -> None:
    shape = SHAPES[name]
    body = shape.body(shape.event(tenant.id, {"id": f'"{name}"'}))
    headers = {"content-encoding": "gzip"} if packed else {}
    answer = await post(sender, shape, gzip.compress(body) if packed else body, **headers)
    assert answer.status_code in {200, 204}, answer.text


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("name", SHAPES)
async def test_what_can_not_be_counted_is_refused_with_its_fields_name(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", name: str, what: str
) -> None:
    shape, (changes, part) = SHAPES[name], BAD[what]
    if shape.parts is LAGO and what in LAGO_AT:
        changes = {"at": LAGO_AT[what]}
    before = await shop.counts()
    answer = await post(sender, shape, shape.body(shape.event(tenant.id, changes)))
    problem = shop.refused(answer, 422, "validation_failed")
    assert [field for field, _ in shop.fields(problem)] == [shape.field(part)]
    assert await shop.counts() == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "+1", "1.", "0x1"])
@pytest.mark.parametrize("name", SHAPES)
async def test_what_json_has_no_word_for_is_no_json(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", name: str, number: str
) -> None:
    shape = SHAPES[name]
    body = shape.body(shape.event(tenant.id, {"properties": f'{{"n": {number}}}'}))
    before = await shop.counts()
    problem = shop.refused(await post(sender, shape, body), 400, "malformed_json")
    if name in SENT:
        assert shop.fields(problem) == [("body", "malformed_json")]
    assert await shop.counts() == before


@pytest.mark.parametrize("name", SHAPES)
async def test_a_body_of_nothing_but_depth_is_refused(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", name: str
) -> None:
    shape = SHAPES[name]
    deep = "[" * 200_000 + "]" * 200_000
    body = shape.body(shape.event(tenant.id, {"properties": f'{{"x": {deep}}}'}))
    answer = await post(sender, shape, body)
    if name not in SENT:
        shop.refused(answer, 400, "malformed_json")
        return
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [("body", "too_deep")]


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """A hundred kilobytes that unpack to more than anybody may hold in memory here."""
    return gzip.compress(b" " * (128 * MIB), compresslevel=1)


@pytest.mark.parametrize("name", SENT)
async def test_a_bomb_is_refused_before_it_is_large(
    shop: "Shop", sender: httpx.AsyncClient, bomb: bytes, name: str
) -> None:
    shape = SHAPES[name]
    tracemalloc.start()
    answer = await post(sender, shape, bomb, **{"content-encoding": "gzip"})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    problem = shop.refused(answer, 413, "body_too_large")
    assert shop.fields(problem) == [("body", "body_too_large")]
    assert peak < 40 * MIB


NO_GZIP = {
    "nothing": b"",
    "its first bytes": b"\x1f\x8b\x08",
    "text": b"no gzip",
    "cut short": gzip.compress(b"[]", mtime=0)[:-3],
    "with something behind": gzip.compress(b"[]", mtime=0) + b"x",
    "many empty parts": gzip.compress(b"", mtime=0) * 50,
}


@pytest.mark.parametrize("packed", NO_GZIP.values(), ids=list(NO_GZIP))
@pytest.mark.parametrize("name", ["cloudevents", "lago batch", "own"])
async def test_what_is_no_gzip_is_refused(
    shop: "Shop", sender: httpx.AsyncClient, name: str, packed: bytes
) -> None:
    answer = await post(sender, SHAPES[name], packed, **{"content-encoding": "gzip"})
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [("body", "malformed_gzip")]


async def test_gzip_may_come_in_parts(sender: httpx.AsyncClient, tenant: "Tenant") -> None:
    shape = SHAPES["cloudevents"]
    body = shape.body(shape.event(tenant.id, {"id": '"parts"'}))
    packed = gzip.compress(body[:20]) + gzip.compress(body[20:])
    answer = await post(sender, shape, packed, **{"content-encoding": "gzip"})
    assert answer.status_code == 204


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, identity", "zstd"])
@pytest.mark.parametrize("path", [EVENTS, f"{EVENTS}/batch"])
async def test_another_coding_is_415_and_told_what_is_taken(
    shop: "Shop", sender: httpx.AsyncClient, path: str, coding: str
) -> None:
    headers = {"content-type": JSON, "content-encoding": coding}
    answer = await sender.post(path, content=b"{}", headers=headers)
    shop.refused(answer, 415, "unsupported_content_encoding")
    assert answer.headers["accept-encoding"] == "gzip, identity"


@pytest.mark.parametrize("name", ["cloudevents", "plain cloudevents", "lago batch"])
async def test_whoever_asks_for_each_event_is_told_of_bad_ones_too(
    sender: httpx.AsyncClient, tenant: "Tenant", name: str
) -> None:
    shape = SHAPES[name]
    events = [shape.event(tenant.id, {"id": f'"{name}-{at}"'}) for at in range(2)]
    events.insert(1, shape.event(tenant.id, {"properties": '{"n": -1}'}))
    events.append(shape.event(tenant.id, {"id": "5"}))
    body = shape.body(", ".join(events))
    answer = await post(sender, shape, body, prefer="return=representation")
    assert answer.status_code == 200
    results = answer.json()["events"]
    statuses = [one["status"] for one in results]
    assert statuses == ["accepted", "invalid", "accepted", "invalid"]
    fields = [fault["field"] for one in results for fault in one["errors"]]
    assert fields == [shape.field(part).replace("[0]", f"[{at}]") for part, at in (
        ("properties.n", 1), ("id", 3))]  # fmt: skip
