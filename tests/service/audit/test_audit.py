from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest

from tallystick.accounts import keys, service, users
from tallystick.accounts.model import Account, AccountChange, NewAccount, NewUser, Principal
from tallystick.audit.model import AuditEntry
from tallystick.audit.service import list_audit
from tallystick.kernel import test_clocks
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import STAFF, WRITER, Actor, Database, account_scope, acting
from tallystick.kernel.due import WallKind, Worker
from tallystick.kernel.ids import HOUSE, new_id, show
from tallystick.kernel.paging import PageRequest, page_request

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
NEW = NewAccount(
    name="acme", email="a@example.com", currency="EUR", country="DE", tax_name="VAT",
    tax_percent=Decimal("7.123456789012345678901"),
)  # fmt: skip


@pytest.fixture
async def account(db: Database) -> Account:
    async with db.transaction(WRITER) as conn:
        return await service.create_account(conn, NEW, NOW)


async def entries(db: Database, account_id: UUID | None = None) -> list[AuditEntry]:
    """Return the newest entries as staff see them."""
    async with db.transaction(STAFF) as conn:
        return list((await list_audit(conn, account_id, PageRequest(limit=100))).items)


async def rename(db: Database, account: Account, name: str) -> None:
    async with db.transaction(account_scope(account.account_id)) as conn:
        await service.update_account(conn, account.account_id, AccountChange(name=name))


def who_and_why(entry: AuditEntry) -> tuple[str, str, str, str]:
    return entry.actor_kind, entry.actor_id, entry.request_id, entry.reason


async def test_a_change_by_a_person_is_written_down_with_both_rows(
    db: Database, account: Account
) -> None:
    person = Principal(kind="user", method="session", user_id=UUID(int=5))
    with acting(person.actor("req_1", "a customer called")):
        await rename(db, account, "new name")
    newest = (await entries(db))[0]
    assert who_and_why(newest) == (
        "user", show("user", UUID(int=5)), "req_1", "a customer called")  # fmt: skip
    assert (newest.table_name, newest.action) == ("accounts", "UPDATE")
    assert newest.account_id == account.account_id
    assert newest.before is not None
    assert newest.after == newest.before | {"name": "new name"}
    assert newest.before["name"] == "acme"


async def test_a_change_by_a_key_is_written_down(db: Database, account: Account) -> None:
    machine = Principal(kind="service", method="bearer_key", api_key_id=UUID(int=6))
    with acting(machine.actor("req_2")):
        await rename(db, account, "new name")
    expected = ("api_key", show("api_key", UUID(int=6)), "req_2", "")
    assert who_and_why((await entries(db))[0]) == expected


async def test_a_change_by_a_job_is_written_down(db: Database, account: Account) -> None:
    names = ["by a job"]

    async def run(_: datetime) -> int:
        if not names:
            return 0
        await rename(db, account, names.pop())
        return 1

    await Worker(db, system_clock, [WallKind("renaming", run)]).run_once()
    assert who_and_why((await entries(db))[0]) == ("job", "renaming", "", "")


async def test_a_change_past_the_program_is_written_down_too(
    db: Database, dsn: str, account: Account
) -> None:
    owner = await asyncpg.connect(dsn)
    user = await owner.fetchval("SELECT session_user::text")
    await owner.execute(
        "UPDATE accounts SET name = 'by hand' WHERE account_id = $1", account.account_id
    )
    await owner.close()
    assert who_and_why((await entries(db))[0]) == ("database", user, "", "")


async def test_what_is_rolled_back_leaves_no_entry(db: Database, account: Account) -> None:
    before = await entries(db)
    with suppress(LookupError):
        async with db.transaction(WRITER) as conn:
            await service.update_account(conn, account.account_id, AccountChange(name="never"))
            raise LookupError
    async with db.transaction(WRITER) as conn:
        await service.update_account(conn, account.account_id, AccountChange(name="kept"))
        with suppress(LookupError):
            async with db.transaction(WRITER) as inner:
                await service.set_autopay(inner, account.account_id, enabled=True)
                raise LookupError
    [newest, *older] = await entries(db)
    assert newest.after is not None
    assert (newest.after["name"], newest.after["autopay"]) == ("kept", False)
    assert older == before


