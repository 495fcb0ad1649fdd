"""The control panel's page itself: open to anybody, and what it says of gateways."""

from pathlib import Path

from tallystick.settings import Settings
from tallystick.settings_ccbill import CcbillSettings

from .conftest import World, opened


async def test_a_gateway_that_is_not_configured_says_how_to_configure_it(world: World) -> None:
    answer = await world.http.get("/")
    assert answer.status_code == 200
    assert "Stripe is not configured here" in answer.text
    assert "CCBill is not configured here" in answer.text
    for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "CCBILL_BACKEND_CLIENT_SECRET"):
        assert f"<code>{name}</code>" in answer.text
    assert "/api/ccbill/webhook" in answer.text
    assert 'href="/docs/settings"' in answer.text


async def test_a_gateway_that_is_configured_says_nothing_of_its_keys(
    dsn: str, tmp_path: Path
) -> None:
    ccbill = CcbillSettings(
        frontend_id="front",
        frontend_secret="front-secret",
        backend_id="back",
        backend_secret="back-secret",
        accnum=900000,
    )
    settings = Settings(
        home=tmp_path,
        stripe_secret_key="sk_test_secret",
        stripe_publishable_key="pk_test_1",
        stripe_webhook_secrets=("whsec_secret",),
        ccbill=ccbill,
    )
    async for world in opened(settings, dsn):
        text = (await world.http.get("/")).text
        assert "not configured" not in text
        assert "Add a US bank account" in text
        assert "Create token" in text
        assert "secret" not in text.lower().replace("id=", "")


async def test_the_settings_page_names_every_variable_and_no_value(world: World) -> None:
    answer = await world.http.get("/docs/settings")
    assert answer.status_code == 200
    assert "DATABASE_URL" in answer.text
    assert "CCBILL_ACCEPT" in answer.text
    assert str(world.services.settings.home) not in answer.text


async def test_whoever_is_signed_in_is_known_on_the_panel_and_nobody_is_refused(
    world: World,
) -> None:
    assert "Nobody is signed in." in (await world.http.get("/")).text
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    assert "Signed in: Atelier." in (await world.http.get("/?redirect_status=succeeded")).text
    world.http.cookies.set("session_token", "tss_over")
    answer = await world.http.get("/")
    assert answer.status_code == 200
    assert "Nobody is signed in." in answer.text
