"""Every refusal is a problem (RFC 9457): its code, its field, the request's id, and no more."""

from typing import TYPE_CHECKING

import httpx
import pytest
from litestar import get
from litestar.exceptions import HTTPException
from litestar.testing import RequestFactory

from tallystick.api import errors
from tallystick.kernel import errors as domain
from tallystick.kernel.errors import TallystickError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.api.conftest import Shop

BILLING = "/api/v1/billing"
NEST = 100_000


@pytest.fixture(scope="module")
async def owner(shop: "Shop") -> httpx.AsyncClient:
    return shop.with_key(shop.acme.keys["billing:write"])


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", f"{BILLING}/nothing", "/%00"])
async def test_an_unknown_path_is_a_problem(shop: "Shop", path: str) -> None:
    shop.refused(await shop.anybody.get(path), 404, "route_not_found")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/healthz", {"GET"}),
        (f"{BILLING}/plans", {"GET"}),
        ("/api/v1/events", {"POST"}),
        ("/api/v1/admin/accounts", {"GET", "POST"}),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PROPFIND", "TRACE"])
async def test_a_wrong_method_is_told_the_right_ones(
    shop: "Shop", path: str, allowed: set[str], method: str
) -> None:
    answer = await shop.anybody.request(method, path)
    shop.refused(answer, 405, "method_not_allowed")
    told = {name.strip() for name in answer.headers["allow"].split(",")}
    assert told - {"OPTIONS"} == allowed


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"plan": }', b"\xff\xfe", b'{"plan": "\xc3\x28"}', b"nul", b'{"plan": "\\ud800"}'],
)
async def test_a_body_that_is_no_json_is_400(
    shop: "Shop", owner: httpx.AsyncClient, body: bytes
) -> None:
    answer = await owner.post(
        f"{BILLING}/subscriptions", content=body, headers={"content-type": "application/json"}
    )
    shop.refused(answer, 400, "malformed_json")


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"plan": "pro", "plann": "x"}, "plann", "unknown_field"),
        ({}, "plan", "missing"),
        ({"plan": 1}, "plan", "invalid"),
        ({"plan": None}, "plan", "invalid"),
        ([], "body", "invalid"),
        ("pro", "body", "invalid"),
        ({"plan": "p\0ro"}, "plan", "control_character"),
    ],
)
async def test_a_body_of_another_shape_names_its_field(
    shop: "Shop", owner: httpx.AsyncClient, body: object, field: str, code: str
) -> None:
    answer = await owner.post(f"{BILLING}/subscriptions", json=body)
    assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [(field, code)]


async def test_a_body_left_out_is_missed(shop: "Shop", owner: httpx.AsyncClient) -> None:
    answer = await owner.post(f"{BILLING}/subscriptions")
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [("body", "missing")]


async def test_nesting_without_end_is_refused(shop: "Shop") -> None:
    admin = shop.with_key(shop.house_keys["admin"])
    plan = '{"code": "deep", "name": "D", "currency": "USD", "interval": "month", "prices": [%s]}'
    answer = await admin.post(
        "/api/v1/admin/plans",
        content=plan % ('{"a":' * NEST + "1" + "}" * NEST),
        headers={"content-type": "application/json"},
    )
    shop.refused(answer, 400, "malformed_json")


@pytest.mark.parametrize("value", ['"1"', "1.0", "1e3", "true", "null", "[1]", "1.5", "NaN"])
async def test_only_a_whole_number_is_an_amount(
    shop: "Shop", owner: httpx.AsyncClient, value: str
) -> None:
    body = (
        '{"invoice_id": "x", "payment_method": "bank", "transaction_reference": "r", '
        f'"amount_cents": {value}}}'
    )
    answer = await owner.post(
        f"{BILLING}/payments/manual", content=body, headers={"content-type": "application/json"}
    )
    if value == "NaN":
        shop.refused(answer, 400, "malformed_json")
    elif value == "null":  # the same as left out: the id decides
        shop.refused(answer, 404, "invoice_not_found")
    else:
        problem = shop.refused(answer, 422, "validation_failed")
        assert shop.fields(problem) == [("amount_cents", "invalid")]


