"""Payment methods that are US bank accounts: made from test numbers or from test ids."""

import hashlib
from typing import Any

from tallystick.simulators.stripe import vault
from tallystick.simulators.stripe.bank.accounts import (
    BANK_NAME,
    ROUTING_NUMBER,
    BankAccount,
    by_number,
)
from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.errors import Json, StripeError, invalid, missing_parameter
from tallystick.simulators.stripe.method_parts import new_method
from tallystick.simulators.stripe.params import Shape, nest, one_of, text

HOLDER = one_of("company", "individual")
KIND = one_of("checking", "savings")
NUMBERS: Shape = {
    "account_holder_type": HOLDER,
    "account_number": text,
    "account_type": KIND,
    "routing_number": text,
}
US_BANK_ACCOUNT = nest(NUMBERS)
UPDATE = nest({"account_holder_type": HOLDER, "account_type": KIND})
NOT_A_TEST_ACCOUNT = (
    "You must use a test bank account number in test mode. Try 000123456789, or find more at "
    "https://docs.stripe.com/testing#ach-direct-debit."
)


def from_numbers(call: Call, data: dict[str, Any], param: str) -> Json:
    """Make a bank account's payment method from what was typed; nobody has verified it yet.

    Raises StripeError for numbers that belong to no test account, or where the name is missing.
    """
    fields = data.get("us_bank_account", {})
    for name in ("account_number", "routing_number", "account_holder_type"):
        if name not in fields:
            raise missing_parameter(_named(param, f"us_bank_account[{name}]"))
    if not data.get("billing_details", {}).get("name"):
        raise missing_parameter(_named(param, "billing_details[name]"))
    account = checked(fields["routing_number"], fields["account_number"])
    return make(call, account, data, verified=False)


def make(call: Call, account: BankAccount, data: dict[str, Any], *, verified: bool) -> Json:
    """Make a payment method of a test account; `verified` where the bank has said whose it is."""
    fields = data.get("us_bank_account", {})
    method = new_method(call, "us_bank_account", _shown(account, fields), data)
    vault.store_bank(call, method["id"], account, verified=verified)
    return call.state.save(method)


def checked(routing: str, number: str) -> BankAccount:
    """Return the test account with these numbers. Raises StripeError when there is none."""
    if routing != ROUTING_NUMBER:
        raise _wrong("routing_number", "routing_number_invalid", f"Use {ROUTING_NUMBER}.")
    account = by_number(number)
    if account is None:
        raise _wrong("account_number", "account_number_invalid", NOT_A_TEST_ACCOUNT)
    return account


def _wrong(name: str, code: str, message: str) -> StripeError:
    return invalid(message, code=code, param=f"us_bank_account[{name}]")


def _named(param: str, path: str) -> str:
    """Return a member's full name: `us_bank_account[x]`, or inside of `payment_method_data`."""
    if not param:
        return path
    first, bracket, rest = path.partition("[")
    return f"{param}[{first}]{bracket}{rest}"


def _shown(account: BankAccount, fields: Json) -> Json:
    mark = hashlib.sha256(f"{ROUTING_NUMBER}{account.number}".encode()).hexdigest()[:16]
    return {
        "account_holder_type": fields.get("account_holder_type", "individual"),
        "account_type": fields.get("account_type", "checking"),
        "bank_name": BANK_NAME,
        "financial_connections_account": None,
        "fingerprint": mark,
        "last4": account.last4,
        "networks": {"preferred": "ach", "supported": ["ach", "us_domestic_wire"]},
        "routing_number": ROUTING_NUMBER,
        "status_details": {},
    }
