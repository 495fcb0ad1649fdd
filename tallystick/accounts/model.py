"""Accounts, people, keys, and who asks, as values."""

from datetime import datetime
from decimal import Decimal
from typing import Literal, get_args
from uuid import UUID

import msgspec

from tallystick.documents.document import CustomField
from tallystick.kernel.db import Actor
from tallystick.kernel.ids import show

Role = Literal["member", "owner"]
"""What a user is to an account."""

StaffRole = Literal["support", "finance", "admin"]
"""What a user is to the business."""

KeyScope = Literal["usage:write", "billing:read", "billing:write", "credits:write", "admin"]
"""What an API key may do."""

KEY_SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)

Method = Literal["bearer_key", "jwt", "session", "session_pair", "cookie_jwt"]
"""How a caller was recognised."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Who is billed: the tenant of every row. `currency` and `country` are upper case (ISO).

    `address` is what is printed, line by line; `city`, `postal_code` and `region` say the same in
    parts for e-invoices and taxes. `region` is the part of the country in the code of ISO 3166-2
    without the country ("QC" of CA-QC). `purchase_order`, `memo` and `custom_fields` stand on its
    invoices; `payment_due_days`, `grace_hours` and `issuer_id` are None where the issuer's, or the
    default issuer, hold. `minimum_amount_minor` is the least that an invoice in its currency asks
    for, None: what the issuer says.
    """

    account_id: UUID
    name: str
    email: str
    currency: str
    timezone: str
    country: str
    locale: str
    created_at: datetime
    external_id: str | None = None
    address: tuple[str, ...] = ()
    region: str | None = None
    city: str | None = None
    postal_code: str | None = None
    tax_number: str | None = None
    tax_name: str | None = None
    tax_percent: Decimal | None = None
    payment_due_days: int | None = None
    autopay: bool = False
    payment_fallback: bool = False
    test_clock_id: UUID | None = None
    issuer_id: UUID | None = None
    purchase_order: str | None = None
    memo: str | None = None
    custom_fields: tuple[CustomField, ...] = ()
    grace_hours: int | None = None
    minimum_amount_minor: int | None = None


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to be made; `external_id` is the caller's own name for it."""

    name: str
    email: str
    currency: str
    country: str
    timezone: str = "UTC"
    locale: str = "en-US"
    external_id: str | None = None
    address: tuple[str, ...] = ()
    region: str | None = None
    city: str | None = None
    postal_code: str | None = None
    tax_number: str | None = None
    tax_name: str | None = None
    tax_percent: Decimal | None = None
    payment_due_days: int | None = None
    test_clock_id: UUID | None = None
    issuer_id: UUID | None = None
    purchase_order: str | None = None
    memo: str | None = None
    custom_fields: tuple[CustomField, ...] = ()
    grace_hours: int | None = None
    minimum_amount_minor: int | None = None


class AccountChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; a field that is left out stays. The currency of an account never changes."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    email: str | msgspec.UnsetType = msgspec.UNSET
    timezone: str | msgspec.UnsetType = msgspec.UNSET
    country: str | msgspec.UnsetType = msgspec.UNSET
    locale: str | msgspec.UnsetType = msgspec.UNSET
    external_id: str | msgspec.UnsetType | None = msgspec.UNSET
    address: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    region: str | msgspec.UnsetType | None = msgspec.UNSET
    city: str | msgspec.UnsetType | None = msgspec.UNSET
    postal_code: str | msgspec.UnsetType | None = msgspec.UNSET
    tax_number: str | msgspec.UnsetType | None = msgspec.UNSET
    tax_name: str | msgspec.UnsetType | None = msgspec.UNSET
    tax_percent: Decimal | msgspec.UnsetType | None = msgspec.UNSET
    payment_due_days: int | msgspec.UnsetType | None = msgspec.UNSET
    issuer_id: UUID | msgspec.UnsetType | None = msgspec.UNSET
    purchase_order: str | msgspec.UnsetType | None = msgspec.UNSET
    memo: str | msgspec.UnsetType | None = msgspec.UNSET
    custom_fields: tuple[CustomField, ...] | msgspec.UnsetType = msgspec.UNSET
    grace_hours: int | msgspec.UnsetType | None = msgspec.UNSET
    minimum_amount_minor: int | msgspec.UnsetType | None = msgspec.UNSET


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A person; with a `staff_role` one of the business. `email` is lower case."""

    user_id: UUID
    email: str
    name: str
    created_at: datetime
    external_id: str | None = None
    staff_role: StaffRole | None = None
    disabled_at: datetime | None = None


class NewUser(msgspec.Struct, frozen=True, kw_only=True):
    """A person to be made; without a password hash they come in by JWT only."""

    email: str
    name: str
    external_id: str | None = None
    staff_role: StaffRole | None = None
    password_hash: str | None = None


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A person of one account."""

    user_id: UUID
    email: str
    name: str
    role: Role
    created_at: datetime


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sign-in, valid in `[created_at, expires_at)` until it is ended."""

    user_id: UUID
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's key without its secret; `account_id` None: of the business, for any account."""

    api_key_id: UUID
    account_id: UUID | None
    name: str
    last_four: str
    scopes: tuple[KeyScope, ...]
    created_at: datetime
    revoked_at: datetime | None = None


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a request shows: headers `Authorization`, `X-SESSION-ID`, `X-Account-Id`; cookies.

    `account` is a TypeID (`acct_...`) or an external id.
    """

    authorization: str | None = None
    session_id: str | None = None
    session_cookie: str | None = None
    jwt_cookie: str | None = None
    account: str | None = None


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and about which account.

    `role` is what the user is to `account`; None for staff who are no members of it. `clock_at`
    is the present of the account's test clock, when it sits on one. `csrf_secret` is the cookie
    that authenticated the request (None when it was no cookie).
    """

    kind: Literal["user", "service"]
    method: Method
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    account: Account | None = None
    clock_at: datetime | None = None
    role: Role | None = None
    staff_role: StaffRole | None = None
    scopes: frozenset[KeyScope] = frozenset()
    csrf_secret: str | None = None

    @property
    def caller(self) -> str:
        """A stable name of who asks: `usr_...` or `key_...`."""
        if self.user_id is not None:
            return show("user", self.user_id)
        assert self.api_key_id is not None  # noqa: S101 - a principal is a user or a key
        return show("api_key", self.api_key_id)

    def actor(self, request_id: str = "", reason: str = "") -> Actor:
        """Return who acts, as the audit writes it down."""
        kind = "user" if self.kind == "user" else "api_key"
        return Actor(kind, self.caller, request_id, reason)

    def now(self, wall: datetime) -> datetime:
        """Return the present as the account lives it: its test clock's, or `wall`."""
        return self.clock_at or wall
