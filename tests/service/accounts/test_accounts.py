from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from tallystick.accounts import service
from tallystick.accounts.model import Account, AccountChange, NewAccount, User
from tallystick.kernel import test_clocks
from tallystick.kernel.db import STAFF, WRITER, Database, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id, show
from tallystick.kernel.paging import PageRequest, page_request

MakeAccount = Callable[..., Awaitable[Account]]
MakeUser = Callable[..., Awaitable[User]]

WHOLE = NewAccount(
    name="Whole", email="w@example.com", currency="jpy", country="jp", timezone="Asia/Tokyo",
    locale="ja-JP", external_id="w-1", address=("1 Street", "Tokyo"), tax_number="T1",
    region="13", city="Tokyo", postal_code="100-0001",
    tax_name="JCT", tax_percent=Decimal("10.0"), payment_due_days=0,
)  # fmt: skip


async def create(db: Database, new: NewAccount, now: datetime) -> Account:
    async with db.transaction(WRITER) as conn:
        return await service.create_account(conn, new, now)


async def read(db: Database, account_id: UUID) -> Account:
    async with db.transaction(account_scope(account_id)) as conn:
        return await service.get_account(conn, account_id)


async def change(db: Database, account_id: UUID, **fields: object) -> Account:
    async with db.transaction(account_scope(account_id)) as conn:
        wanted = AccountChange(**fields)  # type: ignore[arg-type]  # a test names fields freely
        return await service.update_account(conn, account_id, wanted)


async def test_an_account_is_read_back_as_it_was_made(db: Database, now: datetime) -> None:
    made = await create(db, WHOLE, now)
    assert (made.currency, made.country, made.autopay) == ("JPY", "JP", False)
    assert await read(db, made.account_id) == made


async def test_a_bad_account_is_not_made(db: Database, now: datetime) -> None:
    bad = NewAccount(name="", email="x", currency="XXX", country="DE")
    with pytest.raises(BadInput) as caught:
        await create(db, bad, now)
    assert [error.field for error in caught.value.errors] == ["name", "email", "currency"]
    async with db.transaction(STAFF) as conn:
        assert (await service.list_accounts(conn, PageRequest())).total == 0


async def test_an_external_id_names_one_account(db: Database, now: datetime) -> None:
    await create(db, WHOLE, now)
    with pytest.raises(Conflict) as caught:
        await create(db, WHOLE, now)
    assert caught.value.code == "external_id_taken"


async def test_another_accounts_scope_does_not_find_it(
    db: Database, make_account: MakeAccount
) -> None:
    ours, theirs = await make_account("ours"), await make_account("theirs")
    async with db.transaction(account_scope(ours.account_id)) as conn:
        assert await service.get_account(conn, ours.account_id) == ours
        for account_id in (theirs.account_id, uuid4()):
            with pytest.raises(NotFound) as caught:
                await service.get_account(conn, account_id)
            assert caught.value.code == "account_not_found"
        assert await service.find_by_subjects(conn, ["ours", "theirs"]) == {"ours": ours}


async def test_a_change_keeps_what_was_not_named(db: Database, now: datetime) -> None:
    made = await create(db, WHOLE, now)
    changed = await change(db, made.account_id, name="New", tax_name=None, tax_percent=None)
    assert (changed.name, changed.tax_name, changed.tax_percent) == ("New", None, None)
    assert (changed.email, changed.address, changed.currency) == (
        made.email, made.address, "JPY")  # fmt: skip
    assert await read(db, made.account_id) == changed


async def test_a_change_is_checked_as_a_whole(db: Database, now: datetime) -> None:
    made = await create(db, WHOLE, now)
    with pytest.raises(BadInput) as caught:
        await change(db, made.account_id, tax_name=None, payment_due_days=999)
    assert [e.field for e in caught.value.errors] == ["tax_percent", "payment_due_days"]
    assert await read(db, made.account_id) == made


async def test_a_change_may_not_take_anothers_external_id(
    db: Database, make_account: MakeAccount
) -> None:
    first, second = await make_account("first"), await make_account("second")
    async with db.transaction(WRITER) as conn:
        with pytest.raises(Conflict):
            await service.update_account(
                conn, second.account_id, AccountChange(external_id="first")
            )
        kept = await service.update_account(
            conn, first.account_id, AccountChange(external_id="first", name="Again")
        )
    assert (kept.external_id, kept.name) == ("first", "Again")