@pytest.mark.parametrize("value", ['"true"', "1", "0", '""', "null"])
async def test_only_a_boolean_is_a_boolean(
    shop: "Shop", owner: httpx.AsyncClient, value: str
) -> None:
    answer = await owner.post(
        f"{BILLING}/autopay",
        content=f'{{"enabled": {value}}}',
        headers={"content-type": "application/json"},
    )
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [("enabled", "invalid")]


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/plans", "pagee=1", "pagee"),
        ("/invoices", "Page=1", "Page"),
        ("/invoices", "page=1&stat%75s_=open", "status_"),
        ("/config", "=", ""),
    ],
)
async def test_an_unknown_query_parameter_is_no_typo_that_passes(
    shop: "Shop", owner: httpx.AsyncClient, path: str, query: str, field: str
) -> None:
    problem = shop.refused(await owner.get(f"{BILLING}{path}?{query}"), 422, "validation_failed")
    assert shop.fields(problem) == [(field, "unknown_field")]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=x", "page"),
        ("page=1.0", "page"),
        ("page=1e1", "page"),
        ("page=%D9%A1", "page"),
        ("page=1&page=2", "page"),
        ("page=99999999999999999999999", "page"),
        ("limit=", "limit"),
        ("status=opened", "status"),
        ("status=open%00", "status"),
        ("cursor=%00", "cursor"),
        ("cursor=%FF", "cursor"),
    ],
)
async def test_a_query_parameter_of_another_type_names_itself(
    shop: "Shop", owner: httpx.AsyncClient, query: str, field: str
) -> None:
    problem = shop.refused(await owner.get(f"{BILLING}/invoices?{query}"), 422, "validation_failed")
    assert [name for name, _ in shop.fields(problem)] == [field]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/jsonp"],
)
async def test_another_content_type_is_415(
    shop: "Shop", owner: httpx.AsyncClient, kind: str
) -> None:
    answer = await owner.post(
        f"{BILLING}/subscriptions", content=b'{"plan": "pro"}', headers={"content-type": kind}
    )
    shop.refused(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity"])
@pytest.mark.parametrize("path", [f"{BILLING}/subscriptions", f"{BILLING}/autopay"])
async def test_a_compressed_body_is_415_and_told_what_is_taken(
    shop: "Shop", path: str, coding: str
) -> None:
    anything = shop.with_key(shop.house_keys["admin"], shop.acme.id)
    answer = await anything.post(
        path,
        content=b"\x1f\x8b\x08",
        headers={"content-type": "application/json", "content-encoding": coding},
    )
    shop.refused(answer, 415, "unsupported_content_encoding")
    assert answer.headers["accept-encoding"] == "identity"


async def chunks(size: int) -> "AsyncIterator[bytes]":
    for _ in range(size // (1 << 16) + 1):
        yield b" " * (1 << 16)


@pytest.mark.parametrize(
    ("path", "bytes_max"),
    [(f"{BILLING}/subscriptions", 1 << 20), ("/api/v1/events", 8 << 20)],
)
@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit_is_413(
    shop: "Shop", path: str, bytes_max: int, *, idempotent: bool, chunked: bool
) -> None:
    anything = shop.with_key(shop.house_keys["admin"], shop.acme.id)
    headers = {"content-type": "application/json"}
    if idempotent:
        headers["Idempotency-Key"] = f"{path}{chunked}"
    body = chunks(bytes_max) if chunked else b" " * (bytes_max + 1)
    answer = await anything.post(path, content=body, headers=headers)
    shop.refused(answer, 413, "body_too_large")


async def test_a_body_at_the_limit_is_read(shop: "Shop", owner: httpx.AsyncClient) -> None:
    body = b'{"plan": "none"' + b" " * ((1 << 20) - 16) + b"}"
    answer = await owner.post(
        f"{BILLING}/subscriptions", content=body, headers={"content-type": "application/json"}
    )
    shop.refused(answer, 404, "plan_not_found")


async def test_a_request_keeps_its_id_through_all_layers(shop: "Shop") -> None:
    answer = await shop.anybody.get("/nothing", headers={"X-Request-Id": "abc.DEF:1-2_3"})
    assert shop.refused(answer, 404, "route_not_found")["request_id"] == "abc.DEF:1-2_3"


@pytest.mark.parametrize("bad", ["", "a b", "a" * 129, 'a"', "<x>", "ä"])
async def test_an_id_that_can_not_be_logged_safely_is_replaced(shop: "Shop", bad: str) -> None:
    answer = await shop.anybody.get("/healthz", headers={b"X-Request-Id": bad.encode("latin-1")})
    assert answer.headers["x-request-id"].startswith("req_")


async def test_every_answer_carries_headers_for_safety(shop: "Shop") -> None:
    for path in ("/healthz", "/nothing", f"{BILLING}/plans"):
        answer = await shop.anybody.get(path)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.fixture
def faulty(shop: "Shop", again: "Callable[..., Shop]", monkeypatch: pytest.MonkeyPatch) -> "Shop":
    """The application whose plans can not be read any more."""
    del shop

    async def broken(*_: object) -> None:
        raise RuntimeError("postgresql://tallystick:hunter2@db/prod: sk_live_0123456789")

    monkeypatch.setattr("tallystick.api.subscriptions.catalog.list_plans", broken)
    return again()


async def test_a_fault_of_ours_says_nothing_but_the_requests_id(faulty: "Shop") -> None:
    member = faulty.with_key(faulty.acme.keys["billing:read"])
    problem = faulty.refused(await member.get(f"{BILLING}/plans"), 500, "internal_error")
    assert "errors" not in problem
    text = str(problem)
    assert not any(word in text for word in ("hunter2", "sk_live", "RuntimeError", "postgres"))


async def test_a_fault_in_the_middle_of_a_change_leaves_nothing(
    shop: "Shop", again: "Callable[..., Shop]", monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("after the row was written")

    monkeypatch.setattr("tallystick.api.admin_accounts.account_answer", broken)
    admin = again().with_key(shop.house_keys["admin"])
    before = await shop.counts()
    new = {"name": "A", "email": "a@example.com", "currency": "USD", "country": "US"}
    for headers in ({}, {"Idempotency-Key": "fault"}):
        answer = await admin.post("/api/v1/admin/accounts", json=new, headers=headers)
        shop.refused(answer, 500, "internal_error")
    assert await shop.counts() == before


def test_every_kind_of_error_has_a_status() -> None:
    kinds = {cls.kind for cls in every_subclass(TallystickError)}
    assert kinds <= set(errors.STATUS_BY_KIND)
    assert {cls for cls in every_subclass(TallystickError) if cls.__module__ == domain.__name__}


def every_subclass(base: type[TallystickError]) -> "list[type[TallystickError]]":
    return [base, *(found for cls in base.__subclasses__() for found in every_subclass(cls))]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 409, 413, 415, 429, 503])
def test_what_the_framework_raises_is_a_problem_too(status: int) -> None:
    @get("/")
    async def nothing() -> None: ...

    request = RequestFactory().get("/", route_handler=nothing)
    answer = errors.framework_error(request, HTTPException("text of ours", status_code=status))
    assert answer.status_code == status
    assert b"text of ours" not in answer.content
    assert answer.media_type == errors.PROBLEM
