"""Which other origins our pages may load from: the gateways', and nobody's else."""

from tallystick.api.edge import content_policy
from tallystick.api.services import page_origins
from tallystick.settings import Settings, read_settings


def origins(**variables: str) -> tuple[str, ...]:
    settings: Settings = read_settings({"HOME": "/", **variables}, uid=1000)
    return page_origins(settings)


def test_without_a_gateway_only_our_own_origin() -> None:
    assert origins() == ()
    assert "http" not in content_policy(origins())


def test_real_stripe_brings_its_frames() -> None:
    assert origins(STRIPE_PUBLISHABLE_KEY="pk_test_x") == (
        "https://js.stripe.com",
        "https://api.stripe.com",
        "https://*.js.stripe.com",
        "https://hooks.stripe.com",
    )


def test_a_simulator_is_one_origin() -> None:
    simulated = origins(
        STRIPE_PUBLISHABLE_KEY="pk_test_x",
        STRIPE_JS_URL="http://127.0.0.1:8420/stripe.js",
        STRIPE_BASE_URL="http://127.0.0.1:8420",
    )
    assert simulated == ("http://127.0.0.1:8420",)
