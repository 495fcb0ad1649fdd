"""The account's grants, and how each change of its credits came about."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
from litestar import get

from tallystick.accounts.model import Account, Principal
from tallystick.api.admin_credit_costs import CostAnswer, cost_answer
from tallystick.api.answers import Pagination, pagination
from tallystick.api.credit_answers import (
    CreditUsageAnswer,
    TransactionAnswer,
    transaction_answer,
    usage_answer,
)
from tallystick.api.services import Services
from tallystick.credits import service
from tallystick.credits.amounts import to_credits
from tallystick.credits.burn import lapsed, usable
from tallystick.credits.explain import Part, explain, steps
from tallystick.credits.model import Grant
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.kernel.errors import NotFound
from tallystick.kernel.paging import PageRequest
from tallystick.ledger import service as ledger
from tallystick.ledger.model import CREDITS

TAGS: Final = ["Credits"]
READ: Final[dict[str, Any]] = {"permission": "billing:read"}


class GrantAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that were given; `usable` now is what is left of them, if they are effective.

    `status`: `scheduled` before `effective_at`, `active`, `spent`, or `expired`. From `cap_at` on
    no more than `cap` of it can be used: the rest does not roll over.
    """

    id: str
    source: str
    status: str
    credits: Decimal
    remaining: Decimal
    usable: Decimal
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    cap_at: datetime | None
    cap: Decimal | None
    reference: str
    reason: str
    created: datetime


class GrantList(msgspec.Struct, frozen=True):
    """What was given."""

    grants: list[GrantAnswer]
    total: int


class GrantPage(msgspec.Struct, frozen=True):
    """A part of the grants, newest first."""

    grants: list[GrantAnswer]
    pagination: Pagination
    total: int


class PartAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """So many credits of the change came from this grant, or went back to it."""

    grant: str
    source: str
    priority: int
    expires_at: datetime | None
    credits: Decimal


class CreditExplanationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a change of the credits came about; `steps` say it in sentences.

    `usage` is the line of the usage log, `cost` the version that priced it, `grant` what was
    given. `allocations` are in burn order; with `overdrawn` they sum to what was taken.
    """

    transaction: TransactionAnswer
    usage: CreditUsageAnswer | None
    cost: CostAnswer | None
    grant: GrantAnswer | None
    allocations: list[PartAnswer]
    overdrawn: Decimal
    steps: list[str]


@get("/credits/grants", opt=READ, tags=TAGS, summary="Grants")
async def list_grants(
    services: Services, account: Account, principal: Principal, paging: PageRequest
) -> GrantPage:
    """List what was given to the account, newest first, with what is left of each."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.list_grants(conn, account.account_id, paging)
    now = principal.now(services.clock())
    answers = [grant_answer(one, now) for one in found.items]
    return GrantPage(answers, pagination(found), found.total)


@get(
    "/credits/transactions/{transaction_id:str}",
    opt=READ,
    tags=TAGS,
    summary="How a change came about",
)
async def explain_transaction(
    transaction_id: str, services: Services, account: Account, principal: Principal
) -> CreditExplanationAnswer:
    """Explain a change of the credits: which grants it took from, in which order, at what cost."""
    wanted = ids.parse("ledger_entry", transaction_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        entry = await ledger.get_entry(conn, account.account_id, wanted)
        found = await explain(conn, account.account_id, wanted, entry.at)
    if not any(posting.ledger_account == CREDITS for posting in entry.postings):
        raise NotFound("ledger_entry_not_found", "There is no such change of credits.")
    now = principal.now(services.clock())
    return CreditExplanationAnswer(
        transaction=transaction_answer(entry),
        usage=usage_answer(found.debit) if found.debit else None,
        cost=cost_answer(found.cost) if found.cost else None,
        grant=grant_answer(found.granted, now) if found.granted else None,
        allocations=[_part(one) for one in found.parts],
        overdrawn=to_credits(found.overdrawn),
        steps=list(steps(found)),
    )


def grant_answer(one: Grant, now: datetime) -> GrantAnswer:
    """Show a grant as it is at `now`."""
    return GrantAnswer(
        id=ids.show("credit_grant", one.credit_grant_id),
        source=one.source,
        status=_status(one, now),
        credits=to_credits(one.amount),
        remaining=to_credits(one.remaining - lapsed(one, now)),
        usable=to_credits(usable(one, now)),
        priority=one.priority,
        effective_at=one.effective_at,
        expires_at=one.expires_at,
        cap_at=one.cap_at,
        cap=None if one.cap is None else to_credits(one.cap),
        reference=one.reference,
        reason=one.reason,
        created=one.created_at,
    )


def _status(one: Grant, now: datetime) -> str:
    if one.expires_at is not None and now >= one.expires_at:
        return "expired"
    if now < one.effective_at:
        return "scheduled" if one.remaining else "spent"
    return "active" if usable(one, now) else "spent"


def _part(one: Part) -> PartAnswer:
    return PartAnswer(
        grant=ids.show("credit_grant", one.grant.credit_grant_id),
        source=one.grant.source,
        priority=one.grant.priority,
        expires_at=one.grant.expires_at,
        credits=to_credits(one.units),
    )


ACCOUNT_ROUTES: Final = (list_grants, explain_transaction)
