"""For staff: what operations cost, in versions; for everybody, or for one account alone."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from litestar import get, post
from litestar.params import Parameter

from tallystick.accounts import service as accounts
from tallystick.api import credit_examples, credit_fields, fields
from tallystick.api.answers import plain
from tallystick.api.credit_fields import decimal
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.credits import prices
from tallystick.credits.costs import Cost
from tallystick.credits.prices import NewCost
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: credits"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
FIGURES: Final = ("unit_size", "credits_per_unit", "minimum", "step")
Operation = Annotated[str | None, Parameter(max_length=200, description="of this operation")]


class CostBody(Body, frozen=True, kw_only=True):
    """A version of a cost: `credits_per_unit` for each `unit_size` of `unit`.

    At least `minimum`, rounded to a multiple of `step`. `account`: for this one alone.
    """

    operation: credit_fields.CostName
    model: credit_fields.CostName | None = None
    account: fields.AccountId | None = None
    unit: credit_fields.CostName = "request"
    unit_size: credit_fields.Figure = "1"
    credits_per_unit: credit_fields.Figure
    minimum: credit_fields.Figure = "0"
    rounding: Literal["up", "nearest", "down"] = "up"
    step: credit_fields.Step = "0.00001"
    effective_at: fields.Instant | None = None
    is_active: bool = True


class CostAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a cost."""

    id: str
    account: str | None
    operation: str
    model: str | None
    version: int
    unit: str
    unit_size: str
    credits_per_unit: str
    minimum: str
    rounding: str
    step: str
    effective_at: datetime
    is_active: bool
    created: datetime


class CostList(msgspec.Struct, frozen=True):
    """All versions of all costs, by operation, model and version."""

    costs: list[CostAnswer]
    total: int


class EndCostBody(Body, frozen=True, kw_only=True):
    """When the cost ends; left out: now."""

    effective_at: fields.Instant | None = None


@get(f"{BASE}/credit-costs", opt=READ, tags=TAGS, summary="What operations cost")
async def list_costs(
    services: Services, operation: Operation = None, account_id: str | None = None
) -> CostList:
    """List every version of every cost; of one operation, or an account's own ones."""
    wanted = ids.parse("account", account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        found = [
            one
            for one in await prices.list_costs(conn)
            if operation in {None, one.operation} and wanted in {None, one.account_id}
        ]
    return CostList([cost_answer(one) for one in found], len(found))


@get(f"{BASE}/credit-costs/{{cost_id:str}}", opt=READ, tags=TAGS, summary="A version of a cost")
async def read_cost(cost_id: str, services: Services) -> CostAnswer:
    """Return one version of a cost: what a line of the usage log names as its `cost`."""
    async with services.db.transaction(STAFF) as conn:
        return cost_answer(await prices.get_cost(conn, ids.parse("credit_cost", cost_id)))


@post(
    f"{BASE}/credit-costs",
    opt={**ADMIN, "example": credit_examples.COST},
    tags=TAGS,
    summary="Set a cost",
)
async def set_cost(data: CostBody, services: Services) -> CostAnswer:
    """Make a cost, or change it by its next version; what was deducted keeps its credits."""
    given = msgspec.structs.asdict(data)
    account = given.pop("account")
    given |= {name: decimal(name, given[name]) for name in FIGURES}
    given["effective_at"] = credit_fields.optional_instant("effective_at", data.effective_at)
    async with services.db.transaction(WRITER) as conn:
        account_id = ids.parse("account", account) if account else None
        if account_id is not None:
            await accounts.get_account(conn, account_id)
        made = await prices.set_cost(conn, NewCost(**given), account_id, services.clock())
    return cost_answer(made)


@post(
    f"{BASE}/credit-costs/{{cost_id:str}}/end",
    opt={**ADMIN, "example": credit_examples.END_COST},
    tags=TAGS,
    summary="End a cost",
)
async def end_cost(
    *, cost_id: str, services: Services, data: EndCostBody | None = None
) -> CostAnswer:
    """End the cost of this version's operation and model, by a next version that is not active.

    From then on what is more general holds: a cost for any model, one for everybody, or none.
    """
    wanted = ids.parse("credit_cost", cost_id)
    at = credit_fields.optional_instant("effective_at", data.effective_at if data else None)
    async with services.db.transaction(WRITER) as conn:
        return cost_answer(await prices.end_cost(conn, wanted, at, services.clock()))


def cost_answer(one: Cost) -> CostAnswer:
    """Show a version of a cost."""
    given = msgspec.structs.asdict(one)
    cost_id, account_id = given.pop("credit_cost_id"), given.pop("account_id")
    return CostAnswer(
        id=ids.show("credit_cost", cost_id),
        account=ids.show("account", account_id) if account_id else None,
        created=given.pop("created_at"),
        **given | {name: plain(given[name]) for name in FIGURES},
    )


ROUTES: Final = (list_costs, read_cost, set_cost, end_cost)
