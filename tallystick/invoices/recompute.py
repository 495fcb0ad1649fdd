"""Computes what was invoiced once more, from nothing but what is stored beside each line."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from uuid import UUID

import msgspec

from tallystick.invoices import recompute_store as store
from tallystick.invoices.derivation import Derivation, decode, recompute
from tallystick.invoices.discount_lines import coverable, left_to_cover
from tallystick.invoices.recompute_store import StoredLine
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import TallystickError
from tallystick.kernel.ids import unknown
from tallystick.money.errors import MoneyError

Advance = Callable[[int], None]


class InvoiceDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What an invoice says and what follows from its stored inputs, in minor units.

    `what` is `amount` (of a line), `counted` (what a minimum or maximum counted is not the sum of
    the price's lines), `covered` (what a coupon found is not what its lines had left), `subtotal`
    or `document` (the total on paper). `position` is the line's;
    `expected_minor` None: its inputs can not be rated.
    """

    invoice_id: UUID
    number: str
    what: str
    position: int | None
    currency: str
    stored_minor: int
    expected_minor: int | None


async def issued_count(conn: Connection, invoice_id: UUID | None) -> int:
    """Return how many invoices there are to compute again; raises NotFound for an unknown one."""
    count = await store.invoice_count(conn, invoice_id)
    if invoice_id is not None and not count:
        raise unknown("invoice")
    return count


async def differences(
    conn: Connection, invoice_id: UUID | None, advance: Advance
) -> AsyncIterator[InvoiceDifference]:
    """Yield every difference of all issued invoices, or of one; `advance` counts invoices.

    Inside a transaction; one invoice is in memory at a time.
    """
    invoice: list[StoredLine] = []
    async for line in store.lines(conn, invoice_id):
        if invoice and invoice[0].invoice_id != line.invoice_id:
            for found in differences_of(invoice):
                yield found
            advance(1)
            invoice = []
        invoice.append(line)
    if invoice:
        for found in differences_of(invoice):
            yield found
        advance(1)


def differences_of(invoice: Sequence[StoredLine]) -> Iterator[InvoiceDifference]:
    """Yield the differences of one invoice, given all its lines. Pure."""
    first = invoice[0]
    lines = [line for line in invoice if line.position is not None]
    read = [(line, _read(line)) for line in lines]
    for line, derivation in read:
        if derivation is None:
            yield _difference(line, "amount", line.amount_minor or 0, None)
            continue
        expected = _expected(derivation)
        if expected != line.amount_minor:
            yield _difference(line, "amount", line.amount_minor or 0, expected)
        if derivation.counted_minor is not None and derivation.kind != "commitment":
            counted = _counted(line, derivation, read)
            if counted != derivation.counted_minor:
                yield _difference(line, "counted", derivation.counted_minor, counted)
    yield from _uncovered(read, first.currency)
    total = sum(line.amount_minor or 0 for line in lines)
    if total != first.subtotal_minor:
        yield _difference(first, "subtotal", first.subtotal_minor, total)
    if first.told_minor != first.total_minor:
        yield _difference(first, "document", first.told_minor or 0, first.total_minor)


def _read(line: StoredLine) -> Derivation | None:
    try:
        return decode(line.derivation or "")
    except msgspec.DecodeError:
        return None


def _expected(derivation: Derivation) -> int | None:
    try:
        return recompute(derivation).minor
    except (TallystickError, MoneyError, LookupError, TypeError, ValueError):
        return None


def _counted(
    line: StoredLine, derivation: Derivation, read: Sequence[tuple[StoredLine, Derivation | None]]
) -> int:
    """Return what the other lines of the price bill for the same period."""
    return sum(
        (other.amount_minor or 0)
        + (its.advance.billed_minor if its.advance else 0)
        - (its.discount.back_minor if its.discount else 0)
        for other, its in read
        if other is not line
        and its is not None
        and its.counted_minor is None
        and (other.subscription_id, other.price_code) == (line.subscription_id, line.price_code)
        and its.period_start == derivation.period_start
    )


def _uncovered(
    read: Sequence[tuple[StoredLine, Derivation | None]], currency: str
) -> Iterator[InvoiceDifference]:
    """Yield the coupons that did not find what the lines before them had left."""
    known = [(line, its) for line, its in read if its is not None]
    parts = {line.position: coverable(its, line.amount_minor or 0) for line, its in known}
    left = dict(zip(parts, left_to_cover(list(parts.values()), currency), strict=True))
    for line, its in known:
        if its.coupon is None:
            continue
        expected = sum(left.get(part.position, 0) for part in its.coupon.covered)
        if expected != its.coupon.found_minor:
            yield _difference(line, "covered", its.coupon.found_minor, expected)
        for part in its.coupon.covered:
            left[part.position] = left.get(part.position, 0) - part.taken_minor


def _difference(
    line: StoredLine, what: str, stored: int, expected: int | None
) -> InvoiceDifference:
    is_line = what in ("amount", "counted", "covered")
    return InvoiceDifference(
        invoice_id=line.invoice_id,
        number=line.number,
        what=what,
        position=line.position if is_line else None,
        currency=line.currency,
        stored_minor=stored,
        expected_minor=expected,
    )
