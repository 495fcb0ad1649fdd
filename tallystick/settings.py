"""All settings, read once from the environment; nothing else in the package reads it.

The seeds' variables keep their names (`STRIPE_SECRET_KEY`, `BILLING_ENABLED` …); ours begin with
`TALLYSTICK_`. A value that can not be used raises a SetupError that names its variable.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from tallystick.kernel.embedded import default_home
from tallystick.kernel.errors import SetupError
from tallystick.money.currency import currencies
from tallystick.settings_ccbill import CCBILL_VARIABLES, CcbillSettings, ccbill_problems
from tallystick.settings_readers import (
    Variable,
    read_address,
    read_bool,
    read_call_rate,
    read_count,
    read_currency,
    read_days,
    read_hours,
    read_keep_days,
    read_key,
    read_lag_minutes,
    read_level,
    read_list,
    read_mail_url,
    read_number_code,
    read_port,
    read_redis_url,
    read_url,
    read_usage_store_url,
)

STRIPE_API: Final = "https://api.stripe.com"
STRIPE_JS: Final = "https://js.stripe.com/endive/stripe.js"
JWT_SECRET_BYTES_MIN: Final = 32


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What this installation is told; secrets are here and must not be printed."""

    database_url: str | None = None
    home: Path
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str = "http://127.0.0.1:8000"
    billing_enabled: bool = True
    dev: bool = False
    log_json: bool = True
    log_level: str = "INFO"
    cookie_secure: bool = False
    default_currency: str = "USD"
    default_currency_code: str | None = None
    default_monthly_price_cents: int | None = None
    anchor_key_file: Path | None = None
    usage_keep_days: int | None = None
    usage_archive: Path | None = None
    rate_limit_per_minute: int = 6000
    event_age_days_max: int | None = None
    event_ahead_seconds_max: int = 3600
    event_parked_days_max: int = 400
    correction_window_days: int = 400
    incomplete_hours: int = 23
    redis_url: str | None = None
    usage_store_url: str | None = None
    seller_name: str = "Your company"
    seller_address: tuple[str, ...] = ()
    seller_email: str | None = None
    seller_tax_id: str | None = None
    stripe_secret_key: str | None = None
    stripe_publishable_key: str | None = None
    stripe_webhook_secrets: tuple[str, ...] = ()
    stripe_base_url: str = STRIPE_API
    stripe_js_url: str = STRIPE_JS
    stripe_success_url: str | None = None
    stripe_cancel_url: str | None = None
    ccbill: CcbillSettings = CcbillSettings()
    stripe_meter_lag_minutes: int = 120
    stripe_meter_calls_per_second: int = 20
    lago_api_url: str | None = None
    lago_api_key: str | None = None
    vat_check_url: str | None = None
    webhook_allow_private: bool = False
    webhook_allow_http: bool = False
    mail_url: str | None = None
    mail_from: str | None = None
    mail_invoices: bool = True
    jwt_secret: str | None = None
    jwt_jwks_url: str | None = None
    jwt_issuer: str | None = None
    jwt_audience: str | None = None

    @property
    def stripe_configured(self) -> bool:
        """Whether Stripe can be called."""
        return bool(self.stripe_secret_key)

    @property
    def mail_configured(self) -> bool:
        """Whether mail goes out, or into a folder."""
        return bool(self.mail_url and (self.mail_from or self.seller_email))

    @property
    def lago_configured(self) -> bool:
        """Whether usage is sent to a Lago server."""
        return bool(self.lago_api_url and self.lago_api_key)


