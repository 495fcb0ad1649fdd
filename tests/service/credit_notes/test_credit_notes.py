"""Credit notes on a real database: numbers, invoices, books, credit, refunds, voids."""

import asyncio
from collections.abc import Awaitable

import asyncpg
import pytest

from tallystick.credit_notes import refunds, service
from tallystick.credit_notes.model import CreditNote, NewNote, RefundStatus, Split, Status
from tallystick.documents.document import DocumentLine, Reference
from tallystick.invoices.model import Status as InvoiceStatus
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest
from tests.service.credit_notes.conftest import AT, LATER, World, of


async def refused(work: Awaitable[object]) -> str:
    with pytest.raises((Conflict, BadInput, NotFound)) as error:
        await work
    return error.value.errors[0].code if error.value.errors else error.value.code


async def test_a_whole_open_invoice_is_credited_against_what_is_due(world: World) -> None:
    invoice = await world.invoice()
    note = await world.note(invoice)
    after = await world.read(invoice)
    assert (note.number, note.total.minor, note.offset.minor) == ("CN-2026-000001", 21600, 21600)
    assert (after.status, after.due.minor, after.credited.minor) == (
        InvoiceStatus.PAID,
        0,
        21600,
    )
    assert await world.balances() == {}
    told = await world.rows("SELECT kind FROM outbox ORDER BY outbox_id")
    assert [row["kind"] for row in told] == [
        "invoice.finalized",
        "invoice.paid",
        "credit_note.issued",
    ]


async def test_a_line_is_given_back_with_its_discount_and_tax(world: World) -> None:
    invoice = await world.invoice()
    note = await world.note(invoice, of(invoice, 1, amount_minor=5000), of(invoice, 2))
    assert [(one.amount_minor, one.net_minor) for one in note.lines] == [(5000, 4500), (6000, 5400)]
    assert (note.subtotal.minor, note.tax.minor, note.total.minor) == (9900, 1980, 11880)
    rest = await world.note(invoice)
    assert rest.total.minor == 21600 - 11880
    assert await refused(world.note(invoice)) == "credit_note_empty"


async def test_what_is_due_comes_first_and_the_rest_is_kept(world: World) -> None:
    invoice = await world.invoice()
    await world.pay(invoice, 20000)
    note = await world.note(invoice, of(invoice, 3))
    assert (note.offset.minor, note.credit.minor, note.refund.minor) == (1600, 2720, 0)
    assert await world.balances() == {
        "clearing:manual": 20000,
        "customer_credit": -2720,
        "revenue": -14400,
        "tax_payable": -2880,
    }


async def test_credit_pays_later_invoices_after_tax_the_oldest_first(world: World) -> None:
    invoice = await world.invoice()
    await world.pay(invoice, 21600)
    await world.note(invoice, of(invoice, 3))
    await world.note(invoice, of(invoice, 2))
    first = await world.invoice([("More", 5000)], at=LATER)
    assert (first.total.minor, first.paid.minor, first.due.minor) == (6000, 6000, 0)
    assert (first.tax.minor, first.status) == (1000, InvoiceStatus.PAID)
    second = await world.invoice([("Much more", 50_000)], at=LATER)
    assert (second.paid.minor, second.status) == (4320 + 6480 - 6000, InvoiceStatus.OPEN)
    left = await world.rows("SELECT left_minor FROM customer_credits ORDER BY number")
    assert [row["left_minor"] for row in left] == [0, 0]
    assert "customer_credit" not in await world.balances()


async def test_a_split_is_as_wished(world: World) -> None:
    invoice = await world.invoice()
    await world.pay(invoice, 10000)
    split = Split(offset=11600, credit=4000, refund=6000)
    await world.note(invoice, split=split)
    balances = await world.balances()
    assert (balances["customer_credit"], balances["refunds"]) == (-4000, -6000)
    assert "receivable" not in balances


@pytest.mark.parametrize(
    ("paid", "split", "code"),
    [
        (0, Split(offset=100), "credit_split_differs"),
        (0, Split(offset=21000, credit=600), "credit_exceeds_paid"),
        (0, Split(offset=21000, refund=600), "refund_exceeds_payments"),
        (10000, Split(offset=11601, credit=9999), "credit_exceeds_due"),
    ],
)
async def test_nobody_gets_back_what_was_not_paid(
    world: World, paid: int, split: Split, code: str
) -> None:
    invoice = await world.invoice()
    if paid:
        await world.pay(invoice, paid)
    before = await world.balances()
    assert await refused(world.note(invoice, split=split)) == code
    assert await world.balances() == before
    assert await world.rows("SELECT FROM credit_notes") == []


async def test_what_was_paid_with_credit_is_not_paid_back_as_money(world: World) -> None:
    invoice = await world.invoice()
    await world.pay(invoice, 21600)
    await world.note(invoice, of(invoice, 3))
    second = await world.invoice([("More", 10_000)], at=LATER)
    await world.pay(second, second.due.minor)
    note = await world.note(second, rest="refund")
    assert (note.refund.minor, note.credit.minor) == (12000 - 4320, 4320)


async def test_a_refund_is_made_once_and_then_the_note_stays(world: World) -> None:
    invoice = await world.invoice()
    await world.pay(invoice, 21600)
    note = await world.note(invoice, of(invoice, 3), rest="refund")
    async with world.db.transaction(WRITER) as conn:
        (wish,) = await refunds.waiting_refunds(conn)
        for _ in range(2):
            made = await refunds.make_refund(
                conn, note.account_id, wish.refund_id, " SEPA 4711 ", LATER
            )
            assert (made.status, made.reference) == (RefundStatus.MADE, "SEPA 4711")
        assert await refunds.waiting_refunds(conn) == ()
    balances = await world.balances()
    assert balances["clearing:manual"] == 21600 - 4320
    assert "refunds" not in balances
    assert await refused(world.void(note)) == "refund_made"


