"""For staff: accounts and their people."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import get, patch, post
from msgspec import UNSET, UnsetType

from tallystick.accounts import service, users
from tallystick.accounts.checks import check_name
from tallystick.accounts.model import Account, AccountChange, NewAccount, NewUser, Role
from tallystick.api import fields
from tallystick.api import invoice_fields as own
from tallystick.api.answers import Pagination, pagination
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.documents.document import CustomField
from tallystick.issuers import service as issuers
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput
from tallystick.kernel.paging import PageRequest

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: accounts"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
_PERCENT: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,12})?")


class AccountAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is billed."""

    id: str
    external_id: str | None
    name: str
    email: str
    currency: str
    country: str
    timezone: str
    locale: str
    address: list[str]
    region: str | None
    city: str | None
    postal_code: str | None
    tax_number: str | None
    tax_name: str | None
    tax_percent: str | None
    payment_due_days: int | None
    grace_hours: int | None
    minimum_amount_cents: int | None
    issuer: str | None
    purchase_order: str | None
    memo: str | None
    custom_fields: list[CustomField]
    autopay: bool
    test_clock: str | None
    created: datetime


class AccountList(msgspec.Struct, frozen=True):
    """One part of all accounts, newest first."""

    accounts: list[AccountAnswer]
    pagination: Pagination
    total: int


class AccountBody(Body, frozen=True, kw_only=True):
    """An account to be made; its currency never changes.

    What is left out or null is as the issuer says: the locale, `payment_due_days`, `grace_hours`,
    `minimum_amount_cents` (in its currency).
    """

    name: fields.Line
    email: fields.Email
    currency: fields.Currency
    country: fields.Country
    timezone: fields.TimeZone = "UTC"
    locale: fields.Locale | UnsetType = UNSET
    external_id: fields.ExternalId | None = None
    address: fields.Address = ()
    region: fields.Region | None = None
    city: fields.Line | None = None
    postal_code: fields.PostalCode | None = None
    tax_number: fields.Line | None = None
    tax_name: fields.Line | UnsetType = UNSET
    tax_percent: fields.Percent | UnsetType = UNSET
    payment_due_days: fields.DueDays | None = None
    grace_hours: own.GraceHours | None = None
    minimum_amount_cents: own.MinimumAmount | None = None
    issuer: own.IssuerId | None = None
    purchase_order: own.PurchaseOrder | None = None
    memo: own.Memo | None = None
    custom_fields: own.CustomFields = ()
    test_clock: fields.ClockId | None = None


class AccountChangeBody(Body, frozen=True, kw_only=True):
    """What to change; a field that is left out stays, null takes one away."""

    name: fields.Line | UnsetType = UNSET
    email: fields.Email | UnsetType = UNSET
    timezone: fields.TimeZone | UnsetType = UNSET
    country: fields.Country | UnsetType = UNSET
    locale: fields.Locale | UnsetType = UNSET
    external_id: fields.ExternalId | UnsetType | None = UNSET
    address: fields.Address | UnsetType = UNSET
    region: fields.Region | UnsetType | None = UNSET
    city: fields.Line | UnsetType | None = UNSET
    postal_code: fields.PostalCode | UnsetType | None = UNSET
    tax_number: fields.Line | UnsetType | None = UNSET
    tax_name: fields.Line | UnsetType | None = UNSET
    tax_percent: fields.Percent | UnsetType | None = UNSET
    payment_due_days: fields.DueDays | UnsetType | None = UNSET
    grace_hours: own.GraceHours | UnsetType | None = UNSET
    minimum_amount_cents: own.MinimumAmount | UnsetType | None = UNSET
    issuer: own.IssuerId | UnsetType | None = UNSET
    purchase_order: own.PurchaseOrder | UnsetType | None = UNSET
    memo: own.Memo | UnsetType | None = UNSET
    custom_fields: own.CustomFields | UnsetType = UNSET


class NewMember(Body, frozen=True, kw_only=True):
    """A person to let into the account; one with that e-mail is taken, else made."""

    email: fields.Email
    name: fields.Line
    role: Role = "member"
    password: fields.Password | None = None


class MemberAnswer(msgspec.Struct, frozen=True):
    """A person of the account."""

    id: str
    email: str
    name: str
    role: Role