_VARIABLES: Final = (
    Variable("DATABASE_URL", "database_url", str, "PostgreSQL 15+; absent: the embedded one"),
    Variable("TALLYSTICK_HOME", "home", Path, "where the embedded PostgreSQL keeps its data"),
    Variable("TALLYSTICK_HOST", "host", str, "address to listen on"),
    Variable("TALLYSTICK_PORT", "port", read_port, "port to listen on"),
    Variable("TALLYSTICK_PUBLIC_URL", "public_url", read_url, "the address customers see"),
    Variable("BILLING_ENABLED", "billing_enabled", read_bool, "false: billing routes answer 404"),
    Variable("TALLYSTICK_DEV", "dev", read_bool, "development only routes"),
    Variable("TALLYSTICK_LOG_JSON", "log_json", read_bool, "log lines as JSON"),
    Variable("TALLYSTICK_LOG_LEVEL", "log_level", read_level, "the least level logged"),
    Variable("TALLYSTICK_COOKIE_SECURE", "cookie_secure", read_bool, "cookies over HTTPS only"),
    Variable("DEFAULT_CURRENCY", "default_currency", read_currency, "currency of new accounts"),
    Variable("DEFAULT_CURRENCY_CODE", "default_currency_code", read_number_code,
             "the same by its ISO number, where DEFAULT_CURRENCY is not set"),
    Variable("DEFAULT_MONTHLY_PRICE_CENTS", "default_monthly_price_cents", read_count,
             "what POST /subscribe-monthly bills where no plan is named"),
    Variable("TALLYSTICK_ANCHOR_KEY_FILE", "anchor_key_file", Path, "key that signs anchors"),
    Variable("TALLYSTICK_USAGE_KEEP_DAYS", "usage_keep_days", read_keep_days,
             "older usage events are archived"),
    Variable("TALLYSTICK_USAGE_ARCHIVE", "usage_archive", Path, "folder of archived usage"),
    Variable("TALLYSTICK_RATE_LIMIT", "rate_limit_per_minute", read_count, "requests a minute"),
    Variable("TALLYSTICK_EVENT_AGE_DAYS_MAX", "event_age_days_max", read_days,
             "how old a usage event may be"),
    Variable("TALLYSTICK_EVENT_AHEAD_SECONDS_MAX", "event_ahead_seconds_max", read_count,
             "how far ahead of the account's clock it may be"),
    Variable("TALLYSTICK_EVENT_PARKED_DAYS_MAX", "event_parked_days_max", read_days,
             "how long unmatched events and conflicts are kept"),
    Variable("TALLYSTICK_CORRECTION_WINDOW_DAYS", "correction_window_days", read_days,
             "for how long after a period's end changed usage is billed"),
    Variable("TALLYSTICK_INCOMPLETE_HOURS", "incomplete_hours", read_hours,
             "how long a subscription waits for its first payment"),
    Variable("REDIS_URL", "redis_url", read_redis_url, "counters of limits on Redis"),
    Variable("USAGE_STORE_URL", "usage_store_url", read_usage_store_url, "usage in ClickHouse"),
    Variable("TALLYSTICK_SELLER_NAME", "seller_name", str, "who invoices, as printed"),
    Variable("TALLYSTICK_SELLER_ADDRESS", "seller_address", read_list("|"),
             "address lines, separated by |"),
    Variable("TALLYSTICK_SELLER_EMAIL", "seller_email", str, "where customers write to"),
    Variable("TALLYSTICK_SELLER_TAX_ID", "seller_tax_id", str, "VAT number of the seller"),
    Variable("STRIPE_SECRET_KEY", "stripe_secret_key", str, "absent: Stripe is switched off"),
    Variable("STRIPE_PUBLISHABLE_KEY", "stripe_publishable_key", str, "the page's key"),
    Variable("STRIPE_WEBHOOK_SECRET", "stripe_webhook_secrets", read_list(","),
             "whsec_…, several separated by commas while rotating"),
    Variable("STRIPE_BASE_URL", "stripe_base_url", read_url, "Stripe's API, or a simulator"),
    Variable("STRIPE_JS_URL", "stripe_js_url", read_url, "the page script of Stripe"),
    Variable("STRIPE_SUCCESS_URL", "stripe_success_url", read_url,
             "where payers come back to from Stripe's page"),
    Variable("STRIPE_CANCEL_URL", "stripe_cancel_url", read_url,
             "where they come back to without having paid"),
    Variable("STRIPE_METER_LAG_MINUTES", "stripe_meter_lag_minutes", read_lag_minutes,
             "how long an hour settles before it goes to Stripe's meters"),
    Variable("STRIPE_METER_CALLS_PER_SECOND", "stripe_meter_calls_per_second", read_call_rate,
             "how many events they get in a second"),
    Variable("LAGO_API_URL", "lago_api_url", read_url, "a Lago server that gets all usage too"),
    Variable("LAGO_API_KEY", "lago_api_key", read_key, "the key for it"),
    Variable("TALLYSTICK_VAT_CHECK_URL", "vat_check_url", read_url, "where VAT numbers are asked"),
    Variable("TALLYSTICK_WEBHOOK_ALLOW_PRIVATE", "webhook_allow_private", read_bool,
             "webhooks may go to addresses inside private networks"),
    Variable("TALLYSTICK_WEBHOOK_ALLOW_HTTP", "webhook_allow_http", read_bool,
             "webhooks may go to addresses without TLS"),
    Variable("TALLYSTICK_MAIL_URL", "mail_url", read_mail_url,
             "smtp://user:password@host:587, smtps://… or file:///folder; absent: no mail is sent"),
    Variable("TALLYSTICK_MAIL_FROM", "mail_from", read_address, "the address mail comes from"),
    Variable("TALLYSTICK_MAIL_INVOICES", "mail_invoices", read_bool,
             "false: only invoices are mailed, at somebody's request"),
    Variable("TALLYSTICK_JWT_SECRET", "jwt_secret", str, "HS256 secret, 32 bytes or more"),
    Variable("TALLYSTICK_JWT_JWKS_URL", "jwt_jwks_url", read_url, "keys of RS256/ES256 tokens"),
    Variable("TALLYSTICK_JWT_ISSUER", "jwt_issuer", str, "required issuer of tokens"),
    Variable("TALLYSTICK_JWT_AUDIENCE", "jwt_audience", str, "required audience of tokens"),
)  # fmt: skip


