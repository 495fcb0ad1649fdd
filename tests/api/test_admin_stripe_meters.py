"""Staff say which meter goes to Stripe, see what became of it, and decide; with both sides read."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

from tallystick.cli import cli
from tallystick.kernel.db import WRITER
from tallystick.payments import linking

if TYPE_CHECKING:
    from collections.abc import Callable

    from tallystick.settings import Settings
    from tests.api.conftest import Shop, Stripe

Json = dict[str, Any]
METERS = "/api/v1/admin/stripe-meters"
WHY = {"reason": "Sold through Stripe"}
HELD = """
INSERT INTO stripe_meter_events (account_id, stripe_meter_event_id, meter_id, reference,
    event_name, hour, revision, value, at, status, reason, created_at, try_after)
SELECT $1, $2, meter_id, 'mtr_gone', 'gone', '2026-03-01Z', $3, -2.50, '2026-03-01Z', 'held',
    'too_much_sent', now(), now() FROM meters WHERE code = 'api_calls'
"""
WAIT_S = 10.0


@pytest.fixture(scope="module")
def settings(stripe_settings: "Settings") -> "Settings":
    return stripe_settings


def make_meter(stripe: "Stripe", name: str, formula: str = "sum") -> Json:
    form = {
        "display_name": name,
        "event_name": name,
        "default_aggregation[formula]": formula,
    }
    return at_stripe(stripe, "/v1/billing/meters", form)


def at_stripe(stripe: "Stripe", path: str, form: dict[str, str]) -> Json:
    headers = {"authorization": "Bearer sk_test_elsewhere"}
    answer = httpx.post(f"{stripe.url}{path}", data=form, headers=headers, trust_env=False)
    made: Json = answer.json()
    return made


async def link(shop: "Shop", stripe: "Stripe") -> str:
    token = str(at_stripe(stripe, "/v1/customers", {})["id"])
    async with shop.db.transaction(WRITER) as conn:
        account_id = shop.acme.account.account_id
        await linking.link_customer(conn, account_id, "stripe", token, shop.wall())
    return token


async def hold(shop: "Shop", number: int) -> None:
    async with shop.db.transaction(WRITER) as conn:
        await conn.execute(HELD, shop.acme.account.account_id, UUID(int=number), number)


@pytest.fixture
def command(settings: "Settings", monkeypatch: pytest.MonkeyPatch) -> "Callable[..., Any]":
    """Run `tallystick stripe-meters summaries` on a database."""

    async def run(dsn: str, *options: str) -> Any:
        for name, value in {
            "DATABASE_URL": dsn,
            "STRIPE_SECRET_KEY": settings.stripe_secret_key,
            "STRIPE_WEBHOOK_SECRET": "whsec_x",
            "STRIPE_BASE_URL": settings.stripe_base_url,
            "TALLYSTICK_LOG_LEVEL": "ERROR",
        }.items():
            monkeypatch.setenv(name, str(value))
        asked = ["stripe-meters", "summaries", *options]
        return await asyncio.to_thread(CliRunner().invoke, cli, asked)

    return run


async def test_usage_goes_where_an_admin_says_and_is_read_back(
    shop: "Shop", stripe: "Stripe", command: "Callable[..., Any]", module_dsn: str
) -> None:
    there, token = make_meter(stripe, "bytes"), await link(shop, stripe)
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    event = {
        "id": "s1", "type": "storage", "subject": shop.acme.id, "time": hour.isoformat(),
        "data": {"n": "2.5"}, "source": "test", "specversion": "1.0",
    }  # fmt: skip
    async with shop.with_key(shop.acme.keys["usage:write"]) as machine:
        kind = {"content-type": "application/cloudevents+json"}
        assert (await machine.post("/api/v1/events", json=event, headers=kind)).is_success
    async with shop.as_person(shop.admin) as admin:
        body = {"event_name": "bytes", "sends_from": hour.isoformat(), **WHY}
        told = (await admin.put(f"{METERS}/meters/storage", json=body)).json()
        assert (told["stripe_meter"], told["formula"]) == (there["id"], "sum")
        shop.wall.ahead = timedelta(minutes=11)
        async with asyncio.timeout(WAIT_S):
            while not (await admin.get(f"{METERS}/events?status=sent")).json()["total"]:
                await shop.work()
                shop.wall.ahead += timedelta(seconds=1)
        shop.wall.ahead = timedelta()
        (sent,) = (await admin.get(f"{METERS}/events?account_id={shop.acme.id}")).json()["events"]
        assert (sent["value"], sent["customer"], sent["status"]) == ("2.5", token, "sent")
        span = {"from": hour.isoformat(), "to": (hour + timedelta(hours=2)).isoformat()}
        query = {"account_id": shop.acme.id, "meter": "storage", **span}
        found = (await admin.get(f"{METERS}/summaries", params=query)).json()
        (one,) = found["hours"]
        assert (one["sent"], one["stripe"], one["open_events"]) == ("2.5", "2.5", 0)
        shown = await command(
            module_dsn, "--account", shop.acme.id, "--meter", "storage",
            "--from", span["from"], "--to", span["to"],
        )  # fmt: skip
        assert "Hours: 1. Sent: 2.5. At Stripe: 2.5." in shown.output
        state = (await admin.get(METERS)).json()
        assert [one["meter"] for one in state["meters"]] == ["storage"]
        gone = await admin.delete(f"{METERS}/meters/storage", params=WHY)
        assert gone.status_code == 204
        missing = await admin.get(f"{METERS}/summaries", params=query)
        assert (missing.status_code, missing.json()["code"]) == (404, "stripe_meter_not_found")


async def test_a_meter_that_can_not_go_to_stripe_is_refused_by_name(
    shop: "Shop", stripe: "Stripe"
) -> None:
    make_meter(stripe, "lasts", "last")
    async with shop.as_person(shop.admin) as admin:
        for name, code in (("nobody", "stripe_meter_missing"), ("lasts", "stripe_meter_differs")):
            body = {"event_name": name, **WHY}
            refused = await admin.put(f"{METERS}/meters/storage", json=body)
            assert (refused.status_code, refused.json()["code"]) == (409, code)
        unknown = await admin.put(f"{METERS}/meters/nothing", json=body)
        assert unknown.json()["code"] == "meter_not_found"
        without = await admin.put(f"{METERS}/meters/storage", json={"event_name": "x"})
        assert without.json()["errors"][0]["field"] == "reason"


async def test_a_held_event_is_seen_and_decided_by_finance_with_a_reason(shop: "Shop") -> None:
    await hold(shop, 7)
    async with shop.as_person(shop.finance) as finance:
        listed = (await finance.get(f"{METERS}/events?status=held")).json()
        (held,) = listed["events"]
        assert (held["value"], held["reason"]) == ("-2.5", "too_much_sent")
        decision = f"{METERS}/events/{held['id']}/decision"
        wrong = await finance.post(decision, json={"decision": "counted", **WHY})
        assert wrong.json()["code"] == "stripe_meter_event_decided"
        done = await finance.post(decision, json={"decision": "settled", **WHY})
        assert done.json()["status"] == "settled"
        again = await finance.post(decision, json={"decision": "settled", **WHY})
        assert again.status_code == 409
        nothing = f"{METERS}/events/{held['id'][:-1]}8/decision"
        missing = await finance.post(nothing, json={"decision": "settled", **WHY})
        assert missing.json()["code"] == "stripe_meter_event_not_found"
    rows = await shop.rows(
        "SELECT reason FROM billing_audit WHERE table_name = 'stripe_meter_decisions'"
    )
    assert [row["reason"] for row in rows] == [WHY["reason"]]


async def test_what_is_not_done_is_in_the_figures(shop: "Shop") -> None:
    await hold(shop, 8)
    text = (await shop.anybody.get("/metrics")).text
    assert 'tallystick_stripe_meter_events{status="held"} 1.0' in text
    assert 'tallystick_stripe_meter_events_oldest_seconds{status="held"}' in text


async def test_customers_see_none_of_it_and_support_changes_nothing(shop: "Shop") -> None:
    async with shop.as_person(shop.acme.owner) as owner:
        assert (await owner.get(METERS)).status_code == 403
    async with shop.as_person(shop.support) as support:
        body = {"event_name": "bytes", **WHY}
        assert (await support.put(f"{METERS}/meters/storage", json=body)).status_code == 403


async def test_the_command_says_what_it_can_not_read(
    command: "Callable[..., Any]", dsn: str
) -> None:
    asked = ["--account", "nobody", "--meter", "tokens"]
    wrong = await command(dsn, *asked, "--from", "yesterday", "--to", "2026-11-02")
    assert wrong.exit_code == 2
    gone = await command(dsn, *asked, "--from", "2026-11-01", "--to", "2026-11-02")
    assert gone.exit_code == 1
