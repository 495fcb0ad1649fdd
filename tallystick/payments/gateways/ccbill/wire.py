"""CCBill's answers as structs, read as strictly as its versions allow.

Version 1 writes ids as integers, version 2 as text; error codes come as either; an old sample has
`approved` as text (github.com/CCBill/restful-api-guide). Ids are text here, without leading zeros.
"""

from typing import TypeVar

import msgspec

T = TypeVar("T")
Loose = str | int | None


class TokenReply(msgspec.Struct, frozen=True):
    """`GET /payment-tokens/{id}`."""

    paymentTokenId: str  # noqa: N815 - CCBill's name, as are those below
    clientAccnum: str | int  # noqa: N815
    clientSubacc: str | int  # noqa: N815
    timeToLive: int | None = None  # noqa: N815
    validNumberOfUse: int | None = None  # noqa: N815


class ChargeReply(msgspec.Struct, frozen=True):
    """What a charge is answered with HTTP 200, also when the bank refused."""

    approved: bool | str | None = None
    declineCode: Loose = None  # noqa: N815
    declineText: str | None = None  # noqa: N815
    subscriptionId: Loose = None  # noqa: N815
    errorCode: Loose = None  # noqa: N815


class ListedCharge(msgspec.Struct, frozen=True):
    """One charge of a token."""

    clientAccnum: str | int  # noqa: N815
    clientSubacc: str | int  # noqa: N815
    subscriptionId: str | int  # noqa: N815


class FieldProblem(msgspec.Struct, frozen=True):
    """What was wrong with a field; the message is CCBill's and goes nowhere."""

    field: str | None = None
    message: str | None = None


class Problem(msgspec.Struct, frozen=True):
    """An error's body."""

    errorCode: Loose = None  # noqa: N815
    errors: tuple[FieldProblem, ...] | None = None


def read(body: bytes, kind: type[T]) -> T | None:
    """Return the body as this kind; None when it is not."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def plain_id(value: str | int | None) -> str | None:
    """Return an id as text without leading zeros; None when it is none.

    REST writes 18 digits, webhooks 19 with a zero in front: `0926005102000000049` and
    `926005102000000049` are one subscription.
    """
    text = str(value).strip() if value is not None and not isinstance(value, bool) else ""
    bare = text.lstrip("0")
    return bare if bare.isascii() and bare.isdigit() else None


def number(value: str | int | None) -> int | None:
    """Return a code or an account number (`"0000"` is 0); None when it is none."""
    text = str(value).strip() if value is not None and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None  # noqa: PLR2004 - no code is longer


def is_approved(reply: ChargeReply) -> bool | None:
    """Tell whether the bank approved; None when the reply does not say."""
    said = reply.approved
    if isinstance(said, str):
        return {"true": True, "false": False}.get(said.strip().lower())
    return said
