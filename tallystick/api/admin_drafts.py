"""For staff: invoices that people write, as drafts or final at once."""

from typing import Annotated, Any, Final

import msgspec
from litestar import delete, patch, post
from msgspec import UNSET, Meta, UnsetType

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.api import fields
from tallystick.api import invoice_fields as own
from tallystick.api.invoices import InvoiceAnswer, invoice_answer
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.invoices import drafts, service
from tallystick.invoices.draft_lines import LINES_MAX, NewLine
from tallystick.invoices.terms import Terms
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import WRITER
from tallystick.money.amount import Money
from tallystick.money.exact import canonical

BASE: Final = "/api/v1/admin/accounts/{account_id:str}/invoices"
ONE: Final = f"{BASE}/{{invoice_id:str}}"
TAGS: Final = ["Admin: invoices"]
FINANCE: Final = {"permission": "staff:finance"}
TaxCode = Annotated[str, Meta(extra_json_schema={"pattern": "^[a-z][a-z0-9_-]{0,62}$"})]


class LineBody(Body, frozen=True, kw_only=True):
    """`quantity` at `unit_price` each (decimal strings, major units), or one `amount_cents`.

    The period is half-open; both of its ends or none.
    """

    description: fields.Line
    quantity: fields.Quantity = "1"
    unit_price: fields.Amount | None = None
    amount_cents: fields.Minor | None = None
    tax_code: TaxCode | None = None
    period_start: fields.Instant | None = None
    period_end: fields.Instant | None = None


Lines = Annotated[
    tuple[LineBody, ...], Meta(extra_json_schema={"minItems": 1, "maxItems": LINES_MAX})
]


class InvoiceBody(Body, frozen=True, kw_only=True):
    """An invoice in the account's currency. What is left out is as the account says.

    `finalize`: it is final at once; else a draft, which becomes final at `finalize_at`, after the
    grace period, or when somebody says so.
    """

    lines: Lines
    finalize: bool = False
    finalize_at: fields.Instant | None = None
    purchase_order: own.PurchaseOrder | None = None
    memo: own.Memo | None = None
    custom_fields: own.CustomFields | None = None
    locale: fields.Locale | None = None
    payment_due_days: fields.DueDays | None = None


class LinesBody(Body, frozen=True, kw_only=True):
    """Lines to be added."""

    lines: Lines


class DraftChange(Body, frozen=True, kw_only=True):
    """What a draft is to say; null: as the account says."""

    purchase_order: own.PurchaseOrder | UnsetType | None = UNSET
    memo: own.Memo | UnsetType | None = UNSET
    custom_fields: own.CustomFields | UnsetType | None = UNSET
    locale: fields.Locale | UnsetType | None = UNSET
    payment_due_days: fields.DueDays | UnsetType | None = UNSET


@post(BASE, opt=FINANCE, tags=TAGS, summary="Write an invoice")
async def create(account_id: str, data: InvoiceBody, services: Services) -> InvoiceAnswer:
    """Bill what no subscription does, as a draft or at once."""
    wanted = ids.parse("account", account_id)
    if data.finalize_at is not None:
        fields.check_instant("finalize_at", data.finalize_at)
    async with services.db.transaction(WRITER) as conn:
        account = await accounts.get_account(conn, wanted)
        made = await drafts.write_invoice(
            conn,
            account,
            _lines(data.lines, account),
            _terms(Terms(), msgspec.structs.asdict(data)),
            is_final=data.finalize,
            finalize_at=data.finalize_at,
            seller=services.seller,
            at=await account_now(conn, wanted, services.clock()),
        )
    return invoice_answer(made, services.settings.public_url)


@post(f"{ONE}/lines", opt=FINANCE, tags=TAGS, status_code=200, summary="Add lines to a draft")
async def add_lines(
    account_id: str, invoice_id: str, data: LinesBody, services: Services
) -> InvoiceAnswer:
    """Add lines to a draft; what is final never changes."""
    whose, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    async with services.db.transaction(WRITER) as conn:
        account = await accounts.get_account(conn, whose)
        now = await account_now(conn, whose, services.clock())
        lines = _lines(data.lines, account)
        after = await drafts.add_lines(conn, account, wanted, lines, now)
    return invoice_answer(after, services.settings.public_url)


@patch(ONE, opt=FINANCE, tags=TAGS, summary="Change a draft")
async def change(
    account_id: str, invoice_id: str, data: DraftChange, services: Services
) -> InvoiceAnswer:
    """Let a draft say something else; what is left out stays."""
    whose, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    async with services.db.transaction(WRITER) as conn:
        account = await accounts.get_account(conn, whose)
        now = await account_now(conn, whose, services.clock())
        was = await service.get_invoice(conn, whose, wanted)
        terms = _terms(was.terms, msgspec.structs.asdict(data))
        after = await drafts.change_terms(conn, account, wanted, terms, now)
    return invoice_answer(after, services.settings.public_url)


@post(f"{ONE}/finalize", opt=FINANCE, tags=TAGS, status_code=200, summary="Make a draft final")
async def finalize(account_id: str, invoice_id: str, services: Services) -> InvoiceAnswer:
    """Give a draft its number and its taxes of today; it never changes afterwards."""
    whose, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    async with services.db.transaction(WRITER) as conn:
        account = await accounts.get_account(conn, whose)
        now = await account_now(conn, whose, services.clock())
        after = await drafts.finalize(
            conn,
            account,
            wanted,
            seller=services.seller,
            at=now,
            late_window=services.corrections.window,
        )
    return invoice_answer(after, services.settings.public_url)


@delete(ONE, opt=FINANCE, tags=TAGS, status_code=204, summary="Throw a draft away")
async def discard(account_id: str, invoice_id: str, services: Services) -> None:
    """Throw a draft away; what is final is voided instead."""
    whose, wanted = ids.parse("account", account_id), ids.parse("invoice", invoice_id)
    async with services.db.transaction(WRITER) as conn:
        await drafts.discard(conn, whose, wanted)


def _lines(told: tuple[LineBody, ...], account: Account) -> tuple[NewLine, ...]:
    return tuple(_line(f"lines[{at}]", line, account.currency) for at, line in enumerate(told))


def _line(field: str, told: LineBody, currency: str) -> NewLine:
    price, cents = told.unit_price, told.amount_cents
    for name in ("period_start", "period_end"):
        if getattr(told, name) is not None:
            fields.check_instant(f"{field}.{name}", getattr(told, name))
    return NewLine(
        description=told.description,
        quantity=canonical(fields.decimal(f"{field}.quantity", told.quantity)),
        unit_price=None
        if price is None
        else canonical(fields.decimal(f"{field}.unit_price", price)),
        amount=None if cents is None else Money(cents, currency),
        tax_code=told.tax_code,
        period_start=told.period_start,
        period_end=told.period_end,
    )


def _terms(was: Terms, told: dict[str, Any]) -> Terms:
    """Return the terms with what was told of them."""
    asked = {
        name: told[name]
        for name in Terms.__struct_fields__
        if name in told and told[name] is not UNSET
    }
    if asked.get("custom_fields") is not None:
        asked["custom_fields"] = own.custom_fields(asked["custom_fields"])
    return msgspec.structs.replace(was, **asked)


ROUTES: Final = (create, add_lines, change, finalize, discard)
