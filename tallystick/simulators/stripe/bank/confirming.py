"""Confirming an intent with a bank account: the mandate, then the check of whose account it is."""

from tallystick.simulators.stripe import setup_results, vault
from tallystick.simulators.stripe.bank import debits, microdeposits
from tallystick.simulators.stripe.bank.mandates import agreed
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json, invalid


def confirm_payment(call: Call, intent: Json, method: Json) -> Json:
    """Debit the account, or send microdeposits first."""
    if intent["capture_method"] == "manual":
        raise invalid("A us_bank_account can not be captured manually.", param="capture_method")
    agreed(call, intent, method)
    if _is_known(call, intent, method):
        return debits.start(call, intent, method)
    return microdeposits.begin(call, intent)


def confirm_setup(call: Call, intent: Json, method: Json) -> Json:
    """Save the account, or send microdeposits first."""
    intent = {**intent, "mandate": agreed(call, intent, method)}
    if _is_known(call, intent, method):
        return setup_results.succeed(call, intent)
    return microdeposits.begin(call, intent)


def _is_known(call: Call, intent: Json, method: Json) -> bool:
    options = intent["payment_method_options"].get("us_bank_account") or {}
    wish = options.get("verification_method")
    asked_for = wish == "microdeposits" and method["customer"] is None
    if vault.is_verified(call, method["id"]) and not asked_for:
        return True
    if wish == "instant":
        raise invalid(
            "This intent takes accounts that are verified instantly alone: collect the account "
            "with Stripe.js's collectBankAccountForSetup or collectBankAccountForPayment, or "
            "allow microdeposits.",
            param="payment_method",
        )
    return False