async def test_a_change_of_nothing_known_is_not_found(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        for attempt in (
            service.update_account(conn, uuid4(), AccountChange(name="x")),
            service.set_autopay(conn, uuid4(), enabled=True),
            service.set_test_clock(conn, uuid4(), None),
        ):
            with pytest.raises(NotFound):
                await attempt


async def test_accounts_are_listed_newest_first_page_by_page(db: Database, now: datetime) -> None:
    for number in range(5):
        new = NewAccount(name=f"n{number}", email="n@x", currency="EUR", country="DE")
        await create(db, new, now + timedelta(seconds=number))
    names: list[str] = []
    request = page_request(1, 2, None)
    async with db.transaction(STAFF) as conn:
        while True:
            page = await service.list_accounts(conn, request)
            names += [account.name for account in page.items]
            assert (page.total, page.total_pages) == (5, 3)
            if page.next_cursor is None:
                break
            request = page_request(1, 2, page.next_cursor)
        second = await service.list_accounts(conn, page_request(2, 2, None))
    assert names == ["n4", "n3", "n2", "n1", "n0"]
    assert [account.name for account in second.items] == ["n2", "n1"]


@pytest.mark.parametrize(("search", "found"), [
    ("ACME", ["acme"]), ("globex@EX", ["globex"]), ("acme@example.com", ["acme"]),
    ("%", []), ("_", []), ("ac\x00me", ["acme"]), ("", ["acme", "globex"]), ("zzz", []),
])  # fmt: skip
async def test_accounts_are_found_by_a_part_of_their_name(
    db: Database, make_account: MakeAccount, search: str, found: list[str]
) -> None:
    await make_account("acme")
    await make_account("globex")
    async with db.transaction(STAFF) as conn:
        page = await service.list_accounts(conn, PageRequest(), search)
    assert sorted(account.name for account in page.items) == found
    assert page.total == len(found)


async def test_subjects_are_external_ids_or_our_own(
    db: Database, make_account: MakeAccount
) -> None:
    acme, globex = await make_account("acme"), await make_account("globex")
    named = show("account", globex.account_id)
    asked = ["acme", named, "acme", "unknown", "acct_x", show("account", uuid4()), "a\x00b", ""]
    async with db.transaction(WRITER) as conn:
        assert await service.find_by_subjects(conn, asked) == {"acme": acme, named: globex}
        assert await service.find_by_subjects(conn, []) == {}


async def test_autopay_is_switched(db: Database, make_account: MakeAccount) -> None:
    account = await make_account()
    async with db.transaction(account_scope(account.account_id)) as conn:
        assert (await service.set_autopay(conn, account.account_id, enabled=True)).autopay
        assert not (await service.set_autopay(conn, account.account_id, enabled=False)).autopay


async def test_an_account_sits_on_a_clock_that_exists(
    db: Database, make_account: MakeAccount, now: datetime
) -> None:
    account, clock_id = await make_account(), new_id()
    async with db.transaction(WRITER) as conn:
        await test_clocks.create(conn, clock_id, "clock", now, now)
        on = await service.set_test_clock(conn, account.account_id, clock_id)
        off = await service.set_test_clock(conn, account.account_id, None)
        with pytest.raises(NotFound):
            await service.set_test_clock(conn, account.account_id, uuid4())
        unknown = NewAccount(
            name="x", email="x@y", currency="EUR", country="DE", test_clock_id=uuid4()
        )
        with pytest.raises(NotFound):
            await service.create_account(conn, unknown, now)
    assert (on.test_clock_id, off.test_clock_id) == (clock_id, None)


async def test_a_member_added_again_takes_the_new_role(
    db: Database, make_account: MakeAccount, make_user: MakeUser, now: datetime
) -> None:
    account = await make_account()
    user = await make_user("ann", (account, "member"))
    async with db.transaction(WRITER) as conn:
        await service.add_member(conn, account.account_id, user.user_id, "owner", now)
        [member] = await service.list_members(conn, account.account_id)
        assert (member.email, member.role) == ("ann@example.com", "owner")
        await service.remove_member(conn, account.account_id, user.user_id)
        assert await service.list_members(conn, account.account_id) == []
        with pytest.raises(NotFound):
            await service.remove_member(conn, account.account_id, user.user_id)
        with pytest.raises(NotFound):
            await service.add_member(conn, uuid4(), user.user_id, "owner", now)
