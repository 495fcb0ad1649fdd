"""A subscription's life on the clock: it starts, renews, falls behind, and ends.

Only here does a subscription's status change.
"""

from tallystick.simulators.stripe import timers
from tallystick.simulators.stripe.billing import collecting, invoice_lines, invoices
from tallystick.simulators.stripe.billing.periods import period_at
from tallystick.simulators.stripe.billing.subscription_shapes import items_of, with_period
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.events import emit

RENEW = "subscription_renew"
TRIAL_WARNING = "subscription_trial_warning"
GIVE_UP = "subscription_incomplete"
CANCEL_AT = "subscription_cancel_at"
DUTIES = (RENEW, TRIAL_WARNING, GIVE_UP, CANCEL_AT)
WARNING_SECONDS = 3 * 24 * 3600
INCOMPLETE_SECONDS = 23 * 3600


def begin(call: Call, subscription: Json, trial_end: int | None) -> tuple[Json, Json]:
    """Start the first period, or a trial, and return the subscription with its first invoice."""
    now = call.state.now()
    if trial_end:
        trial = {"status": "trialing", "trial_start": now, "trial_end": trial_end}
        subscription = {**subscription, **trial, "billing_cycle_anchor": trial_end}
        subscription = with_period(subscription, now, trial_end)
        timers.plan(call, max(trial_end - WARNING_SECONDS, now), TRIAL_WARNING, subscription["id"])
    else:
        start, end = period_at(now, rhythm_of(subscription), now)
        subscription = with_period(subscription, start, end)
        if subscription["collection_method"] == "send_invoice":
            subscription["status"] = "active"
        timers.plan(call, now + INCOMPLETE_SECONDS, GIVE_UP, subscription["id"])
    emit(call, "customer.subscription.created", call.state.save(subscription))
    timers.plan(call, end_of(subscription), RENEW, subscription["id"])
    lines = [] if trial_end else _advance_lines(call, subscription)
    invoice = _invoice(call, subscription, lines, "subscription_create")
    return call.found("subscription", subscription["id"]), invoice


def renew(call: Call, subscription_id: str) -> None:
    """Begin the next period and draw up its invoice, or end what was to end with this one."""
    before = call.found("subscription", subscription_id)
    if before["status"] in {"canceled", "incomplete", "incomplete_expired"}:
        return
    used = _usage_lines(call, before)
    if before["cancel_at_period_end"]:
        if any(line["amount"] for line in used):
            invoices.finalize(call, _invoice(call, before, used, "subscription_cycle"))
        end(call, call.found("subscription", subscription_id), "cancellation_requested")
        return
    start, until = period_at(before["billing_cycle_anchor"], rhythm_of(before), end_of(before))
    after = with_period(before, start, until)
    after["status"] = "active" if before["status"] == "trialing" else before["status"]
    emit(call, "customer.subscription.updated", call.state.save(after), before)
    timers.plan(call, until, RENEW, subscription_id)
    lines = [*_advance_lines(call, after), *used]
    draft = _invoice(call, after, lines, "subscription_cycle")
    at = call.state.now() + invoices.HOUR_SECONDS
    call.state.save({**draft, "automatically_finalizes_at": at})
    timers.plan(call, at, invoices.FINALIZE, draft["id"])


def on_finalize(call: Call, invoice_id: str) -> None:
    """Finalize a draft whose hour is over, and collect it where that goes by itself."""
    draft = call.found("invoice", invoice_id)
    if draft["status"] != "draft":
        return
    subscription = subscription_of(call, draft) or {}
    pause = subscription.get("pause_collection")
    if pause and pause["behavior"] == "keep_as_draft":
        return
    invoice = invoices.finalize(call, draft)
    if pause and invoice["status"] == "open":
        ended = invoices.void if pause["behavior"] == "void" else invoices.write_off
        ended(call, invoice)
    elif invoice["status"] == "open" and invoice["collection_method"] == "charge_automatically":
        collecting.try_now(call, invoice)


def on_invoice_paid(call: Call, invoice: Json) -> None:
    """Bring the subscription of a paid invoice into force."""
    subscription = subscription_of(call, invoice)
    if subscription and subscription["status"] in {"incomplete", "past_due", "unpaid"}:
        timers.unplan(call, GIVE_UP, subscription["id"])
        move(call, subscription, status="active", **_kept_method(call, subscription, invoice))


def _kept_method(call: Call, subscription: Json, invoice: Json) -> Json:
    """Return the method that paid as the subscription's default, where that was asked for."""
    wish = subscription["payment_settings"]["save_default_payment_method"]
    if wish != "on_subscription" or subscription["default_payment_method"]:
        return {}
    intent = collecting.intent_of(call, invoice)
    return {"default_payment_method": intent["payment_method"]} if intent else {}


def on_invoice_failed(call: Call, invoice: Json) -> None:
    """Fall behind; end when the last try has failed."""
    subscription = subscription_of(call, invoice)
    if subscription is None or invoice["billing_reason"] != "subscription_cycle":
        return
    if invoice["next_payment_attempt"] is None:
        end(call, subscription, "payment_failed")
    elif subscription["status"] in {"active", "trialing"}:
        move(call, subscription, status="past_due")


