"""What the worker does: every kind of due work, and who listens to which event."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec

from tallystick.accounts.sign_in import forget_old_sessions
from tallystick.alerts.jobs import AlertWork
from tallystick.api.services import Services
from tallystick.credit_events import CreditEvents
from tallystick.credits.events import CREDITS_TOP_UP_DUE
from tallystick.credits.jobs import CreditLapses
from tallystick.invoices.billing_run import BillingRun
from tallystick.invoices.drafts import DraftWork
from tallystick.invoices.events import (
    INVOICE_FINALIZED,
    INVOICE_PAID,
    INVOICE_REOPENED,
    INVOICE_UNCOLLECTIBLE,
    INVOICE_VOIDED,
)
from tallystick.invoices.late_bills import LateBills
from tallystick.invoices.late_events import LateEvents
from tallystick.kernel import idempotency
from tallystick.kernel.advancer import Advancer
from tallystick.kernel.db import WRITER
from tallystick.kernel.due import AccountKind, WallKind, Worker
from tallystick.kernel.outbox import Event, Handler, Teller
from tallystick.lago_sync import service as lago
from tallystick.lago_sync.sender import Sender as LagoSender
from tallystick.lago_sync.sweep import Sweep
from tallystick.mail.jobs import Mailer
from tallystick.mail.model import Sender
from tallystick.mail.transport import transport_of
from tallystick.mail_events import MailEvents
from tallystick.metering.archive import Archiver, ArchiveRule
from tallystick.metering.aside import Aside
from tallystick.metering.fold import Fold
from tallystick.metering.gate import forget_old_decisions
from tallystick.metering_at_stripe import meter_kinds, send_parked, with_usage_news
from tallystick.mirror.news import MirrorNews
from tallystick.mirroring import mirror_of
from tallystick.outgoing_webhooks import deliveries
from tallystick.outgoing_webhooks.jobs import Sender as WebhookSender
from tallystick.payments import methods, schedules
from tallystick.payments.autopay import Autopay
from tallystick.payments.events import (
    CHECKOUT_EXPIRED,
    GATEWAY_CUSTOMER_LINKED,
    GATEWAY_REFERENCE_LINKED,
    GATEWAY_SCHEDULE_UNWANTED,
    PAYMENT_ACTION_NEEDED,
    PAYMENT_FAILED,
    PAYMENT_METHOD_EXPIRED,
    PAYMENT_METHOD_EXPIRING,
    PAYMENT_METHOD_REMOVED,
    PAYMENT_METHOD_SAVED,
    GatewayCustomerLinked,
    GatewayReferenceLinked,
    GatewayScheduleUnwanted,
    PaymentMethodRemoved,
)
from tallystick.payments.expiry_watch import ExpiryWatch
from tallystick.payments.jobs import Resolver, attempts_kind, payments_kind, refund_kinds
from tallystick.payments.news import GatewayNews, News
from tallystick.payments.schedule_news import ScheduleNews
from tallystick.plan_migrations.jobs import PlanMigrations
from tallystick.subscription_events import SubscriptionEvents
from tallystick.subscription_standing import Standings
from tallystick.subscriptions.events import (
    SUBSCRIPTION_CHANGED,
    SUBSCRIPTION_ENDED,
    SUBSCRIPTION_RENEWED,
    SUBSCRIPTION_STARTED,
)
from tallystick.subscriptions.usage_watch import UsageWatch
from tallystick.taxes.online import NumberChecks
from tallystick.webhook_bodies import WebhookBodies
from tallystick.webhooks.catch_up import GapWatch
from tallystick.webhooks.jobs import InboxWorker
from tallystick.whatif.jobs import WhatIfs

T = TypeVar("T")
HOUSEKEEPING: Final = "housekeeping"


def worker_of(services: Services) -> Worker:
    """Return the worker over all kinds of due work."""
    return Worker(services.db, services.clock, [*account_kinds(services), *_wall_kinds(services)])


def account_kinds(services: Services) -> tuple[AccountKind, ...]:
    """Return the work on account time, in the order in which one instant's work is done."""
    billing = BillingRun(
        services.db,
        services.clock,
        services.seller,
        has_method=methods.has_method,
        late_window=services.corrections.window,
    )
    lapses = CreditLapses(services.db)
    alerts = AlertWork(services.db, services.clock)
    standing = Standings(services.db, services.seller, services.clock)
    payments = payments_kind(services.collector)
    watch = UsageWatch(services.db)
    drafts = DraftWork(services.db, services.seller, late_window=services.corrections.window)
    late = LateBills(
        services.db,
        services.clock,
        services.seller,
        late_window=services.corrections.window,
    )
    return (
        watch.kind,
        billing.kind,
        late.kind,
        drafts.kind,
        payments,
        standing.kind,
        lapses.kind,
        alerts.kind,
    )