VARIABLES: Final = (*_VARIABLES, *CCBILL_VARIABLES)


def read_settings(environment: Mapping[str, str], uid: int) -> Settings:
    """Read every variable; an empty one counts as absent. Raises SetupError naming the first.

    `uid` is the user's number on this machine: where the home is depends on it.
    """
    values: dict[str, object] = {"home": default_home(environment, uid)}
    values |= _values(environment, _VARIABLES)
    if "public_url" not in values and "port" in values:
        values["public_url"] = f"http://{values.get('host', '127.0.0.1')}:{values['port']}"
    if "default_currency_code" in values and "default_currency" not in values:
        values["default_currency"] = _currency_of(str(values["default_currency_code"]))
    ccbill = _values(environment, CCBILL_VARIABLES)
    values["ccbill"] = CcbillSettings(**ccbill)  # type: ignore[arg-type]  # as below
    return Settings(**values)  # type: ignore[arg-type]  # each reader's type is its field's


def _values(environment: Mapping[str, str], variables: Sequence[Variable]) -> dict[str, object]:
    values: dict[str, object] = {}
    for variable in variables:
        text = environment.get(variable.name, "")
        if text:
            try:
                values[variable.field] = variable.read(text)
            except ValueError as error:
                raise SetupError("setting_invalid", f"{variable.name} {error}.") from error
    return values


def _currency_of(number: str) -> str:
    for known in currencies().values():
        if known.numeric == number:
            return known.code
    raise SetupError("setting_invalid", "DEFAULT_CURRENCY_CODE must be a number of ISO 4217.")


def problems(settings: Settings) -> tuple[str, ...]:
    """Return what does not fit together, one sentence each, without any secret."""
    found = []
    if settings.stripe_configured and not settings.stripe_webhook_secrets:
        found.append("STRIPE_WEBHOOK_SECRET is missing: payments would never be confirmed.")
    if settings.stripe_configured and not settings.stripe_publishable_key:
        found.append("STRIPE_PUBLISHABLE_KEY is missing: customers could not save a card.")
    found.extend(ccbill_problems(settings.ccbill))
    number = settings.default_currency_code
    if number is not None and _currency_of(number) != settings.default_currency:
        found.append("DEFAULT_CURRENCY_CODE and DEFAULT_CURRENCY name two currencies.")
    found.extend(_usage_store_problems(settings))
    found.extend(_lago_problems(settings))
    if settings.mail_url and not settings.mail_configured:
        found.append("TALLYSTICK_MAIL_FROM is missing: no mail is sent.")
    if settings.jwt_secret and settings.jwt_jwks_url:
        found.append("Set TALLYSTICK_JWT_SECRET or TALLYSTICK_JWT_JWKS_URL, not both.")
    if settings.jwt_secret and len(settings.jwt_secret.encode()) < JWT_SECRET_BYTES_MIN:
        found.append("TALLYSTICK_JWT_SECRET is shorter than 32 bytes: it could be guessed.")
    if (settings.jwt_secret or settings.jwt_jwks_url) and not (
        settings.jwt_issuer and settings.jwt_audience
    ):
        found.append("TALLYSTICK_JWT_ISSUER and TALLYSTICK_JWT_AUDIENCE must be set for tokens.")
    if settings.public_url.startswith("https://") and not settings.cookie_secure:
        found.append("TALLYSTICK_COOKIE_SECURE should be true behind https.")
    return tuple(found)


def need_roll_ups(settings: Settings) -> None:
    """Raise SetupError `needs_usage_in_postgresql` where there are no roll-ups to work on."""
    if settings.usage_store_url:
        raise SetupError(
            "needs_usage_in_postgresql",
            "USAGE_STORE_URL is set: ClickHouse makes each total of its events when it is read, so"
            " there are no totals to verify or rebuild, and no event is archived.",
        )


def _usage_store_problems(settings: Settings) -> Iterator[str]:
    if settings.usage_store_url and settings.lago_api_url:
        yield "LAGO_API_URL needs usage in PostgreSQL; it can not be set with USAGE_STORE_URL."
    if settings.usage_store_url and settings.usage_keep_days is not None:
        yield "TALLYSTICK_USAGE_KEEP_DAYS does nothing with USAGE_STORE_URL; no event is archived."


def _lago_problems(settings: Settings) -> Iterator[str]:
    url, key = settings.lago_api_url, settings.lago_api_key
    if url and not key:
        yield "LAGO_API_KEY is missing: no usage is sent to Lago."
    if key and not url:
        yield "LAGO_API_URL is missing: no usage is sent to Lago."
    if not url:
        return
    parts = urlsplit(url)
    if parts.username is not None or parts.password is not None:
        yield "LAGO_API_URL must not hold a password; the key belongs into LAGO_API_KEY."
    if not parts.hostname or parts.query or parts.fragment or parts.path.endswith("/api/v1"):
        yield "LAGO_API_URL must be the server's address alone, without /api/v1."