async def test_an_entry_is_there_within_the_transaction_of_its_change(
    db: Database, account: Account
) -> None:
    async with db.transaction(WRITER) as conn:
        before = (await list_audit(conn, None, PageRequest())).total
        await service.set_autopay(conn, account.account_id, enabled=True)
        assert (await list_audit(conn, None, PageRequest())).total == before + 1
    async with db.transaction(WRITER) as conn:
        await service.set_autopay(conn, account.account_id, enabled=True)
        assert (await list_audit(conn, None, PageRequest())).total == before + 1, "nothing changed"


async def test_making_and_ending_are_written_down(db: Database, account: Account) -> None:
    async with db.transaction(WRITER) as conn:
        user = await users.create_user(conn, NewUser(email="a@b.c", name="A"), NOW)
        await service.add_member(conn, account.account_id, user.user_id, "owner", NOW)
        await service.remove_member(conn, account.account_id, user.user_id)
    ended, begun, made, *_ = await entries(db)
    assert [(e.table_name, e.action) for e in (made, begun, ended)] == [
        ("users", "INSERT"), ("memberships", "INSERT"), ("memberships", "DELETE")]  # fmt: skip
    assert (made.account_id, made.before, ended.after) == (HOUSE, None, None)
    assert begun.after == ended.before
    assert begun.account_id == account.account_id


