"""How a line came to its amount, from what was stored, computed once more."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec

from tallystick.documents.document import InvoiceDocument, TaxLine
from tallystick.documents.document import decode as decode_document
from tallystick.invoices import service, store
from tallystick.invoices.adjustments import CARRIED
from tallystick.invoices.derivation import Derivation, decode, gross_of, recompute
from tallystick.invoices.model import Invoice, InvoiceLine
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import unknown
from tallystick.money.amount import Money
from tallystick.money.text import show_decimal, show_money
from tallystick.pricing.explain import explain_step
from tallystick.pricing.model import Step

_MICROSECONDS: Final = 1_000_000


class LineExplanation(msgspec.Struct, frozen=True, kw_only=True):
    """A line, what it was computed from, the steps in words, and the amount computed again.

    `taxes` are those of the whole invoice: tax is reckoned on the sum of its lines. `heading` is
    the name of the plan under which it stands on an invoice over several.
    """

    line: InvoiceLine
    derivation: Derivation
    steps: tuple[str, ...]
    recomputed: Money
    taxes: tuple[TaxLine, ...]
    heading: str | None = None

    @property
    def is_same(self) -> bool:
        """Whether computing it again gives the billed amount to the minor unit."""
        return self.recomputed == self.line.amount


async def line_explanation(
    conn: Connection, account_id: UUID, invoice_id: UUID, line_id: UUID
) -> LineExplanation:
    """Return the explanation of one line of a finalized invoice, in the invoice's locale.

    Raises NotFound.
    """
    invoice = await service.get_invoice(conn, account_id, invoice_id)
    line = next((one for one in invoice.lines if one.invoice_line_id == line_id), None)
    stored = await store.derivation(conn, account_id, invoice_id, line_id)
    frozen = await store.document(conn, account_id, invoice_id)
    if line is None or stored is None or frozen is None:
        raise unknown("invoice_line")
    return _explained(line, stored, decode_document(frozen))


async def invoice_explanations(conn: Connection, invoice: Invoice) -> tuple[LineExplanation, ...]:
    """Return the explanation of each line of a finalized invoice; of a draft, none."""
    frozen = await store.document(conn, invoice.account_id, invoice.invoice_id)
    if frozen is None:
        return ()
    stored = await store.derivations(conn, invoice.account_id, invoice.invoice_id)
    document = decode_document(frozen)
    return tuple(_explained(line, stored[line.invoice_line_id], document) for line in invoice.lines)


def _explained(line: InvoiceLine, stored: str, document: InvoiceDocument) -> LineExplanation:
    derivation = decode(stored)
    return LineExplanation(
        line=line,
        derivation=derivation,
        steps=(
            *(_sentence(step, derivation, document.locale) for step in derivation.steps),
            *_share_sentences(derivation),
            *_coupon_sentences(derivation, document.locale),
            *_change_sentences(derivation, document.locale),
            *_advance_sentences(derivation, document.locale),
            *_discount_sentences(derivation, document.locale),
        ),
        recomputed=recompute(derivation),
        taxes=document.taxes,
        heading=document.lines[line.position - 1].heading,
    )


def _sentence(step: Step, derivation: Derivation, locale: str) -> str:
    """Return a step in words; where a price is in a unit of its own, what becomes of that."""
    sentence = explain_step(step, derivation.currency, locale)
    if step.kind == "conversion" and derivation.custom is not None:
        return f"from {derivation.custom.code} to {derivation.currency}: {sentence}"
    return sentence


def _coupon_sentences(derivation: Derivation, locale: str) -> Iterator[str]:
    """Yield in words what a coupon takes off which lines."""
    use, currency = derivation.coupon, derivation.currency
    if use is None:
        return
    found = show_money(Money(use.found_minor, currency), locale)
    if use.percent is None:
        yield f"{show_money(Money(use.worth_minor, currency), locale)} at most, off {found}"
    else:
        yield f"{show_decimal(use.percent, locale)}% of {found}"
    for part in use.covered:
        yield f"{show_money(Money(part.taken_minor, currency), locale)} off line {part.position}"


def _change_sentences(derivation: Derivation, locale: str) -> Iterator[str]:
    """Yield in words what changed usage costs now, and what was billed for it."""
    changed, currency = derivation.changed, derivation.currency
    if changed is None:
        return
    billed = Money(changed.billed_minor, currency)
    now = billed + gross_of(derivation)
    yield f"{show_money(now, locale)} for {show_decimal(changed.new_quantity, locale)}"
    was = show_decimal(changed.old_quantity, locale)
    yield f"less {show_money(billed, locale)} billed for {was}, by invoice {changed.number}"


def _share_sentences(derivation: Derivation) -> Iterator[str]:
    """Yield in words what part of the price the line bills, or gives back."""
    share = derivation.share
    if share is None:
        return
    if derivation.quantity != 1:
        yield f"for a quantity of {derivation.quantity}"
    part, whole = share.end - share.start, share.whole
    if share.unit == "day" and part != whole:
        yield f"{part} of {whole} days"
    elif part != whole:
        seconds = f"{Decimal(part) / _MICROSECONDS:f} of {Decimal(whole) / _MICROSECONDS:f}"
        yield f"{seconds} seconds"
    if share.sign < 0:
        is_carried = derivation.plan_version_id is None and derivation.price.code == CARRIED
        yield "left to the next invoice" if is_carried else "given back"


def _advance_sentences(derivation: Derivation, locale: str) -> Iterator[str]:
    """Yield in words what earlier fees billed of the same usage."""
    if derivation.advance is not None:
        before = Money(derivation.advance.billed_minor, derivation.currency)
        yield f"less what was billed of it before: {show_money(before, locale)}"


def _discount_sentences(derivation: Derivation, locale: str) -> Iterator[str]:
    """Yield in words what is taken back of a discount on what the line gives back."""
    was, currency = derivation.discount, derivation.currency
    if was is None:
        return
    back, taken, billed = (
        show_money(Money(minor, currency), locale)
        for minor in (was.back_minor, was.taken_minor, was.billed_minor)
    )
    yield f"less {back}, its share of the {taken} that coupons took off {billed}: {was.number}"
