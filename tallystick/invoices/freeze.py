"""What an invoice says, word for word, composed once when it is finalized. Pure."""

from datetime import date
from decimal import Decimal

from msgspec.structs import asdict

from tallystick.accounts.model import Account
from tallystick.documents.document import (
    BankAccount,
    DocumentLine,
    InvoiceDocument,
    LineDetail,
    LineRole,
    Party,
)
from tallystick.invoices.model import DraftLine, InvoiceDraft, LineTaxes
from tallystick.invoices.terms import Terms
from tallystick.issuers.model import Issuer
from tallystick.kernel.ids import show


def freeze(
    draft: InvoiceDraft,
    account: Account,
    issuer: Issuer,
    terms: Terms,
    *,
    number: str,
    issued_on: date,
    due_on: date,
) -> InvoiceDocument:
    """Return the document: names, addresses, lines and sums as they are now.

    `terms` are those that hold (`terms_said`).
    """
    return InvoiceDocument(
        number=number,
        issued_on=issued_on,
        due_on=due_on,
        currency=draft.currency,
        locale=terms.locale or account.locale,
        timezone=account.timezone,
        account_id=show("account", account.account_id),
        seller=issuer.party,
        customer=Party(
            account.name,
            account.address,
            account.email,
            account.tax_number,
            country=account.country,
            region=account.region,
            city=account.city,
            postal_code=account.postal_code,
        ),
        lines=_document_lines(draft),
        subtotal_minor=draft.subtotal.minor,
        total_minor=draft.total.minor,
        taxes=draft.taxes,
        memo=terms.memo,
        purchase_order=terms.purchase_order,
        custom_fields=terms.custom_fields or (),
        payment_instructions=issuer.payment_instructions,
        bank=_bank(issuer),
        logo=issuer.logo_id,
    )


def _bank(issuer: Issuer) -> BankAccount | None:
    if issuer.iban is None:
        return None
    return BankAccount(issuer.iban, issuer.bic, issuer.bank_name)


def _document_lines(draft: InvoiceDraft) -> tuple[DocumentLine, ...]:
    told = draft.line_taxes or (LineTaxes(()),) * len(draft.lines)
    count = len(draft.taxes)
    return tuple(
        _document_line(line, taxes, count) for line, taxes in zip(draft.lines, told, strict=True)
    )


def _role(line: DraftLine, taxes: LineTaxes, tax_count: int) -> LineRole:
    """Return what a line is to the whole; under one tax a credit is a line like others."""
    belongs_to_all = taxes.places is None and tax_count > 1
    if line.kind != "discount" and not belongs_to_all:
        return "line"
    return "charge" if line.amount.minor > 0 else "allowance"


def _document_line(line: DraftLine, taxes: LineTaxes, tax_count: int) -> DocumentLine:
    places = taxes.places or ()
    is_usage = line.kind == "usage" or (line.kind == "one_off" and _unit_price(line) is not None)
    return DocumentLine(
        description=line.description,
        amount_minor=line.amount.minor,
        period_start=line.period_start,
        period_end=line.period_end,
        quantity=line.quantity if is_usage else None,
        unit=line.unit,
        unit_price=_unit_price(line) if is_usage else None,
        details=_details(line) if is_usage else (),
        heading=line.heading,
        role=_role(line, taxes, tax_count),
        taxes=places if len(places) < tax_count else (),  # all of them need no saying
        included_minor=taxes.included_minor,
    )


def _unit_price(line: DraftLine) -> Decimal | None:
    """Return the price of a unit where it alone made the amount: nothing was free, no tier.

    It is the step's, for usage of a filter has another than the price itself.
    """
    steps = line.derivation.steps
    return steps[0].unit if [step.kind for step in steps] == ["per_unit"] else None


def _details(line: DraftLine) -> tuple[LineDetail, ...]:
    """Return the steps, unless the line already says all: so many units at one price."""
    if _unit_price(line) is not None:
        return ()
    return tuple(LineDetail(**asdict(step)) for step in line.derivation.steps)
