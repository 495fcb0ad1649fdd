"""What the routes work with; `app.py` makes it, once for each process."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec

from tallystick.accounts.authenticate import Authenticator
from tallystick.accounts.passwords import Passwords
from tallystick.accounts.sign_in import SignIn
from tallystick.corrections.service import Corrections
from tallystick.credits.service import CreditService
from tallystick.documents.document import Party
from tallystick.exports.service import Exports
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import Database
from tallystick.lago_sync.client import LagoApi
from tallystick.ledger.service import Ledger
from tallystick.metering.gate import Gate
from tallystick.metering.ingest import Ingest
from tallystick.outgoing_webhooks.endpoints import EndpointRules
from tallystick.outgoing_webhooks.posting import Post
from tallystick.payments.attempts import Attempts
from tallystick.payments.checkouts import Checkouts
from tallystick.payments.collect import Collector
from tallystick.payments.gateway import Gateways
from tallystick.payments.once import OneTimeCharges
from tallystick.payments.refund_payment import PaymentRefunds
from tallystick.payments.refunds import Refunds
from tallystick.payments.setup import CardSetup
from tallystick.payments.sweep import Sweep
from tallystick.settings import Settings
from tallystick.stripe_meters.model import SendRules
from tallystick.subscriptions.access_lookup import AccessLookup
from tallystick.subscriptions.limit_lookup import LimitLookup
from tallystick.webhooks.catch_up import CatchUp
from tallystick.webhooks.service import Inbox

STRIPE_PAGES: Final = "js.stripe.com"
STRIPE_FRAMES: Final = ("https://*.js.stripe.com", "https://hooks.stripe.com")
"""What Stripe's script loads besides (https://docs.stripe.com/security/guide, "Content Security
Policy"): its fields and a bank's confirmation are frames of theirs."""


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that has a life of its own: pool, gateways, caches."""

    settings: Settings
    db: Database
    clock: Clock
    monotonic: Callable[[], float]
    seller: Party
    authenticator: Authenticator
    passwords: Passwords
    sign_in: SignIn
    ingest: Ingest
    corrections: Corrections
    gate: Gate
    limits: LimitLookup
    access: AccessLookup
    gateways: Gateways
    inbox: Inbox
    catch_up: CatchUp
    card_setup: CardSetup
    tries: Attempts
    sweep: Sweep
    collector: Collector
    once: OneTimeCharges
    checkouts: Checkouts
    refunds: Refunds
    payment_refunds: PaymentRefunds
    ledger: Ledger
    credits: CreditService
    exports: Exports
    endpoint_rules: EndpointRules
    post: Post
    lago: LagoApi | None = None


def meter_rules(settings: Settings) -> SendRules:
    """Return how patiently and how fast usage is sent to Stripe's meters."""
    return SendRules(
        lag=timedelta(minutes=settings.stripe_meter_lag_minutes),
        calls_per_second=settings.stripe_meter_calls_per_second,
    )


def page_origins(settings: Settings) -> tuple[str, ...]:
    """Return the origins whose scripts our pages may load and call: the gateways' own."""
    return tuple(dict.fromkeys([*_stripe_origins(settings), *_ccbill_origins(settings)]))


def frame_origins(settings: Settings) -> tuple[str, ...]:
    """Return the origins beside these whose frames our pages may show: banks, for 3-D Secure."""
    return settings.ccbill.frame_origins if settings.ccbill.makes_tokens else ()


def _stripe_origins(settings: Settings) -> list[str]:
    if not settings.stripe_publishable_key:
        return []
    frames = STRIPE_FRAMES if urlsplit(settings.stripe_js_url).netloc == STRIPE_PAGES else ()
    return [_origin(settings.stripe_js_url), _origin(settings.stripe_base_url), *frames]


def _ccbill_origins(settings: Settings) -> list[str]:
    ccbill = settings.ccbill
    if not ccbill.makes_tokens:
        return []
    return [_origin(ccbill.widget_url), _origin(ccbill.base_url)]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
