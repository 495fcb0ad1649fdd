"""For staff: what a version of a plan would have billed for usage that is stored."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final, Literal

import msgspec
from litestar import delete, get, post
from msgspec import Meta
from msgspec.structs import replace

from tallystick.api import fields
from tallystick.api.admin_catalog import NewPlan, new_version
from tallystick.api.answers import pagination
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.what_if_answers import (
    WhatIfAnswer,
    WhatIfList,
    WhatIfRows,
    row_answer,
    what_if_answer,
)
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput
from tallystick.kernel.paging import PageRequest
from tallystick.whatif import service
from tallystick.whatif.model import Question

BASE: Final = "/api/v1/admin/billing/what-ifs"
TAGS: Final = ["Admin: what-if"]
READ: Final = {"permission": "staff:read"}
FINANCE: Final = {"permission": "staff:finance"}
Accounts = Annotated[
    list[fields.AccountId],
    Meta(extra_json_schema={"minItems": 1, "maxItems": service.ACCOUNTS_NAMED_MAX}),
]


class AskWhatIf(Body, frozen=True, kw_only=True):
    """Which version is tried, on whose stored usage, and for which periods.

    The version is a stored one (`plan_version`) or given as data (`draft`). Chosen are these
    `accounts`, those on a version of this `plan`, or all. Of each subscription, the periods count
    that lie in [`from`, `to`) as a whole and have ended.
    """

    plan_version: fields.PlanVersionId | None = None
    draft: NewPlan | None = None
    accounts: Accounts | None = None
    plan: fields.Code | None = None
    start: fields.Instant = msgspec.field(name="from")
    end: fields.Instant = msgspec.field(name="to")


@post(BASE, opt=FINANCE, tags=TAGS, summary="Begin a what-if")
async def ask_what_if(data: AskWhatIf, services: Services) -> WhatIfAnswer:
    """Begin to reckon what each account's periods cost now and would cost; the worker does it."""
    question = _question(data)
    with _in_draft():
        async with services.db.transaction(WRITER) as conn:
            return what_if_answer(await service.start(conn, question, services.clock()))


@get(BASE, opt=READ, tags=TAGS, summary="What-ifs")
async def list_what_ifs(services: Services, paging: PageRequest) -> WhatIfList:
    """List what-ifs; those that finished are kept for 90 days."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_what_ifs(conn, paging)
    return WhatIfList([what_if_answer(one) for one in found.items], pagination(found), found.total)


@get(f"{BASE}/{{what_if_id:str}}", opt=READ, tags=TAGS, summary="What-if")
async def read_what_if(what_if_id: str, services: Services) -> WhatIfAnswer:
    """Show how far a what-if is, and what came of it."""
    wanted = ids.parse("what_if", what_if_id)
    async with services.db.transaction(STAFF) as conn:
        return what_if_answer(await service.get_what_if(conn, wanted))


@get(f"{BASE}/{{what_if_id:str}}/rows", opt=READ, tags=TAGS, summary="Rows of a what-if")
async def list_what_if_rows(
    what_if_id: str,
    services: Services,
    paging: PageRequest,
    account_id: str | None = None,
    change: Literal["more", "less", "same"] | None = None,
) -> WhatIfRows:
    """List what each period of each account costs now and would cost, line by line."""
    wanted = ids.parse("what_if", what_if_id)
    account = ids.parse("account", account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_outcomes(conn, wanted, paging, account, change)
    return WhatIfRows([row_answer(one) for one in found.items], pagination(found), found.total)


@delete(f"{BASE}/{{what_if_id:str}}", opt=FINANCE, tags=TAGS, summary="Delete a what-if")
async def delete_what_if(what_if_id: str, services: Services) -> None:
    """Delete a what-if with its rows, also one that runs."""
    wanted = ids.parse("what_if", what_if_id)
    async with services.db.transaction(WRITER) as conn:
        await service.delete_what_if(conn, wanted)


def _question(data: AskWhatIf) -> Question:
    if (data.plan_version is None) == (data.draft is None):
        raise BadInput.field("plan_version", "one_of", "send either `plan_version` or `draft`")
    if data.accounts is not None and not 1 <= len(data.accounts) <= service.ACCOUNTS_NAMED_MAX:
        message = f"must be 1 to {service.ACCOUNTS_NAMED_MAX} accounts, or left out for all"
        raise BadInput.field("accounts", "out_of_range", message)
    with _in_draft():
        draft = new_version(data.draft) if data.draft else None
    named = None if data.accounts is None else [ids.parse("account", one) for one in data.accounts]
    return Question(
        plan_version_id=ids.parse("plan_version", data.plan_version) if data.plan_version else None,
        draft=draft,
        account_ids=None if named is None else tuple(dict.fromkeys(named)),
        plan_code=data.plan,
        start=fields.check_instant("from", data.start),
        end=fields.check_instant("to", data.end),
    )


@contextmanager
def _in_draft() -> Iterator[None]:
    """Let a refusal name the fields of the version where they were sent: inside `draft`."""
    try:
        yield
    except BadInput as error:
        told = [
            fault
            if fault.field in {"from", "to"}
            else replace(fault, field=f"draft.{fault.field.removeprefix('plan_')}")
            for fault in error.errors
        ]
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in told)
        raise BadInput(error.code, detail, errors=told) from error


ROUTES: Final = (ask_what_if, list_what_ifs, read_what_if, list_what_if_rows, delete_what_if)