def _wall_kinds(services: Services) -> tuple[WallKind, ...]:
    db, gateways, tries, clock = services.db, services.gateways, services.tries, services.clock
    teller = Teller(db, event_handlers(services))
    advancer = Advancer(db, clock, account_kinds(services), teller.run_due)
    schedule = ScheduleNews(db, clock, services.seller)
    news: News = GatewayNews(db, gateways, tries, clock, schedule)
    mirror = mirror_of(services)
    if mirror:
        news = MirrorNews(mirror, news)
    news = with_usage_news(services, news)
    return (
        *lago_kinds(services),
        *meter_kinds(services),
        WallKind("outbox", teller.run_due),
        InboxWorker(db, gateways, news).kind(),
        GapWatch(db, gateways, services.catch_up).kind(),
        attempts_kind(Resolver(db, gateways, tries)),
        *refund_kinds(services.refunds),
        services.sweep.kind(),
        services.once.kind(),
        ExpiryWatch(db).kind(),
        Fold(db).kind(),
        LateEvents(db).kind(),
        Aside(db, timedelta(days=services.settings.event_parked_days_max)).kind(),
        *archive_kinds(services),
        *tax_number_kinds(services),
        *mail_kinds(services),
        webhook_kind(services),
        WhatIfs(db).kind(),
        PlanMigrations(db, services.seller).kind(),
        WallKind("test_clocks", advancer.run_due),
        WallKind(HOUSEKEEPING, _Housekeeping(services).run_due),
    )


def lago_kinds(services: Services) -> tuple[WallKind, ...]:
    """Return the work for a Lago server, if one is set."""
    if services.lago is None:
        return ()
    sender = LagoSender(services.db, services.lago, services.clock)
    return sender.kind(), Sweep(services.db, services.lago, services.clock).kind()


def tax_number_kinds(services: Services) -> tuple[WallKind, ...]:
    """Return the checks of VAT numbers, if there is somebody to ask."""
    url = services.settings.vat_check_url
    return () if url is None else (NumberChecks(services.db, url).kind(),)


def archive_kinds(services: Services) -> tuple[WallKind, ...]:
    """Return the archiving of old usage events, if there is a rule for it."""
    settings = services.settings
    if settings.usage_keep_days is None:
        return ()
    folder = settings.usage_archive or settings.home / "usage-archive"
    # The worker that sends to Lago is the one to know whether there is a Lago.
    read_upto = lago.read_upto if services.lago is not None else None
    archiver = Archiver(services.db, services.clock, folder, read_upto=read_upto)
    return (ArchiveRule(archiver, timedelta(days=settings.usage_keep_days)).kind(),)


def mail_kinds(services: Services) -> tuple[WallKind, ...]:
    """Return the sending of mail, if it is set."""
    settings = services.settings
    address = settings.mail_from or settings.seller_email
    if not settings.mail_url or not address:
        return ()
    sender = Sender(address, services.seller.name)
    transport = transport_of(settings.mail_url)
    return (Mailer(services.db, transport, sender, settings.public_url).kind(),)


def webhook_kind(services: Services) -> WallKind:
    """Return the sending of webhooks."""
    bodies = WebhookBodies(services.settings.public_url)
    return WebhookSender(services.db, services.clock, bodies.make, services.post).kind()


