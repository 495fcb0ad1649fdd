"""Issuers are made of the settings, changed by staff, retired; numbers have no gap."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.documents.document import Party
from tallystick.issuers import service
from tallystick.issuers.model import Issuer, Numbered
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id

AT: Final = datetime(2026, 3, 1, tzinfo=UTC)
TOLD: Final = Party("Settings Ltd", ("1 Way",), "s@example.com", "GB1")


async def default(db: Database, told: Party = TOLD) -> Issuer:
    async with db.transaction(WRITER) as conn:
        return await service.follow_settings(conn, told, AT)


async def change(db: Database, issuer: Issuer, **asked: Any) -> Issuer:
    async with db.transaction(WRITER) as conn:
        return await service.change_issuer(conn, issuer.issuer_id, asked)


async def create(db: Database, **fields: Any) -> Issuer:
    new = {"issuer_id": new_id(), "code": "B", "legal_name": "B Inc", "created_at": AT, **fields}
    async with db.transaction(WRITER) as conn:
        return await service.create_issuer(conn, Issuer(**new))


async def take(db: Database, *wanted: Numbered, dies: bool = False) -> tuple[str, ...]:
    async with db.transaction(WRITER) as conn:
        taken = await service.take_numbers(conn, wanted)
        await asyncio.sleep(0)
        _ = 1 // (0 if dies else 1)
    return taken


def march(issuer: Issuer, *, is_test: bool = False) -> Numbered:
    return Numbered(issuer, "invoice", 2026, 3, is_test)


async def test_the_settings_make_the_first_issuer_and_are_followed_until_it_is_changed(
    db: Database,
) -> None:
    made = await default(db)
    assert (made.legal_name, made.is_default, made.party) == ("Settings Ltd", True, TOLD)
    followed = await default(db, Party("Renamed Ltd"))
    assert followed.issuer_id == made.issuer_id
    assert followed.party == Party("Renamed Ltd")
    changed = await change(db, made, country="GB")
    assert await default(db, TOLD) == changed
    assert changed.legal_name == "Renamed Ltd"


async def test_two_processes_that_start_at_once_make_one_issuer(db: Database) -> None:
    found = await asyncio.gather(*(default(db) for _ in range(6)))
    assert len({issuer.issuer_id for issuer in found}) == 1


async def test_an_account_has_the_issuer_it_names_or_the_default(db: Database) -> None:
    other = await create(db, is_default=False)
    new = NewAccount(name="a", email="a@example.com", currency="EUR", country="DE")
    async with db.transaction(WRITER) as conn:
        one, two = [await accounts.create_account(conn, new, AT) for _ in range(2)]
        await conn.execute(
            "UPDATE accounts SET issuer_id = $1 WHERE account_id = $2",
            other.issuer_id,
            two.account_id,
        )
        two = await accounts.get_account(conn, two.account_id)
        found = await service.issuers_of(conn, [one, two], TOLD, AT)
    assert found[one.account_id].legal_name == "Settings Ltd"
    assert found[two.account_id] == other


async def test_the_default_moves_and_is_never_nobody(db: Database) -> None:
    first, second = await default(db), await create(db)
    with pytest.raises(Conflict, match="default"):
        await change(db, first, is_default=False)
    with pytest.raises(Conflict, match="default"):
        await retire(db, first)
    assert (await change(db, second, is_default=True)).is_default
    assert (await default(db)).issuer_id == second.issuer_id
    assert (await retire(db, first)).retired_at == AT
    for again in (retire(db, first), change(db, first, city="Rome")):
        with pytest.raises(Conflict, match="retired"):
            await again


async def retire(db: Database, issuer: Issuer) -> Issuer:
    async with db.transaction(WRITER) as conn:
        return await service.retire_issuer(conn, issuer.issuer_id, AT)


async def test_defaults_that_are_set_at_once_leave_one(db: Database) -> None:
    await default(db)
    made = [await create(db, code=f"C{at}") for at in range(4)]
    await asyncio.gather(*(change(db, one, is_default=True) for one in made))
    async with db.transaction(WRITER) as conn:
        every = await service.list_issuers(conn)
    assert [issuer.is_default for issuer in every].count(True) == 1


async def test_a_code_is_taken_once(db: Database) -> None:
    await create(db)
    with pytest.raises(Conflict) as refused:
        await create(db)
    assert refused.value.code == "issuer_code_taken"


@pytest.mark.parametrize(("field", "bad", "code"), [
    ("code", "a-b", "invalid_code"),
    ("legal_name", " ", "invalid_text"),
    ("address", ("x",) * 9, "invalid_address"),
    ("country", "XX", "unknown_country"),
    ("region", "north", "unknown_region"),
    ("email", "x", "invalid_email"),
    ("iban", "DE89370400440532013001", "invalid_iban"),
    ("bic", "X", "invalid_bic"),
    ("payment_instructions", "a\x07b", "invalid_text"),
    ("locale", "xx-YY", "unknown_locale"),
    ("payment_due_days", 366, "out_of_range"),
    ("grace_hours", 2161, "out_of_range"),
    ("invoice_format", "INV-{year}", "number_once"),
    ("credit_note_format", "INV-{year}-{number}", "numbers_collide"),
])  # fmt: skip
async def test_what_can_not_be_taken_is_named(
    db: Database, field: str, bad: object, code: str
) -> None:
    with pytest.raises(BadInput) as refused:
        await create(db, **{field: bad})
    assert [(fault.field, fault.code) for fault in refused.value.errors] == [(field, code)]


async def test_a_right_iban_is_taken(db: Database) -> None:
    assert (await create(db, iban="DE89370400440532013000", bic="COBADEFFXXX")).iban


async def test_each_series_counts_from_one(db: Database) -> None:
    issuer = await create(db, invoice_format="{issuer}{year}{mm}-{number}")
    note = Numbered(issuer, "credit_note", 2026, 3, is_test=False)
    later = Numbered(issuer, "invoice", 2027, 1, is_test=False)
    wanted = [march(issuer), note, march(issuer), march(issuer, is_test=True), later]
    assert await take(db, *wanted) == (
        "B202603-1", "CN-2026-000001", "B202603-2", "TEST-B202603-1", "B202701-1",
    )  # fmt: skip


async def test_a_number_that_is_rolled_back_is_given_again(db: Database) -> None:
    issuer = await create(db)
    with pytest.raises(ZeroDivisionError):
        await take(db, *[march(issuer)] * 3, dies=True)
    assert await take(db, march(issuer)) == ("INV-2026-000001",)


async def test_numbers_under_load_have_no_gap_and_no_twin(db: Database) -> None:
    """Twenty writers take of four series in any order; a third of them dies before its commit."""
    issuers = [await create(db, code=code) for code in ("A1", "B1")]
    chance = random.Random(7)  # noqa: S311 -- the same load each time

    async def work(wanted: Sequence[Numbered], *, dies: bool) -> tuple[str, ...]:
        taken: tuple[str, ...] = ()
        with suppress(ZeroDivisionError):
            taken = await take(db, *wanted, dies=dies)
        return tuple(f"{one.issuer.code} {text}" for one, text in zip(wanted, taken, strict=False))

    series = [march(one, is_test=flag) for one in issuers for flag in (False, True)]
    loads = [(chance.choices(series, k=5), chance.random() < 1 / 3) for _ in range(60)]
    done = await asyncio.gather(*(work(wanted, dies=dies) for wanted, dies in loads))
    given = sorted(text for taken in done for text in taken)
    assert len(set(given)) == len(given) > 150
    for start in {text.rsplit("-", 1)[0] for text in given}:
        numbers = [int(text.rsplit("-", 1)[1]) for text in given if text.startswith(f"{start}-")]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))


async def test_a_format_in_use_changes_only_so_that_no_number_can_come_again(db: Database) -> None:
    issuer = await create(db)
    await change(db, issuer, invoice_format="A-{year}-{number}")
    changed = await change(db, issuer, invoice_format="INV-{year}-{number:06}")
    assert changed.former_numbers == ()
    await take(db, march(changed))
    with pytest.raises(BadInput) as refused:
        await change(db, issuer, invoice_format="INV-{year}{mm}-{number}")
    assert refused.value.errors[0].code == "numbers_collide"
    shorter = await change(db, issuer, invoice_format="INV-{year}-{number:03}")
    assert await take(db, march(shorter)) == ("INV-2026-002",)
    other = await change(db, issuer, invoice_format="RE-{year}-{number}")
    assert await take(db, march(other)) == ("RE-2026-3",)
    with pytest.raises(BadInput):
        await change(db, issuer, number_reset="never")


async def test_a_logo_stays_when_another_takes_its_place(db: Database) -> None:
    issuer = await create(db)
    picture = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0"/></svg>'
    async with db.transaction(WRITER) as conn:
        first = await service.set_logo(conn, issuer.issuer_id, picture)
        await service.set_logo(conn, issuer.issuer_id, picture.replace(b"M0 0", b"M1 1"))
        gone = await service.set_logo(conn, issuer.issuer_id, None)
        assert gone.logo_id is None
        assert first.logo_id is not None
        assert (await service.get_logo(conn, first.logo_id)).media_type == "image/svg+xml"


async def test_an_account_reads_issuers_and_writes_none(db: Database) -> None:
    issuer = await default(db)
    new = NewAccount(name="a", email="a@example.com", currency="EUR", country="DE")
    async with db.transaction(WRITER) as conn:
        account: Account = await accounts.create_account(conn, new, AT)
    async with db.transaction(account_scope(account.account_id)) as conn:
        assert await service.get_issuer(conn, issuer.issuer_id) == issuer
    statements = ("UPDATE issuers SET code = 'X'", "DELETE FROM issuers", "TABLE number_series")
    for statement in statements:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(account_scope(account.account_id)) as conn:
                await conn.execute(statement)
