"""What the account owes and holds, and every entry of the books that made it so."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post

from tallystick.accounts.model import Account, Principal
from tallystick.api import fields
from tallystick.api.answers import JsonResponse, Pagination, major, pagination
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.invoices import service as invoices
from tallystick.invoices.entries import issued_key
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, Connection, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.idempotency import KEY_LENGTH_MAX
from tallystick.kernel.paging import PageRequest
from tallystick.ledger import service
from tallystick.ledger.model import (
    CARRIES_BALANCE,
    CREDIT,
    CREDIT_SCALE,
    CUSTOMER_CREDIT,
    PREPAID,
    RECEIVABLE,
    REVENUE,
    Entry,
    Posted,
    PostedEntry,
    Posting,
)
from tallystick.ledger.posting import AMOUNT_MAX
from tallystick.money.amount import Money
from tallystick.money.currency import currency as known_currency
from tallystick.payments import service as payments
from tallystick.taxes import service as taxes

TAGS: Final = ["Balance"]
READ: Final = {"permission": "billing:read"}
# The key goes into the entry itself, which is committed together with others': a transaction of
# the request around it would only hold a connection.
CHARGE: Final = {"permission": "billing:write", "own_key": True}
CHARGE_MAX: Final = 10**15
_REPLAYED: Final = {"Idempotent-Replayed": "true"}
_CAUSES: Final = {prefix: kind for kind, prefix in ids.PREFIXES.items()}
_OF_OPERATIONS: Final = frozenset({"credit_usage", "credit_adjustment", "credit_transfer"})
_CREDIT_PLACES: Final = Decimal(1) / CREDIT_SCALE


class CurrencyBalance(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in one currency; amounts in other currencies are never converted into it.

    - `owed_settled`: everything charged that is final: issued invoices and charges, less what was
      reversed, or credited before it was paid.
    - `owed_pending`: what is on draft invoices, and owed once they are issued.
    - `payments_settled`: money received or taken from prepaid, less what a bank took back. What is
      credited after it was paid, refunds too, changes neither of the two: both were settled.
    - `payments_pending`: payments under way, not received yet.
    - `due_settled`: `owed_settled` - `payments_settled`: to be paid now; negative: overpaid.
    - `due_if_all_settles`: `due_settled` + `owed_pending` - `payments_pending`.
    - `credit_balance`: prepaid money that is not used yet.
    """

    currency: str
    owed_settled: Decimal
    owed_settled_cents: int
    owed_pending: Decimal
    owed_pending_cents: int
    payments_settled: Decimal
    payments_settled_cents: int
    payments_pending: Decimal
    payments_pending_cents: int
    due_settled: Decimal
    due_settled_cents: int
    due_if_all_settles: Decimal
    due_if_all_settles_cents: int
    credit_balance: Decimal
    credit_balance_cents: int


class BalanceAnswer(CurrencyBalance, frozen=True, kw_only=True):
    """The balance in the account's currency, and in `balances` that of every currency it used."""

    balances: list[CurrencyBalance]


class PostingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One movement on a ledger account of the customer's.

    `receivable`: positive, more is owed; `prepaid` and `credits`: positive, the customer holds
    more. `balance` is what stands there behind it. The unit is a currency, or `credit`: then
    there are no `_cents`. `sequence` numbers the movements of this ledger account in this unit
    from 1, without a gap.
    """

    ledger_account: str
    unit: str
    sequence: int
    amount: Decimal
    amount_cents: int | None
    balance: Decimal
    balance_cents: int | None


class EntryAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: when, why, what caused it, and what it moved.

    `cause` says what that was: `invoice`, `payment`, `credit_grant`, `credit_purchase`,
    `subscription`, `account` (a transfer from or to it), `ledger_entry` (which it reverses, or
    gives back); `operation`, whose name is the reference then; `other`. `reference` is its public
    id, `invoice_number` an invoice's number.
    """

    id: str
    kind: str
    description: str
    cause: str
    reference: str
    invoice_number: str | None
    at: datetime
    created: datetime
    postings: list[PostingAnswer]


class EntryList(msgspec.Struct, frozen=True):
    """One part of the account's entries, newest first."""

    entries: list[EntryAnswer]
    pagination: Pagination
    total: int