def event_handlers(services: Services) -> Mapping[str, Handler]:
    """Return who is told of which event."""
    autopay = Autopay(services.db, services.gateways, services.clock)

    giver = CreditEvents(services.db, services.clock, services.seller)
    standing = SubscriptionEvents(services.db, services.clock)
    migrations = PlanMigrations(services.db, services.seller)
    mails = MailEvents(services.db, services.clock)

    async def on_subscription_changed(event: Event) -> None:
        await giver.on_period_began(event)
        await migrations.on_subscription_changed(event)

    async def on_invoice_paid(event: Event) -> None:
        await giver.on_invoice_paid(event)
        await standing.on_invoice_paid(event)

    async def on_payment_failed(event: Event) -> None:
        await standing.on_payment_failed(event)
        await services.once.on_payment_failed(event)
        await autopay.on_payment_failed(event)

    async def on_invoice_finalized(event: Event) -> None:
        await autopay.on_invoice_finalized(event)
        await standing.on_invoice_finalized(event)
        if services.settings.mail_configured and services.settings.mail_invoices:
            await mails.on_invoice_finalized(event)

    async def on_action_needed(event: Event) -> None:
        if services.settings.mail_configured and services.settings.mail_invoices:
            await mails.on_action_needed(event)

    async def on_card_expires(event: Event) -> None:
        if services.settings.mail_configured and services.settings.mail_invoices:
            await mails.on_card_expires(event)

    return {
        INVOICE_FINALIZED: on_invoice_finalized,
        PAYMENT_METHOD_EXPIRING: on_card_expires,
        PAYMENT_METHOD_EXPIRED: on_card_expires,
        PAYMENT_ACTION_NEEDED: on_action_needed,
        CHECKOUT_EXPIRED: autopay.on_checkout_expired,
        PAYMENT_FAILED: on_payment_failed,
        INVOICE_PAID: on_invoice_paid,
        INVOICE_VOIDED: standing.on_invoice_closed,
        INVOICE_UNCOLLECTIBLE: standing.on_invoice_closed,
        INVOICE_REOPENED: standing.on_invoice_closed,
        SUBSCRIPTION_STARTED: giver.on_period_began,
        SUBSCRIPTION_RENEWED: giver.on_period_began,
        SUBSCRIPTION_CHANGED: on_subscription_changed,
        SUBSCRIPTION_ENDED: standing.on_ended,
        CREDITS_TOP_UP_DUE: giver.on_top_up_due,
        PAYMENT_METHOD_SAVED: autopay.on_method_saved,
        **_gateway_handlers(services),
    }


def _gateway_handlers(services: Services) -> Mapping[str, Handler]:
    """Return who is told of what gateways have to know, or have become known by."""

    async def on_method_removed(event: Event) -> None:
        await services.card_setup.detach_removed(_payload(event, PaymentMethodRemoved))

    async def on_customer_linked(event: Event) -> None:
        linked = _payload(event, GatewayCustomerLinked)
        await services.inbox.on_customer_linked(linked, services.clock())
        await send_parked(services, event.account_id, linked)

    async def on_reference_linked(event: Event) -> None:
        linked = _payload(event, GatewayReferenceLinked)
        await services.inbox.on_reference_linked(linked, services.clock())

    async def on_schedule_unwanted(event: Event) -> None:
        unwanted = _payload(event, GatewayScheduleUnwanted)
        await schedules.tell_gateway(services.gateways, unwanted)

    return {
        PAYMENT_METHOD_REMOVED: on_method_removed,
        GATEWAY_CUSTOMER_LINKED: on_customer_linked,
        GATEWAY_REFERENCE_LINKED: on_reference_linked,
        GATEWAY_SCHEDULE_UNWANTED: on_schedule_unwanted,
    }


class _Housekeeping:
    """Drops what has outlived its use: answers of thirty days ago, sessions that ended."""

    def __init__(self, services: Services) -> None:
        self._db = services.db

    async def run_due(self, now: datetime) -> int:
        async with self._db.transaction(WRITER) as conn:
            answers = await idempotency.forget_old(conn, now)
            answers += await forget_old_decisions(conn, now)
            answers += await deliveries.forget_old(conn, now)
            return answers + await forget_old_sessions(conn, now)


def _payload(event: Event, kind: type[T]) -> T:
    return msgspec.json.decode(event.payload, type=kind)