async def test_a_voided_note_leaves_all_as_before(world: World) -> None:
    invoice = await world.invoice()
    await world.pay(invoice, 10000)
    before = await world.balances()
    paid = await world.read(invoice)
    note = await world.note(invoice, split=Split(offset=11600, credit=4000, refund=6000))
    voided = await world.void(note)
    assert (voided.status, voided.voided_at) == (Status.VOID, LATER)
    assert await world.read(invoice) == paid
    assert await world.balances() == before
    assert (await world.void(note)).status is Status.VOID
    again = await world.note(invoice)
    assert (again.total.minor, again.number) == (21600, "CN-2026-000002")


async def test_a_note_whose_credit_was_used_stays(world: World) -> None:
    invoice = await world.invoice()
    await world.pay(invoice, 21600)
    note = await world.note(invoice, of(invoice, 3))
    await world.invoice([("A little", 100)], at=LATER)
    assert await refused(world.void(note)) == "credit_note_used"
    assert (await world.read(invoice)).credited == note.total


async def test_the_same_intent_is_one_note(world: World) -> None:
    invoice = await world.invoice()
    first = await world.note(invoice, of(invoice, 3), request_key="k")
    again = await world.note(invoice, of(invoice, 3), request_key="k")
    assert again == first


async def test_notes_at_the_same_moment_never_exceed_the_invoice(world: World) -> None:
    invoice = await world.invoice()
    works = [world.note(invoice, of(invoice, 1, amount_minor=4000)) for _ in range(4)]
    done = await asyncio.gather(*works, return_exceptions=True)
    made = [one for one in done if isinstance(one, CreditNote)]
    assert sorted(one.number or "" for one in made) == ["CN-2026-000001", "CN-2026-000002"]
    assert all(isinstance(one, CreditNote | BadInput) for one in done)


async def test_a_preview_writes_nothing_and_says_what_would_come(world: World) -> None:
    invoice = await world.invoice()
    new = NewNote(invoice_id=invoice.invoice_id, reason="duplicate")
    async with world.db.transaction(WRITER) as conn:
        shown = await service.preview(conn, world.account.account_id, new, AT)
    made = await world.note(invoice, reason="duplicate")
    assert shown.number is None
    assert (shown.lines, shown.taxes, shown.total) == (made.lines, made.taxes, made.total)


async def test_the_document_says_what_is_given_back_and_of_which_invoice(world: World) -> None:
    invoice = await world.invoice()
    note = await world.note(invoice, of(invoice, 1), text="Wrong order", request_key=None)
    async with world.db.transaction(WRITER) as conn:
        said = await service.note_document(conn, note.account_id, note.credit_note_id)
    assert (said.kind, said.number, said.due_on) == ("credit_note", note.number, None)
    assert said.refers_to == Reference(invoice.number or "", AT.date())
    assert said.lines[1] == DocumentLine("Share of discounts", -1000, role="allowance")
    assert (said.subtotal_minor, said.total_minor) == (9000, 10800)
    assert sum(line.amount_minor for line in said.lines) == said.subtotal_minor
    assert said.memo == "Change of the order. Wrong order"


async def test_the_database_itself_refuses_more_than_a_line_or_a_tax_has(world: World) -> None:
    invoice = await world.invoice()
    note = await world.note(invoice, of(invoice, 1))
    named = note.account_id, invoice.invoice_id
    for change in (
        "UPDATE credited_lines SET credited_minor = credited_minor + 1",
        "UPDATE credited_lines SET amount_minor = amount_minor + 1",
        "UPDATE credited_taxes SET credited_minor = amount_minor + 1",
        "UPDATE credited_taxes SET amount_minor = amount_minor + 1",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await world.rows(f"{change} WHERE account_id = $1 AND invoice_id = $2", *named)
    with pytest.raises(asyncpg.CheckViolationError):
        await world.rows(
            "UPDATE invoices SET credited_minor = total_minor + 1"
            " WHERE account_id = $1 AND invoice_id = $2", *named,
        )  # fmt: skip
    for change in ("UPDATE credit_notes SET total_minor = 1", "DELETE FROM credit_notes"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await world.rows(change)
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.RestrictViolationError)):
        await world.rows("UPDATE credit_note_lines SET net_minor = 0")


async def test_notes_are_listed_newest_first_and_by_invoice(world: World) -> None:
    invoice = await world.invoice()
    notes = [await world.note(invoice, of(invoice, at)) for at in (1, 2)]
    async with world.db.transaction(WRITER) as conn:
        page = await service.list_notes(conn, world.account.account_id, PageRequest())
        of_invoice = await service.notes_of_invoice(
            conn, world.account.account_id, invoice.invoice_id
        )
    assert list(page.items) == notes[::-1]
    assert list(of_invoice) == notes


async def test_what_is_not_there_is_not_found(world: World) -> None:
    missing = new_id()
    async with world.db.transaction(WRITER) as conn:
        new = NewNote(invoice_id=missing, reason="other")
        account = world.account.account_id
        assert await refused(service.issue(conn, account, new, AT)) == "invoice_not_found"
        assert await refused(service.void(conn, account, missing, AT)) == "credit_note_not_found"
        assert (
            await refused(refunds.make_refund(conn, account, missing, "x", AT))
            == "refund_not_found"
        )