def on_debit_started(call: Call, intent: Json) -> None:
    """Bring the subscription into force while its first debit is processing."""
    link = call.state.get(collecting.INVOICE_OF, intent["id"])
    invoice = call.state.get("invoice", link["invoice"]) if link else None
    if invoice:
        on_invoice_paid(call, invoice)


def on_trial_warning(call: Call, subscription_id: str) -> None:
    """Tell that a trial ends in three days."""
    subscription = call.found("subscription", subscription_id)
    if subscription["status"] == "trialing":
        emit(call, "customer.subscription.trial_will_end", subscription)


def on_give_up(call: Call, subscription_id: str) -> None:
    """End a subscription whose first invoice was not paid in 23 hours."""
    subscription = call.found("subscription", subscription_id)
    if subscription["status"] != "incomplete":
        return
    move(call, subscription, status="incomplete_expired", ended_at=call.state.now())
    invoice = call.found("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        invoices.void(call, invoice)


def on_cancel_at(call: Call, subscription_id: str) -> None:
    """End a subscription at the instant that was asked for."""
    subscription = call.found("subscription", subscription_id)
    if subscription["status"] not in {"canceled", "incomplete_expired"}:
        end(call, subscription, "cancellation_requested")


def on_customer_deleted(call: Call, customer: Json) -> None:
    """End all subscriptions of a customer who is gone."""
    for subscription in list(call.state.newest_first("subscription")):
        over = subscription["status"] in {"canceled", "incomplete_expired"}
        if subscription["customer"] == customer["id"] and not over:
            end(call, subscription, "cancellation_requested")


def end(call: Call, before: Json, reason: str, told: Json | None = None) -> Json:
    """End a subscription for good."""
    for duty in DUTIES:
        timers.unplan(call, duty, before["id"])
    details = {"comment": None, "feedback": None, "feedback_option": None, "reason": reason}
    now = call.state.now()
    gone = {
        **before,
        "canceled_at": before["canceled_at"] or now,
        "cancellation_details": {**details, **(told or {})},
        "ended_at": now,
        "status": "canceled",
    }
    emit(call, "customer.subscription.deleted", call.state.save(gone))
    return gone


def move(call: Call, before: Json, **members: object) -> Json:
    """Change members of a subscription and tell it."""
    after = call.state.save({**before, **members})
    emit(call, "customer.subscription.updated", after, before)
    return after


def bill_now(call: Call, subscription: Json) -> Json:
    """Invoice at once what waits: usage so far and invoice items."""
    lines = _usage_lines(call, subscription, until=call.state.now())
    draft = _invoice(call, subscription, lines, "subscription_update")
    return invoices.finalize(call, draft)


def subscription_of(call: Call, invoice: Json) -> Json | None:
    """Return the subscription that an invoice is for."""
    details = (invoice["parent"] or {}).get("subscription_details") or {}
    return call.state.get("subscription", details.get("subscription") or "")


def rhythm_of(subscription: Json) -> Json:
    """Return how often the subscription renews."""
    found: Json = items_of(subscription)[0]["price"]["recurring"]
    return found


def end_of(subscription: Json) -> int:
    """Return the end of the current period."""
    return int(items_of(subscription)[0]["current_period_end"])


def _advance_lines(call: Call, subscription: Json) -> list[Json]:
    return [
        invoice_lines.of_item(
            call, subscription, item, item["current_period_start"], item["current_period_end"]
        )
        for item in items_of(subscription)
        if not invoice_lines.is_metered(item)
    ]


def _usage_lines(call: Call, subscription: Json, until: int | None = None) -> list[Json]:
    return [
        invoice_lines.of_usage(
            call,
            subscription,
            item,
            item["current_period_start"],
            until or item["current_period_end"],
        )
        for item in items_of(subscription)
        if invoice_lines.is_metered(item)
    ]


def _invoice(call: Call, subscription: Json, lines: list[Json], reason: str) -> Json:
    """Draw up an invoice with the lines and with what waited for it."""
    waiting = [
        item
        for item in reversed(list(call.state.newest_first("invoiceitem")))
        if item["customer"] == subscription["customer"]
        and item["invoice"] is None
        and item["currency"] == subscription["currency"]
    ]
    lines = [*lines, *(invoice_lines.of_invoice_item(call, item) for item in waiting)]
    customer = call.found("customer", subscription["customer"])
    details = {"metadata": subscription["metadata"], "subscription": subscription["id"]}
    start = items_of(subscription)[0]["current_period_start"]
    days = subscription["days_until_due"]
    draft = invoices.draw_up(
        call,
        customer,
        lines,
        billing_reason=reason,
        collection_method=subscription["collection_method"],
        currency=subscription["currency"],
        due_date=call.state.now() + days * invoices.DAY_SECONDS if days else None,
        parent={
            "quote_details": None,
            "subscription_details": details,
            "type": "subscription_details",
        },
        period_start=start,
        period_end=end_of(subscription),
    )
    for item in waiting:
        call.state.save({**item, "invoice": draft["id"]})
    call.state.save(
        {**call.found("subscription", subscription["id"]), "latest_invoice": draft["id"]}
    )
    return draft
