"""What gateways told, as staff see it; and what waits, as /metrics tells."""

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from typer.testing import CliRunner

from tallystick.cli import cli
from tallystick.payments.facts import Delivery
from tallystick.payments.gateways.stripe.signature import sign
from tests.api.conftest import WEBHOOK_SECRET

if TYPE_CHECKING:
    from tallystick.settings import Settings
    from tests.api.conftest import Shop

Json = dict[str, Any]
EVENTS = "/api/v1/admin/webhooks/events"


@pytest.fixture(scope="module")
def settings(stripe_settings: "Settings") -> "Settings":
    return stripe_settings


async def receive(shop: "Shop", event_id: str, kind: str, thing: Json) -> None:
    body = msgspec.json.encode(
        {
            "id": event_id, "object": "event", "type": kind, "created": int(time.time()),
            "livemode": False, "data": {"object": thing},
        }
    )  # fmt: skip
    stamp = str(int(time.time()))
    headers = {"stripe-signature": f"t={stamp},v1={sign(stamp, body, WEBHOOK_SECRET)}"}
    await shop.services.inbox.receive("stripe", Delivery(body=body, headers=headers), shop.wall())


async def test_staff_list_look_at_and_replay_events(shop: "Shop") -> None:
    card = {"id": "pm_1", "object": "payment_method", "type": "card", "customer": "cus_nobody"}
    await receive(shop, "evt_parked", "payment_method.attached", card)
    await receive(shop, "evt_ignored", "unheard.of", {"id": "x", "client_secret": "x_secret_y"})
    await shop.work()
    staff = shop.as_person(shop.support)
    asked = {"gateway": "stripe", "status": "parked"}
    listed = (await staff.get(EVENTS, params=asked)).json()
    (parked,) = listed["webhook_events"]
    assert (parked["id"], parked["reason"]) == ("evt_parked", "customer_unknown")
    assert parked["next_try"] is not None
    kind = await staff.get(EVENTS, params={"type": "unheard.of"})
    assert [one["status"] for one in kind.json()["webhook_events"]] == ["ignored"]
    shown = await staff.get(f"{EVENTS}/stripe/evt_ignored")
    assert shown.json()["body"]["data"]["object"]["id"] == "x"
    assert "x_secret_y" not in shown.text
    one = f"{EVENTS}/stripe/evt_parked/replay"
    shop.refused(await staff.post(one), 403, "not_allowed")
    admin = shop.with_key(shop.house_keys["admin"])
    again = await admin.post(one)
    assert (again.status_code, again.json()["status"]) == (202, "received")
    await shop.work()
    (parked,) = (await staff.get(EVENTS, params=asked)).json()["webhook_events"]
    assert parked["try_count"] == 2
    many = await admin.post(f"{EVENTS}/replay", json={"gateway": "stripe", "status": "parked"})
    assert (many.status_code, many.json()) == (202, {"count": 1, "more": False})


async def test_what_is_not_there_and_what_says_nothing_is_refused(shop: "Shop") -> None:
    admin = shop.with_key(shop.house_keys["admin"])
    for path in (f"{EVENTS}/stripe/evt_none", f"{EVENTS}/nobody/evt_parked"):
        shop.refused(await admin.get(path), 404, "webhook_event_not_found")
    shop.refused(await admin.post(f"{EVENTS}/stripe/no/replay"), 404, "webhook_event_not_found")
    refused = await admin.post(f"{EVENTS}/replay", json={})
    assert shop.fields(shop.refused(refused, 422, "validation_failed")) == [("status", "missing")]
    refused = await admin.get(EVENTS, params={"status": "lost"})
    shop.refused(refused, 422, "validation_failed")


async def test_what_waits_is_in_the_figures_with_its_age(shop: "Shop") -> None:
    await shop.work()
    await receive(shop, "evt_waits", "payment_method.attached", {"id": "pm_2", "type": "card"})
    shop.wall.ahead = timedelta(seconds=90)
    text = (await shop.anybody.get("/metrics")).text
    labels = 'gateway="stripe",state="received"'
    assert f"tallystick_webhooks_waiting{{{labels}}} 1.0" in text
    (line,) = [one for one in text.splitlines() if one.startswith(_OLDEST + labels)]
    assert 90 <= float(line.rpartition(" ")[2]) < 120
    await shop.work()
    assert labels not in (await shop.anybody.get("/metrics")).text
    shop.wall.ahead = timedelta()


_OLDEST = "tallystick_webhooks_oldest_seconds{"


def test_the_command_lists_and_says_how_far_it_is(
    settings: "Settings", dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "DATABASE_URL": dsn,
        "STRIPE_SECRET_KEY": settings.stripe_secret_key,
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        "STRIPE_BASE_URL": settings.stripe_base_url,
        "TALLYSTICK_LOG_LEVEL": "ERROR",
    }.items():
        monkeypatch.setenv(name, str(value))
    since = datetime.now(UTC).date().isoformat()
    done = CliRunner().invoke(cli, ["webhooks", "catch-up", "--since", since])
    assert done.exit_code == 0, done.output
    assert f"events listed since {since}T00:00:00+00:00" in done.output
    wrong = CliRunner().invoke(cli, ["webhooks", "catch-up", "--since", "yesterday"])
    assert wrong.exit_code == 2