class Charge(Body, frozen=True, kw_only=True):
    """A charge without an invoice, for trying things out."""

    amount_cents: int
    description: fields.Line
    currency: fields.Currency | None = None


@get("/balance", opt=READ, tags=TAGS, summary="What is owed and held")
async def read_balance(services: Services, account: Account) -> BalanceAnswer:
    """Return the balance, by currency."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await _balances(conn, account)
    first = msgspec.structs.asdict(found[0])
    return BalanceAnswer(**first, balances=found)


@get("/ledger", opt=READ, tags=TAGS, summary="The account's entries")
async def list_ledger(services: Services, account: Account, paging: PageRequest) -> EntryList:
    """List the entries of the books, newest first, each with the balances behind it."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.list_entries(conn, account.account_id, paging)
        numbers = await _numbers(conn, account.account_id, found.items)
    answers = [_entry_answer(entry, numbers) for entry in found.items]
    return EntryList(answers, pagination(found), found.total)


@post(
    "/_dev/add-charge",
    opt={"permission": "billing:write"},
    tags=TAGS,
    summary="Add a charge (development only)",
)
async def add_charge(
    data: Charge, services: Services, account: Account, principal: Principal
) -> EntryAnswer:
    """Issue an invoice over one synthetic line, taxes included; its entry is the answer.

    It is paid as any other invoice is. Only with `TALLYSTICK_DEV`; otherwise 404.
    """
    _need_dev(services)
    _need_amount(data, CHARGE_MAX)
    at = principal.now(services.clock())
    currency = known_currency((data.currency or account.currency).upper()).code
    async with services.db.transaction(WRITER) as conn:
        draft = one_off_draft(
            account,
            "one_off",
            Money(data.amount_cents, currency),
            description=data.description,
            code="dev_charge",
            at=at,
            terms=(await taxes.read_terms(conn, [account]))[account.account_id],
        )
        made = await issue_one_off(conn, account, draft, seller=services.seller, at=at)
        found = await service.find_entry(conn, account.account_id, issued_key(made.invoice_id))
    assert found is not None  # noqa: S101 - it is posted as it is issued
    return _entry_answer(found, {ids.show("invoice", made.invoice_id): made.number or ""})


@post("/_dev/add-entry", opt=CHARGE, tags=TAGS, summary="Add an entry (development only)")
async def add_entry(
    data: Charge,
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    principal: Principal,
) -> Response[EntryAnswer]:
    """Let the account owe this much more by the books alone, without an invoice: for load tests.

    No payment is made of it. Only with `TALLYSTICK_DEV`; otherwise 404.
    """
    _need_dev(services)
    key = request.headers.get("idempotency-key") or str(ids.new_id())
    entry = _charge(data, account, key, principal.now(services.clock()))
    try:
        is_new = await services.ledger.post(account.account_id, entry)
    except Conflict as error:
        raise _key_conflict() from error
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.find_entry(conn, account.account_id, entry.idempotency_key)
    assert found is not None  # noqa: S101 - it is committed
    if found.reason != entry.reason:
        raise _key_conflict()
    return JsonResponse(_entry_answer(found, {}), headers=None if is_new else _REPLAYED)


def _need_dev(services: Services) -> None:
    if not services.settings.dev:
        raise NotFound("route_not_found", "There is nothing at this address.")


def _need_amount(data: Charge, maximum: int) -> None:
    if not 0 < data.amount_cents <= maximum:
        raise BadInput.field("amount_cents", "out_of_range", f"must be from 1 to {maximum}")


def _charge(data: Charge, account: Account, key: str, at: datetime) -> Entry:
    """Return the entry of a charge; raises BadInput."""
    _need_amount(data, AMOUNT_MAX)
    if len(key) > KEY_LENGTH_MAX:
        message = f"must be 1 to {KEY_LENGTH_MAX} visible ASCII characters"
        raise BadInput.field("Idempotency-Key", "invalid", message)
    currency = known_currency((data.currency or account.currency).upper()).code
    return Entry(
        idempotency_key=f"dev_charge:{key}",
        kind="dev_charge",
        reference="dev",
        reason=data.description,
        at=at,
        postings=(
            Posting(RECEIVABLE, currency, data.amount_cents),
            Posting(REVENUE, currency, -data.amount_cents),
        ),
    )


