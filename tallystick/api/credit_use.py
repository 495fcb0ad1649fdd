"""Using credits: at once, many at once, or held first and settled afterwards."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, post
from msgspec import Meta

from tallystick.accounts.model import Account, Principal
from tallystick.accounts.policy import account_of
from tallystick.api import credit_examples, credit_fields
from tallystick.api.answers import JsonResponse, encode, plain
from tallystick.api.captured import Captured
from tallystick.api.credit_fields import optional_decimal
from tallystick.api.plain_routes import Asked, PlainRoute, json_answer
from tallystick.api.services import Services
from tallystick.api.strict import Body, decode
from tallystick.credits import reservations, service
from tallystick.credits.amounts import to_credits
from tallystick.credits.model import Debited, Outcome, Reservation
from tallystick.credits.service import BATCH_MAX, Deduct
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.kernel.errors import BadInput, Conflict, FieldError, TallystickError

TAGS: Final = ["Credits"]
# These carry their key into the debit itself, which is one commit of many: a transaction of the
# request around it would undo that.
TAKE: Final = {"permission": "credits:write", "own_key": True}
HOLD: Final = {"permission": "credits:write"}
_REPLAYED: Final = {"Idempotent-Replayed": "true"}


class DeductBody(Body, frozen=True, kw_only=True):
    """What is used: `credits`, or a `quantity` that the operation's cost prices."""

    operation: credit_fields.Name
    model: credit_fields.Name | None = None
    quantity: credit_fields.Used | None = None
    credits: credit_fields.Credits | None = None
    description: credit_fields.Text = ""
    metadata: dict[str, Any] | None = None


class BatchItem(DeductBody, frozen=True, kw_only=True):
    """One deduction; its key is its own, or its place under the request's."""

    idempotency_key: credit_fields.Key | None = None


class BatchBody(Body, frozen=True, kw_only=True):
    """Up to 1,000 deductions, done in their order, each for itself."""

    items: Annotated[
        list[BatchItem], Meta(extra_json_schema={"minItems": 1, "maxItems": BATCH_MAX})
    ]


class ReserveBody(DeductBody, frozen=True, kw_only=True):
    """What to hold, and for how long."""

    ttl_seconds: Annotated[
        int, Meta(extra_json_schema={"minimum": 1, "maximum": reservations.SECONDS_MAX})
    ] = reservations.SECONDS_DEFAULT


class SettleBody(Body, frozen=True, kw_only=True):
    """What was really used; left out: all that was held."""

    quantity: credit_fields.Used | None = None
    credits: credit_fields.Credits | None = None
    description: credit_fields.Text = ""
    metadata: dict[str, Any] | None = None


class DebitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A deduction; `available` is what could be spent after it."""

    id: str
    operation: str
    model: str | None
    quantity: str | None
    credits: Decimal
    available: Decimal
    created: datetime


class ItemError(msgspec.Struct, frozen=True, kw_only=True):
    """Why an item was refused: the code and words of the same error of a single request."""

    code: str
    detail: str
    required: str | None = None
    available: str | None = None


class ItemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an item: `debited`, `replayed` or `refused`."""

    idempotency_key: str
    status: str
    debit: DebitAnswer | None = None
    error: ItemError | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """An answer for each item, in their order."""

    results: list[ItemAnswer]
    total: int


class ReservationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Credits held until `expires_at`."""

    id: str
    operation: str
    model: str | None
    credits: Decimal
    status: str
    expires_at: datetime
    created: datetime


@post(
    "/credits/deduct",
    opt={**TAKE, "example": credit_examples.DEDUCT, "answer_example": credit_examples.DEDUCTED},
    tags=TAGS,
    status_code=200,
    summary="Use credits",
)
async def deduct(
    data: DeductBody,
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    principal: Principal,
) -> Response[DebitAnswer]:
    """Take credits. 402 `insufficient_credits` says how many are `required` and `available`."""
    wanted = _wanted(data, account, request_key(request), principal.now(services.clock()))
    answer = await _deduct(services, wanted)
    headers = _REPLAYED if answer.outcome is Outcome.REPLAYED else None
    return JsonResponse(_debit(wanted, answer), headers=headers)


def plain_deduct(services: Services) -> PlainRoute:
    """Return `deduct` as it runs without the framework."""

    async def work(asked: Asked) -> Captured:
        account, now = account_of(asked.principal), asked.principal.now(services.clock())
        wanted = _wanted(decode(asked.body, DeductBody), account, asked.key or fresh_key(), now)
        answer = await _deduct(services, wanted)
        is_replayed = answer.outcome is Outcome.REPLAYED
        return json_answer(encode(_debit(wanted, answer)), _REPLAYED if is_replayed else {})

    return PlainRoute("credits:write", work)


@post(
    "/credits/deduct/batch",
    opt={**TAKE, "example": credit_examples.BATCH, "answer_example": credit_examples.BATCHED},
    tags=TAGS,
    status_code=200,
    summary="Use credits, many",
)
async def deduct_batch(
    data: BatchBody,
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    principal: Principal,
) -> BatchAnswer:
    """Take credits for up to 1,000 items; one that is refused leaves the others alone."""
    key, now = request_key(request), principal.now(services.clock())
    wanted = [
        _wanted_item(number, item, account, item.idempotency_key or f"{key}:{number}", now)
        for number, item in enumerate(data.items)
    ]
    answers = await services.credits.deduct_many(wanted)
    results = [_item(one, answer) for one, answer in zip(wanted, answers, strict=True)]
    return BatchAnswer(results, len(results))


@post(
    "/credits/reserve",
    opt={**HOLD, "example": credit_examples.RESERVE, "answer_example": credit_examples.RESERVED},
    tags=TAGS,
    summary="Hold credits",
)
async def reserve(
    data: ReserveBody,
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    principal: Principal,
) -> ReservationAnswer:
    """Hold credits for an operation; they are free again when `ttl_seconds` are over."""
    wanted = _wanted(data, account, request_key(request), principal.now(services.clock()))
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        made = await reservations.reserve(conn, services.credits, wanted, seconds=data.ttl_seconds)
    return _reservation(made)


@post(
    "/credits/reservations/{reservation_id:str}/settle",
    opt={**HOLD, "example": credit_examples.SETTLE, "answer_example": credit_examples.DEDUCTED},
    tags=TAGS,
    status_code=200,
    summary="Use what was held",
)
async def settle(
    *,
    reservation_id: str,
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    principal: Principal,
    data: SettleBody | None = None,
) -> DebitAnswer:
    """End a reservation with what was really used, less or more than was held."""
    wanted_id = ids.parse("credit_reservation", reservation_id)
    data = data or SettleBody()
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        held = await reservations.get_reservation(conn, account.account_id, wanted_id)
        given = optional_decimal("credits", data.credits)
        if given is None and data.quantity is None:
            given = to_credits(held.amount)
        wanted = Deduct(
            account_id=account.account_id,
            key=f"settle:{request_key(request)}"[: service.KEY_LENGTH_MAX],
            at=principal.now(services.clock()),
            operation=held.operation,
            model=held.model,
            quantity=optional_decimal("quantity", data.quantity),
            credits=given,
            description=data.description,
            metadata=_json(data.metadata),
        )
        answer = await reservations.settle(conn, services.credits, wanted_id, wanted)
    return _debit(wanted, answer)


@post(
    "/credits/reservations/{reservation_id:str}/release",
    opt=HOLD,
    tags=TAGS,
    status_code=200,
    summary="Free what was held",
)
async def release(
    reservation_id: str, services: Services, account: Account, principal: Principal
) -> ReservationAnswer:
    """End a reservation without using anything."""
    wanted = ids.parse("credit_reservation", reservation_id)
    now = principal.now(services.clock())
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        return _reservation(await reservations.release(conn, account.account_id, wanted, now))


def request_key(request: Request[Any, Any, Any]) -> str:
    """Return the caller's key, or a fresh one for who does not ask again."""
    return request.headers.get("idempotency-key") or fresh_key()


def fresh_key() -> str:
    """Return a key that nobody else has."""
    return str(ids.new_id())


async def _deduct(services: Services, wanted: Deduct) -> Debited:
    try:
        return await services.credits.deduct(wanted)
    except Conflict as error:
        raise _as_idempotency(error) from error


def _wanted(data: DeductBody, account: Account, key: str, now: datetime) -> Deduct:
    return Deduct(
        account_id=account.account_id,
        key=key,
        at=now,
        operation=data.operation,
        model=data.model,
        quantity=optional_decimal("quantity", data.quantity),
        credits=optional_decimal("credits", data.credits),
        description=data.description,
        metadata=_json(data.metadata),
    )


def _wanted_item(number: int, item: BatchItem, account: Account, key: str, now: datetime) -> Deduct:
    """Return what an item wants; a number that is none is named with the item's place."""
    try:
        return _wanted(item, account, key, now)
    except BadInput as error:
        errors = [
            FieldError(f"items[{number}].{one.field}", one.code, one.message)
            for one in error.errors
        ]
        raise BadInput(error.code, f"items[{number}].{error.detail}", errors=errors) from error


def _json(metadata: dict[str, Any] | None) -> str | None:
    return None if metadata is None else msgspec.json.encode(metadata).decode()


def _as_idempotency(error: Conflict) -> Conflict:
    if error.code != "credit_key_conflict":
        return error
    return Conflict("idempotency_conflict", "This Idempotency-Key came with another request.")


def _debit(wanted: Deduct, answer: Debited) -> DebitAnswer:
    return DebitAnswer(
        id=ids.show("ledger_entry", answer.ledger_entry_id),
        operation=wanted.operation,
        model=wanted.model,
        quantity=None if wanted.quantity is None else plain(wanted.quantity),
        credits=to_credits(answer.units),
        available=to_credits(answer.available_units),
        created=answer.at,
    )


def _item(wanted: Deduct, answer: Debited | TallystickError) -> ItemAnswer:
    if isinstance(answer, TallystickError):
        figures = {name: str(value) for name, value in answer.extra.items()}
        error = ItemError(
            code=answer.code,
            detail=answer.detail,
            required=figures.get("required"),
            available=figures.get("available"),
        )
        return ItemAnswer(idempotency_key=wanted.key, status="refused", error=error)
    shown = _debit(wanted, answer)
    return ItemAnswer(idempotency_key=wanted.key, status=answer.outcome.value, debit=shown)


def _reservation(one: Reservation) -> ReservationAnswer:
    return ReservationAnswer(
        id=ids.show("credit_reservation", one.credit_reservation_id),
        operation=one.operation,
        model=one.model,
        credits=to_credits(one.amount),
        status=one.status.value,
        expires_at=one.expires_at,
        created=one.created_at,
    )


ACCOUNT_ROUTES: Final = (deduct, deduct_batch, reserve, settle, release)
