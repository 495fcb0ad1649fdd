"""What an invoice says besides its amounts: order number, memo, language, when it is due. Pure."""

import msgspec

from tallystick.accounts.model import Account
from tallystick.documents.document import CustomField
from tallystick.issuers.model import Issuer


class Terms(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one invoice says; None is what its account or, failing that, its issuer says.

    On a final invoice nothing is None but what nobody said.
    """

    purchase_order: str | None = None
    memo: str | None = None
    custom_fields: tuple[CustomField, ...] | None = None
    locale: str | None = None
    payment_due_days: int | None = None


def terms_said(own: Terms, account: Account, issuer: Issuer) -> Terms:
    """Return what the invoice says at this moment: its own words before the account's."""
    days = own.payment_due_days
    if days is None:
        days = account.payment_due_days
    fields = own.custom_fields
    return Terms(
        purchase_order=own.purchase_order or account.purchase_order,
        memo=own.memo or account.memo,
        custom_fields=account.custom_fields if fields is None else fields,
        locale=own.locale or account.locale,
        payment_due_days=issuer.payment_due_days if days is None else days,
    )


def encode(terms: Terms) -> str:
    """Return the terms as JSON."""
    return msgspec.json.encode(terms).decode()


def decode(stored: str) -> Terms:
    """Read what `encode` wrote."""
    return msgspec.json.decode(stored, type=Terms)
