"""Subscriptions: made, changed, listed, ended."""

from typing import Any

from tallystick.simulators.stripe import timers
from tallystick.simulators.stripe.billing import collecting, cycles, invoices
from tallystick.simulators.stripe.billing.prices import PRICE_DATA
from tallystick.simulators.stripe.billing.proration import prorate
from tallystick.simulators.stripe.billing.subscription_shapes import (
    items_of,
    new_items,
    new_subscription,
    with_items,
)
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, StripeError, invalid
from tallystick.simulators.stripe.intents import check_owner
from tallystick.simulators.stripe.paging import LIST, created_within, page
from tallystick.simulators.stripe.params import (
    CREATED,
    Shape,
    between,
    boolean,
    clearable,
    either,
    integer,
    many,
    merged,
    metadata,
    nest,
    one_of,
    text,
)
from tallystick.simulators.stripe.payment_methods import usable

DAY_SECONDS = 24 * 3600
QUANTITY_MAX = 999_999_999
ITEM: Shape = {
    "metadata": metadata,
    "price": text,
    "price_data": PRICE_DATA,
    "quantity": between(0, QUANTITY_MAX),
}
TOLD: Shape = {
    "cancel_at": clearable(integer),
    "cancel_at_period_end": boolean,
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "days_until_due": between(0, 1000),
    "default_payment_method": text,
    "description": clearable(text),
    "metadata": metadata,
    "off_session": boolean,
    "payment_behavior": one_of("allow_incomplete", "default_incomplete", "error_if_incomplete"),
    "payment_settings": nest({"save_default_payment_method": one_of("off", "on_subscription")}),
    "proration_behavior": one_of("always_invoice", "create_prorations", "none"),
    "trial_end": either(integer, one_of("now")),
}
CREATE: Shape = {
    **TOLD,
    "currency": text,
    "customer": text,
    "items": many(nest(ITEM)),
    "trial_period_days": between(0, 730),
}
UPDATE: Shape = {
    **TOLD,
    "cancellation_details": nest({"comment": text, "feedback": text}),
    "items": many(nest({**ITEM, "deleted": boolean, "id": text})),
    "pause_collection": clearable(
        nest(
            {
                "behavior": one_of("keep_as_draft", "mark_uncollectible", "void"),
                "resumes_at": integer,
            },
            required=("behavior",),
        )
    ),
}
CANCEL: Shape = {
    "cancellation_details": nest({"comment": text, "feedback": text}),
    "invoice_now": boolean,
    "prorate": boolean,
}
ENDED = ("canceled", "incomplete_expired")
STATUSES = ("active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused",
            "trialing", "unpaid")  # fmt: skip


def create(call: Call) -> Json:
    """POST /v1/subscriptions."""
    behavior = call.params.get("payment_behavior", "allow_incomplete")
    subscription, invoice = start(call, dict(call.named()))
    invoice = invoices.finalize(call, invoice)
    if invoice["status"] == "open" and invoice["collection_method"] == "charge_automatically":
        _first_payment(call, invoice, behavior)
    return call.found("subscription", subscription["id"])


def start(call: Call, data: dict[str, Any]) -> tuple[Json, Json]:
    """Make a subscription with its first invoice, a draft; nothing is collected yet."""
    customer = call.found("customer", data["customer"], param="customer")
    if not data.get("items"):
        raise invalid("Missing required param: items.", code="parameter_missing", param="items")
    if "default_payment_method" in data:
        method = usable(call, data["default_payment_method"], "default_payment_method")
        check_owner(method, customer["id"])
        data = {**data, "default_payment_method": method["id"]}
    if data.get("collection_method") == "send_invoice" and "days_until_due" not in data:
        raise invalid("days_until_due is needed with send_invoice.", param="days_until_due")
    subscription = new_subscription(call, data, new_items(call, data["items"]))
    if data.get("cancel_at"):
        subscription["cancel_at"] = data["cancel_at"]
        timers.plan(call, data["cancel_at"], cycles.CANCEL_AT, subscription["id"])
    return cycles.begin(call, subscription, _trial_end(call, data))


def _trial_end(call: Call, data: dict[str, Any]) -> int | None:
    now = call.state.now()
    if isinstance(data.get("trial_end"), int):
        if data["trial_end"] <= now:
            raise invalid("trial_end must be in the future.", param="trial_end")
        return int(data["trial_end"])
    days = data.get("trial_period_days")
    return now + days * DAY_SECONDS if days else None


def _first_payment(call: Call, invoice: Json, behavior: str) -> None:
    if behavior == "default_incomplete":
        collecting.prepare(call, invoice)
        return
    method = collecting.need_method(call, invoice)
    away = call.params.get("off_session", False)
    declined = collecting.collect_quietly(call, invoice, method, off_session=away)
    if declined and behavior == "error_if_incomplete":
        members = {name: value for name, value in declined.members.items() if name != "message"}
        kind = members.pop("type")
        raise StripeError(402, str(kind), str(declined), code=members.get("code"),
                          decline_code=members.get("decline_code"))  # fmt: skip


def _retrieve(call: Call) -> Json:
    return call.found("subscription", call.path["id"])


