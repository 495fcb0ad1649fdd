"""Stripe's US bank test accounts (https://docs.stripe.com/testing#ach-direct-debit).

An account that is not on this list is refused everywhere, so nobody's real account is ever taken.
"""

from typing import Literal

import msgspec

from tallystick.simulators.stripe.cards import Decline

ROUTING_NUMBER = "110000000"
BANK_NAME = "STRIPE TEST BANK"
TOKEN = "pm_usBankAccount_"  # noqa: S105 the beginning of Stripe's public test ids


def _failure(code: str, message: str) -> Decline:
    return Decline(code, message, kind="invalid_request_error")


CLOSED = _failure("account_closed", "The customer's bank account has been closed.")
NO_ACCOUNT = _failure("no_account", "The customer's bank account could not be located.")
NO_FUNDS = _failure(
    "insufficient_funds", "The customer's bank account has insufficient funds to cover this debit."
)
NOT_AUTHORIZED = _failure(
    "debit_not_authorized", "The customer has notified their bank that this debit was unauthorized."
)
FAILURES = {decline.code: decline for decline in (CLOSED, NO_ACCOUNT, NO_FUNDS, NOT_AUTHORIZED)}


class BankAccount(msgspec.Struct, frozen=True):
    """A test account: how a debit of it ends, and whether microdeposits arrive on it."""

    number: str
    token: str
    debit: Literal["succeeds", "fails", "disputed", "stays"] = "succeeds"
    failure: Decline | None = None
    deposits_arrive: bool = True

    @property
    def last4(self) -> str:
        """The digits that people may see."""
        return self.number[-4:]


ACCOUNTS = (
    BankAccount("000123456789", "success"),
    BankAccount("000111111113", "accountClosed", "fails", CLOSED),
    BankAccount("000111111116", "noAccount", "fails", NO_ACCOUNT),
    BankAccount("000222222227", "insufficientFunds", "fails", NO_FUNDS),
    BankAccount("000333333335", "debitNotAuthorized", "fails", NOT_AUTHORIZED),
    BankAccount("000555555559", "dispute", "disputed"),
    BankAccount("000666666661", "microdepositsFail", deposits_arrive=False),
    BankAccount("000000000009", "processing", "stays"),
)


def by_number(number: str) -> BankAccount | None:
    """Return the test account with this number, or None."""
    return next((account for account in ACCOUNTS if account.number == number), None)


def by_token(token: str) -> BankAccount | None:
    """Return the account that `pm_usBankAccount_success` or the like stands for, or None."""
    if not token.startswith(TOKEN):
        return None
    name = token.removeprefix(TOKEN)
    return next((account for account in ACCOUNTS if account.token == name), None)