def _key_conflict() -> Conflict:
    return Conflict("idempotency_conflict", "This Idempotency-Key came with another request.")


async def _balances(conn: Connection, account: Account) -> list[CurrencyBalance]:
    """Return one for each currency, the account's own first."""
    sums = await service.receivable_sums(conn, account.account_id)
    owed, paid = {one.unit: one.owed for one in sums}, {one.unit: one.paid for one in sums}
    kept = await service.list_balances(conn, account.account_id)
    prepaid: Counter[str] = Counter()
    for one in kept:
        if one.ledger_account in {PREPAID, CUSTOMER_CREDIT}:
            prepaid[one.unit] -= one.amount
    drafts = await invoices.draft_sums(conn, account.account_id)
    pending = await payments.pending_sums(conn, account.account_id)
    others = sorted({*owed, *prepaid, *drafts, *pending} - {account.currency})
    return [
        _currency_balance(
            currency,
            owed=(owed.get(currency, 0), drafts.get(currency, 0)),
            paid=(paid.get(currency, 0), pending.get(currency, 0)),
            prepaid=prepaid.get(currency, 0),
        )
        for currency in (account.currency, *others)
    ]


def _currency_balance(
    currency: str, *, owed: tuple[int, int], paid: tuple[int, int], prepaid: int
) -> CurrencyBalance:
    """Show what stands in a currency; of `owed` and `paid` the first part is settled."""
    due = owed[0] - paid[0]
    amounts = {
        "owed_settled": owed[0],
        "owed_pending": owed[1],
        "payments_settled": paid[0],
        "payments_pending": paid[1],
        "due_settled": due,
        "due_if_all_settles": due + owed[1] - paid[1],
        "credit_balance": prepaid,
    }
    shown: dict[str, Any] = {name: major(minor, currency) for name, minor in amounts.items()}
    shown |= {f"{name}_cents": minor for name, minor in amounts.items()}
    return CurrencyBalance(currency=currency.lower(), **shown)


async def _numbers(
    conn: Connection, account_id: UUID, entries: Iterable[PostedEntry]
) -> Mapping[str, str]:
    """Return the invoices' numbers by the references that name invoices."""
    prefix = ids.PREFIXES["invoice"] + "_"
    named = {one.reference for one in entries if one.reference.startswith(prefix)}
    found = await invoices.invoice_numbers(
        conn, account_id, [ids.parse("invoice", reference) for reference in named]
    )
    return {ids.show("invoice", invoice_id): number for invoice_id, number in found.items()}


def _entry_answer(entry: PostedEntry, numbers: Mapping[str, str]) -> EntryAnswer:
    own = [posting for posting in entry.postings if posting.ledger_account in CARRIES_BALANCE]
    return EntryAnswer(
        id=ids.show("ledger_entry", entry.ledger_entry_id),
        kind=entry.kind,
        description=entry.reason,
        cause=cause(entry),
        reference=entry.reference,
        invoice_number=numbers.get(entry.reference),
        at=entry.at,
        created=entry.recorded_at,
        postings=[_posting_answer(posting) for posting in own],
    )


def cause(entry: PostedEntry) -> str:
    """Return what kind of thing the entry's reference names."""
    if entry.kind in _OF_OPERATIONS:
        return "operation"
    prefix, _, letters = entry.reference.partition("_")
    return _CAUSES.get(prefix, "other") if letters else "other"


def _posting_answer(posting: Posted) -> PostingAnswer:
    """Show a movement as its customer sees it: what they hold is a credit in our books."""
    sign = 1 if posting.ledger_account == RECEIVABLE else -1
    amount, balance = sign * posting.amount, sign * (posting.balance_after or 0)
    is_money = posting.unit != CREDIT
    return PostingAnswer(
        ledger_account=posting.ledger_account,
        unit=posting.unit.lower(),
        sequence=posting.sequence or 0,
        amount=_shown(amount, posting.unit),
        amount_cents=amount if is_money else None,
        balance=_shown(balance, posting.unit),
        balance_cents=balance if is_money else None,
    )


def _shown(amount: int, unit: str) -> Decimal:
    return amount * _CREDIT_PLACES if unit == CREDIT else major(amount, unit)


ACCOUNT_ROUTES: Final = (read_balance, list_ledger, add_charge, add_entry)
