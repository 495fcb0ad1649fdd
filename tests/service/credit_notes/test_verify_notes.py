"""`tallystick verify` holds credit notes to the books; each forgery is told as itself."""

from pathlib import Path

import asyncpg
import pytest

from tallystick import verify
from tallystick.ledger.verify import Difference
from tests.service.credit_notes.conftest import World, of


async def found(dsn: str, folder: Path) -> set[str]:
    """What is found online, which must be what is found in an export."""
    told: list[Difference] = []
    offline: list[Difference] = []
    async with verify.snapshot(dsn) as conn:
        await verify.verify_database(conn, None, told.append, lambda _: None)
        await verify.export_ledger(conn, folder / "books", lambda _: None)
    verify.verify_export(folder / "books", None, offline.append, lambda _: None)
    assert told == offline
    return {one.code for one in told}


async def story(world: World) -> None:
    invoice = await world.invoice()
    await world.pay(invoice, 21600)
    await world.note(invoice, of(invoice, 3), rest="refund")
    voided = await world.note(invoice, of(invoice, 2))
    await world.void(voided)
    await world.note(invoice, of(invoice, 1, amount_minor=5000))
    await world.invoice([("More", 100)])


async def test_notes_that_are_in_the_books_pass(world: World, dsn: str, tmp_path: Path) -> None:
    await story(world)
    assert await found(dsn, tmp_path) == set()


@pytest.mark.parametrize(
    ("forgery", "codes"),
    [
        (
            (
                "UPDATE credit_notes SET subtotal_minor = subtotal_minor + 1,"
                " tax_minor = tax_minor - 1"
                " WHERE number = 'CN-2026-000001'"
            ),
            {"credit_note_differs"},
        ),
        (
            (
                "UPDATE credit_notes SET credit_minor = refund_minor, refund_minor = credit_minor"
                " WHERE number = 'CN-2026-000001'"
            ),
            {"credit_note_differs"},
        ),
        (
            (
                "UPDATE credit_notes SET status = 'issued', voided_at = NULL"
                " WHERE number = 'CN-2026-000002'"
            ),
            {"credit_note_state_differs"},
        ),
        (
            "UPDATE customer_credits SET left_minor = left_minor - 1 WHERE left_minor > 0",
            {"customer_credit_differs"},
        ),
        ("UPDATE refunds SET amount_minor = amount_minor + 1", {"refunds_differ"}),
        ("DELETE FROM refunds", {"refunds_differ"}),
        ("DELETE FROM credit_notes", {"credit_note_missing"}),
        (
            (
                "UPDATE credit_notes SET credit_note_id = gen_random_uuid()"
                " WHERE number = 'CN-2026-000003'"
            ),
            {"credit_note_missing", "credit_note_not_booked"},
        ),
    ],
)
async def test_a_forged_note_is_found(
    world: World, dsn: str, tmp_path: Path, forgery: str, codes: set[str]
) -> None:
    await story(world)
    owner = await asyncpg.connect(dsn)
    try:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(forgery)
    finally:
        await owner.close()
    assert await found(dsn, tmp_path) == codes