def _update(call: Call) -> Json:
    before = call.found("subscription", call.path["id"])
    if before["status"] in ENDED:
        raise invalid("A canceled subscription can only update its cancellation_details.")
    after = _told(call, before)
    if "items" in call.params:
        after = _with_new_items(call, after)
    if call.params.get("trial_end") == "now" and before["status"] == "trialing":
        after = _end_trial(call, after)
    if after == before:
        return before
    emitted = cycles.move(call, before, **after)
    if call.params.get("proration_behavior") == "always_invoice" and "items" in call.params:
        invoice = cycles.bill_now(call, emitted)
        if invoice["status"] == "open":
            collecting.try_now(call, invoice)
    return call.found("subscription", before["id"])


def _told(call: Call, before: Json) -> Json:
    plain = ("collection_method", "days_until_due", "description", "cancel_at_period_end",
             "cancel_at", "default_payment_method")  # fmt: skip
    given = {name: call.params[name] for name in plain if name in call.params}
    if "default_payment_method" in given:
        method = usable(call, given["default_payment_method"], "default_payment_method")
        check_owner(method, before["customer"])
    if "metadata" in call.params:
        given["metadata"] = merged(before["metadata"], call.params["metadata"])
    if "payment_settings" in call.params:
        given["payment_settings"] = {
            **before["payment_settings"],
            **call.params["payment_settings"],
        }
    if "pause_collection" in call.params:
        wish = call.params["pause_collection"]
        given["pause_collection"] = {"resumes_at": None, **wish} if wish else None
    if given.get("cancel_at"):
        timers.plan(call, given["cancel_at"], cycles.CANCEL_AT, before["id"])
    if "cancel_at_period_end" in given:
        ending = given["cancel_at_period_end"]
        given["canceled_at"] = call.state.now() if ending else None
        given["cancel_at"] = cycles.end_of(before) if ending else None
    return {**before, **given}


def _with_new_items(call: Call, subscription: Json) -> Json:
    known = {item["id"]: item for item in items_of(subscription)}
    kept = dict(known)
    period = {name: items_of(subscription)[0][name] for name in PERIOD}
    for place, wish in enumerate(call.params["items"]):
        key = wish.get("id")
        if key is not None and key not in known:
            raise invalid(f"No such subscription item: '{key}'", param=f"items[{place}][id]")
        if wish.get("deleted"):
            kept.pop(key, None)
            continue
        (new,) = new_items(call, [_completed(wish, known.get(key))])
        kept[new["id"]] = {**new, **period}
    after = with_items(subscription, list(kept.values()))
    if not kept:
        raise invalid("A subscription must have at least one item.", param="items")
    if call.params.get("proration_behavior", "create_prorations") != "none":
        prorate(call, subscription, after)
    return after


def _completed(wish: Json, old: Json | None) -> Json:
    """Return what was asked for an item, with what it has already where nothing was asked."""
    if old is None:
        return wish
    named = "price" in wish or "price_data" in wish
    price = {} if named else {"price": old["price"]["id"]}
    quantity = {"quantity": old["quantity"]} if "quantity" in old else {}
    return {**price, **quantity, **wish}


PERIOD = ("current_period_start", "current_period_end")


def _end_trial(call: Call, subscription: Json) -> Json:
    """Let the trial end now: the first real period begins with the next tick of the clock."""
    now = call.state.now()
    timers.plan(call, now, cycles.RENEW, subscription["id"])
    items = [{**item, "current_period_end": now} for item in items_of(subscription)]
    return {**with_items(subscription, items), "billing_cycle_anchor": now, "trial_end": now}


def _cancel(call: Call) -> Json:
    subscription = call.found("subscription", call.path["id"])
    if subscription["status"] in ENDED:
        raise invalid(f"No such subscription: '{subscription['id']}'", code="resource_missing",
                      param="id", status=404)  # fmt: skip
    if call.params.get("prorate"):
        prorate(call, subscription, with_items(subscription, []))
    if call.params.get("invoice_now"):
        invoice = cycles.bill_now(call, subscription)
        if invoice["status"] == "open":
            collecting.try_now(call, invoice)
        subscription = call.found("subscription", subscription["id"])
    told = call.params.get("cancellation_details")
    return cycles.end(call, subscription, "cancellation_requested", told)


def _list(call: Call) -> Json:
    wanted = {name: call.params[name] for name in PLAIN if name in call.params}
    status, price = call.params.get("status"), call.params.get("price")
    return page(
        call,
        "subscription",
        lambda one: (
            _in_status(one, status)
            and all(one[name] == value for name, value in wanted.items())
            and (price is None or any(i["price"]["id"] == price for i in items_of(one)))
            and created_within(call, one)
        ),
    )


def _in_status(subscription: Json, status: str | None) -> bool:
    if status is None:
        return bool(subscription["status"] != "canceled")
    if status == "ended":
        return subscription["status"] in ENDED
    return status in {"all", subscription["status"]}


def _items(call: Call) -> Json:
    subscription = call.found("subscription", call.params["subscription"], param="subscription")
    found: Json = subscription["items"]
    return found


ONE = "/v1/subscriptions/{id}"
PLAIN: Shape = {"collection_method": text, "customer": text}
FILTERS: Shape = {
    **LIST,
    **PLAIN,
    "created": CREATED,
    "price": text,
    "status": one_of("all", "ended", *STATUSES),
}
ROUTES = (
    Route("POST", "/v1/subscriptions", create, CREATE, ("customer", "items")),
    Route("GET", "/v1/subscriptions", _list, FILTERS),
    Route("GET", ONE, _retrieve),
    Route("POST", ONE, _update, UPDATE),
    Route("DELETE", ONE, _cancel, CANCEL),
    Route(
        "GET", "/v1/subscription_items", _items, {**LIST, "subscription": text}, ("subscription",)
    ),
)