async def test_secrets_are_not_in_the_entries_yet_their_change_is(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        new = NewUser(email="a@b.c", name="A", password_hash="$argon2id$first")
        user = await users.create_user(conn, new, NOW)
        await users.set_password(conn, user.user_id, "$argon2id$second", NOW)
        _, secret = await keys.create_api_key(conn, None, name="k", scopes=["admin"], now=NOW)
        key_hash: bytes = await conn.fetchval("SELECT key_hash FROM api_keys")
    found = await entries(db)
    assert [entry.table_name for entry in found] == ["api_keys", "users", "users"]
    assert found[1].before == found[1].after
    text = msgspec.json.encode(found).decode()
    for hidden in ("argon2", "password_hash", "key_hash", key_hash.hex(), secret):
        assert hidden not in text


async def test_numbers_are_read_without_losing_digits(db: Database, account: Account) -> None:
    [made] = await entries(db)
    assert made.after is not None
    assert made.after["tax_percent"] == account.tax_percent


async def test_an_account_sees_its_own_entries_and_staff_see_all(
    db: Database, account: Account
) -> None:
    async with db.transaction(WRITER) as conn:
        other = await service.create_account(conn, NEW, NOW)
        await test_clocks.create(conn, new_id(), "clock", NOW, NOW)
    async with db.transaction(account_scope(account.account_id)) as conn:
        own = await list_audit(conn, None, PageRequest())
        foreign = await list_audit(conn, other.account_id, PageRequest())
    assert {entry.account_id for entry in own.items} == {account.account_id}
    assert (own.total, foreign.items, foreign.total) == (1, (), 0)
    assert [entry.table_name for entry in await entries(db)] == [
        "test_clocks", "accounts", "accounts"]  # fmt: skip
    assert [entry.account_id for entry in await entries(db, other.account_id)] == [other.account_id]
    assert await entries(db, uuid4()) == []


async def test_entries_are_paged_newest_first_while_new_ones_come(
    db: Database, account: Account
) -> None:
    for number in range(5):
        await rename(db, account, f"name {number}")
    numbers: list[int] = []
    request = page_request(1, 2, None)
    while True:
        async with db.transaction(STAFF) as conn:
            page = await list_audit(conn, account.account_id, request)
        numbers += [entry.audit_id for entry in page.items]
        if page.next_cursor is None:
            break
        request = page_request(1, 2, page.next_cursor)
        await rename(db, account, f"later {len(numbers)}")
    assert len(numbers) == 6
    assert numbers == sorted(set(numbers), reverse=True)


@pytest.mark.parametrize("statement", [
    "UPDATE billing_audit SET reason = 'better'", "DELETE FROM billing_audit",
    "TRUNCATE billing_audit",
])  # fmt: skip
async def test_nobody_changes_an_entry_the_owner_of_the_table_neither(
    db: Database, dsn: str, account: Account, statement: str
) -> None:
    owner = await asyncpg.connect(dsn)
    with pytest.raises(asyncpg.RestrictViolationError):
        await owner.execute(statement)
    await owner.close()
    for scope in (WRITER, STAFF, account_scope(account.account_id)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(scope) as conn:
                await conn.execute(statement)
    assert len(await entries(db)) == 1


async def test_nobody_writes_an_entry_by_hand(db: Database, account: Account) -> None:
    statement = (
        "INSERT INTO billing_audit (account_id, actor_kind, actor_id, request_id, reason, "
        "table_name, action) VALUES ($1, 'user', 'x', '', '', 'accounts', 'UPDATE')"
    )
    for scope in (WRITER, STAFF, account_scope(account.account_id)):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(scope) as conn:
                await conn.execute(statement, account.account_id)


# Their own record: they only grow, and each row says when and why. Or no person's work: counters,
# queues and copies that can be made again.
NOT_AUDITED = {
    "billing_audit", "ccbill_charges", "ccbill_extracts", "ccbill_refunds",
    "credit_allocations", "credit_cost_epoch", "credit_reservations",
    "credit_note_lines", "credit_note_taxes", "credit_usage_log", "credited_lines",
    "credited_taxes", "customer_credit_uses", "gateway_renewals", "idempotency_keys",
    "invoice_adjustment_uses", "invoice_bills", "invoice_closings", "invoice_files",
    "credit_note_files",
    "invoice_lines", "invoice_usage_changes", "lago_comparisons", "lago_differences", "lago_marks",
    "lago_outbox", "lago_refused", "lago_sync", "logos", "mirror_progress", "mirrored_charges",
    "mirrored_invoices", "mirrored_subscriptions", "number_series", "one_time_charges", "outbox",
    "outbox_done",
    "plan_migration_rows", "schema_migrations",
    "stripe_meter_events", "stripe_meter_hours", "stripe_meter_reports", "stripe_meter_sync",
    "subscription_terms", "tax_number_checks", "usage_advance_marks", "usage_fees", "webhook_inbox",
    "webhook_catch_ups", "webhook_deliveries", "webhook_tries",
    "what_if_rows", "what_ifs",
}  # fmt: skip


async def test_every_table_that_people_change_is_audited(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        rows = await conn.fetch(
            "SELECT relname::text AS name, EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid "
            "AND tgname = 'audited' AND tgenabled = 'O') AS audited FROM pg_class c "
            "WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace "
            "AND NOT relispartition"
        )
    forgotten = {row["name"] for row in rows if not row["audited"]} - NOT_AUDITED
    own_records = {name for name in forgotten if name.startswith(("usage_", "ledger_"))}
    assert forgotten == own_records


async def test_audited_rows_are_written_whatever_the_scope(db: Database, account: Account) -> None:
    for number, scope in enumerate((WRITER, account_scope(account.account_id))):
        with acting(Actor("user", f"u{number}")):
            async with db.transaction(scope) as conn:
                await service.update_account(
                    conn, account.account_id, AccountChange(name=f"n{number}")
                )
    assert [entry.actor_id for entry in await entries(db)][:2] == ["u1", "u0"]


async def test_an_actor_may_have_no_words_at_all(db: Database, account: Account) -> None:
    with acting(Actor("", "")):
        await rename(db, account, "x")
    newest = (await entries(db))[0]
    assert newest.actor_kind == "database"
