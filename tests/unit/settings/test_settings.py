"""Settings: read once, refused with the variable's name, and no secret in any sentence."""

from pathlib import Path

import pytest

from tallystick.kernel.errors import SetupError
from tallystick.settings import VARIABLES, problems, read_settings

BASE = {"HOME": "/home/ada"}


def test_an_empty_environment_has_a_home_and_no_gateway() -> None:
    settings = read_settings(BASE, uid=1000)
    assert settings.home == Path("/home/ada/.tallystick")
    assert not settings.stripe_configured
    assert problems(settings) == ()


def test_an_empty_variable_counts_as_absent() -> None:
    settings = read_settings({**BASE, "DATABASE_URL": "", "TALLYSTICK_PORT": ""}, uid=1000)
    assert settings.database_url is None
    assert settings.port == 8000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TALLYSTICK_PORT", "70000"),
        ("TALLYSTICK_PORT", "http"),
        ("TALLYSTICK_RATE_LIMIT", "0"),
        ("BILLING_ENABLED", "perhaps"),
        ("STRIPE_BASE_URL", "api.stripe.com"),
        ("DEFAULT_CURRENCY", "dollars"),
        ("TALLYSTICK_LOG_LEVEL", "LOUD"),
        ("LAGO_API_URL", "lago.example"),
        ("LAGO_API_KEY", "two words"),
    ],
)
def test_a_value_that_can_not_be_used_names_its_variable(name: str, text: str) -> None:
    with pytest.raises(SetupError, match=name):
        read_settings({**BASE, name: text}, uid=1000)


def test_two_webhook_secrets_are_valid_while_one_replaces_the_other() -> None:
    settings = read_settings({**BASE, "STRIPE_WEBHOOK_SECRET": "whsec_a, whsec_b,"}, uid=1000)
    assert settings.stripe_webhook_secrets == ("whsec_a", "whsec_b")


def test_problems_say_what_is_missing_and_show_no_secret() -> None:
    secrets = {
        "STRIPE_SECRET_KEY": "sk_live_hidden",
        "TALLYSTICK_JWT_SECRET": "short-hidden",
        "TALLYSTICK_PUBLIC_URL": "https://billing.example",
    }
    found = problems(read_settings({**BASE, **secrets}, uid=1000))
    for name in (
        "STRIPE_WEBHOOK_SECRET",
        "STRIPE_PUBLISHABLE_KEY",
        "TALLYSTICK_JWT_SECRET",
        "TALLYSTICK_JWT_ISSUER",
        "TALLYSTICK_COOKIE_SECURE",
    ):
        assert any(name in sentence for sentence in found)
    assert not any("hidden" in sentence for sentence in found)


def test_every_variable_sets_a_field_of_its_own() -> None:
    fields = [variable.field for variable in VARIABLES]
    assert len(fields) == len(set(fields))


@pytest.mark.parametrize(
    ("url", "key", "told"),
    [
        ("https://lago.example", "", "LAGO_API_KEY is missing"),
        ("", "key", "LAGO_API_URL is missing"),
        ("https://lago.example/api/v1/", "key", "without /api/v1"),
        ("https://ada:hunter2@lago.example", "key", "must not hold a password"),
    ],
)
def test_half_a_lago_server_is_a_problem(url: str, key: str, told: str) -> None:
    settings = read_settings({**BASE, "LAGO_API_URL": url, "LAGO_API_KEY": key}, uid=1000)
    (problem,) = problems(settings)
    assert told in problem
    assert "hunter2" not in problem


def test_a_whole_lago_server_is_none() -> None:
    named = {"LAGO_API_URL": "http://lago-api:3000/", "LAGO_API_KEY": "key"}
    settings = read_settings({**BASE, **named}, uid=1000)
    assert settings.lago_configured
    assert problems(settings) == ()
