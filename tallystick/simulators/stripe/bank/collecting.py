"""What Stripe.js does when a page collects a bank account: it becomes the intent's method."""

from tallystick.simulators.stripe.authentication import intent_of
from tallystick.simulators.stripe.bank import accounts
from tallystick.simulators.stripe.bank import methods as bank_methods
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.intents import CLIENT_ONLY, check_usable, need_status
from tallystick.simulators.stripe.method_parts import BILLING
from tallystick.simulators.stripe.params import one_of

OPEN = ("requires_payment_method", "requires_confirmation")


def collect(call: Call) -> Json:
    """POST /_page/bank_account: a test account that its bank vouches for, or typed numbers."""
    if not call.publishable:
        raise invalid("Only a page collects an account: send a publishable key.", param="key")
    intent = intent_of(call)
    need_status(intent, "modify", *OPEN)
    method = _method(call)
    check_usable(method, intent)
    chosen = {**intent, "payment_method": method["id"], "status": "requires_confirmation"}
    return call.state.save(chosen)


def _method(call: Call) -> Json:
    data = dict(call.named())
    token = data.pop("test_account", None)
    account = accounts.by_token(accounts.TOKEN + token) if token else None
    if account:
        return bank_methods.make(call, account, data, verified=True)
    return bank_methods.from_numbers(call, data, "")


ROUTES = (
    Route(
        "POST",
        "/_page/bank_account",
        collect,
        {
            **CLIENT_ONLY,
            "billing_details": BILLING,
            "test_account": one_of(*(account.token for account in accounts.ACCOUNTS)),
            "us_bank_account": bank_methods.US_BANK_ACCOUNT,
        },
        ("client_secret",),
        client=True,
    ),
)