@get(f"{BASE}/accounts", opt=READ, tags=TAGS, summary="Accounts")
async def list_accounts(services: Services, paging: PageRequest, search: str = "") -> AccountList:
    """List accounts; `search` is a part of a name or an e-mail, or an external id."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_accounts(conn, paging, search)
    answers = [account_answer(account) for account in found.items]
    return AccountList(answers, pagination(found), found.total)


@post(f"{BASE}/accounts", opt=ADMIN, tags=TAGS, summary="Make an account")
async def create_account(data: AccountBody, services: Services) -> AccountAnswer:
    """Make an account; its currency never changes."""
    told = _read({k: v for k, v in msgspec.structs.asdict(data).items() if v is not UNSET})
    clock = told.pop("test_clock")
    now = services.clock()
    async with services.db.transaction(WRITER) as conn:
        issuer = await issuers.named(conn, told.get("issuer_id"), services.seller, now)
        new = NewAccount(
            **{"locale": issuer.locale, **told},
            test_clock_id=ids.parse("test_clock", clock) if clock else None,
        )
        return account_answer(await service.create_account(conn, new, now))


@get(f"{BASE}/accounts/{{account_id:str}}", opt=READ, tags=TAGS, summary="An account")
async def read_account(account_id: str, services: Services) -> AccountAnswer:
    """Return one account."""
    async with services.db.transaction(STAFF) as conn:
        return account_answer(await service.get_account(conn, ids.parse("account", account_id)))


@patch(f"{BASE}/accounts/{{account_id:str}}", opt=ADMIN, tags=TAGS, summary="Change an account")
async def change_account(
    account_id: str, data: AccountChangeBody, services: Services
) -> AccountAnswer:
    """Change what is named; the rest stays."""
    wanted = ids.parse("account", account_id)
    change = AccountChange(**_read(msgspec.structs.asdict(data)))
    async with services.db.transaction(WRITER) as conn:
        if isinstance(change.issuer_id, UUID):
            await issuers.named(conn, change.issuer_id, services.seller, services.clock())
        return account_answer(await service.update_account(conn, wanted, change))


@post(f"{BASE}/accounts/{{account_id:str}}/members", opt=ADMIN, tags=TAGS, summary="Add a person")
async def add_member(account_id: str, data: NewMember, services: Services) -> MemberAnswer:
    """Let a person into the account, as member or owner."""
    wanted = ids.parse("account", account_id)
    check_name(data.name)
    password_hash = await services.passwords.hash(data.password) if data.password else None
    new = NewUser(email=data.email, name=data.name, password_hash=password_hash)
    async with services.db.transaction(WRITER) as conn:
        user = await users.find_user_by_email(conn, data.email)
        if user is None:
            user = await users.create_user(conn, new, services.clock())
        await service.add_member(conn, wanted, user.user_id, data.role, services.clock())
    return MemberAnswer(ids.show("user", user.user_id), user.email, user.name, data.role)


def account_answer(account: Account) -> AccountAnswer:
    """Show an account."""
    return AccountAnswer(
        id=ids.show("account", account.account_id),
        external_id=account.external_id,
        name=account.name,
        email=account.email,
        currency=account.currency.lower(),
        country=account.country,
        timezone=account.timezone,
        locale=account.locale,
        address=list(account.address),
        region=account.region,
        city=account.city,
        postal_code=account.postal_code,
        tax_number=account.tax_number,
        tax_name=account.tax_name,
        tax_percent=None if account.tax_percent is None else str(account.tax_percent),
        payment_due_days=account.payment_due_days,
        grace_hours=account.grace_hours,
        minimum_amount_cents=account.minimum_amount_minor,
        issuer=ids.show("issuer", account.issuer_id) if account.issuer_id else None,
        purchase_order=account.purchase_order,
        memo=account.memo,
        custom_fields=list(account.custom_fields),
        autopay=account.autopay,
        test_clock=ids.show("test_clock", account.test_clock_id) if account.test_clock_id else None,
        created=account.created_at,
    )


def _read(told: dict[str, Any]) -> dict[str, Any]:
    """Return the fields as an account has them: the issuer by its id, the rate as a number."""
    rest = {name: value for name, value in told.items() if name != "issuer"}
    if "issuer" in told:
        named = told["issuer"]
        rest["issuer_id"] = ids.parse("issuer", named) if isinstance(named, str) else named
    if told.get("custom_fields", UNSET) is not UNSET:
        rest["custom_fields"] = own.custom_fields(told["custom_fields"])
    if "minimum_amount_cents" in rest:
        rest["minimum_amount_minor"] = rest.pop("minimum_amount_cents")
    return _with_percent(rest)


def _with_percent(told: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with the tax's rate read from its decimal string."""
    text = told.get("tax_percent")
    if not isinstance(text, str):
        return told
    if not _PERCENT.fullmatch(text):
        raise BadInput.field("tax_percent", "invalid_tax", 'must be a string such as "19" or "8.5"')
    return {**told, "tax_percent": Decimal(text)}


ROUTES: Final = (list_accounts, create_account, read_account, change_account, add_member)
