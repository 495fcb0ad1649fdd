"""For staff: the legal entities in whose name documents go out."""

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, delete, get, patch, post, put
from msgspec import UNSET, Meta, UnsetType

from tallystick.api import fields
from tallystick.api import invoice_fields as own
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog.plan_terms import read_amounts
from tallystick.issuers import service
from tallystick.issuers.checks import CODE, REGISTRATIONS_MAX, missing_parts
from tallystick.issuers.formats import FORMAT_LENGTH_MAX
from tallystick.issuers.logo import BYTES_MAX
from tallystick.issuers.model import Issuer, NumberReset, TaxRegistration, ZeroRule
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.money.exact import plain

BASE: Final = "/api/v1/admin/issuers"
ONE: Final = f"{BASE}/{{issuer_id:str}}"
TAGS: Final = ["Admin: issuers"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
LOGO_ANSWERS: Final = {
    "200": {
        "description": "The picture, a PNG or an SVG.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/png", "image/svg+xml")
        },
    }
}
# A picture runs nothing and loads nothing, whoever opens it by itself.
_LOGO_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
}


def _format(name: str) -> Meta:
    return Meta(
        extra_json_schema={
            "maxLength": FORMAT_LENGTH_MAX,
            "format": name,
            "description": "Letters, digits, - / . _ with {number} or {number:06} once, {year}, "
            "{mm} and {issuer}.",
        }
    )


InvoiceFormat = Annotated[str, _format("invoice-number-format")]
NoteFormat = Annotated[str, _format("credit-note-number-format")]
Iban = Annotated[str, Meta(extra_json_schema={"format": "iban"})]
Bic = Annotated[str, Meta(extra_json_schema={"pattern": "^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$"})]
Picture = Annotated[
    bytes,
    Meta(extra_json_schema={"maxLength": 4 * (BYTES_MAX // 3 + 1), "format": "base64-picture"}),
]


class RegistrationBody(Body, frozen=True, kw_only=True):
    """Where an issuer is registered for a tax besides its VAT number."""

    country: fields.Country
    number: fields.Line
    region: fields.Region | None = None


class IssuerBody(Body, frozen=True, kw_only=True):
    """A legal entity; `minimum_amounts` are by currency, below one an invoice waits."""

    code: Annotated[str, Meta(extra_json_schema={"pattern": f"^{CODE.pattern}$"})]
    legal_name: fields.Line
    address: fields.Address = ()
    city: fields.Line | None = None
    postal_code: fields.PostalCode | None = None
    region: fields.Region | None = None
    country: fields.Country | None = None
    vat_number: fields.Line | None = None
    tax_registrations: Annotated[
        tuple[RegistrationBody, ...], Meta(extra_json_schema={"maxItems": REGISTRATIONS_MAX})
    ] = ()
    registration_number: fields.Line | None = None
    email: fields.Email | None = None
    bank_name: fields.Line | None = None
    iban: Iban | None = None
    bic: Bic | None = None
    payment_instructions: own.Instructions | None = None
    locale: fields.Locale = "en-US"
    payment_due_days: fields.DueDays = 14
    grace_hours: own.GraceHours = 0
    invoice_format: InvoiceFormat = "INV-{year}-{number:06}"
    credit_note_format: NoteFormat = "CN-{year}-{number:06}"
    number_reset: NumberReset = "yearly"
    minimum_amounts: fields.Amounts = {}
    zero_rule: ZeroRule = "issue"
    is_default: bool = False


class IssuerChange(Body, frozen=True, kw_only=True):
    """What to change; what is left out stays, null takes one away. The code never changes."""

    legal_name: fields.Line | UnsetType = UNSET
    address: fields.Address | UnsetType = UNSET
    city: fields.Line | UnsetType | None = UNSET
    postal_code: fields.PostalCode | UnsetType | None = UNSET
    region: fields.Region | UnsetType | None = UNSET
    country: fields.Country | UnsetType | None = UNSET
    vat_number: fields.Line | UnsetType | None = UNSET
    tax_registrations: tuple[RegistrationBody, ...] | UnsetType = UNSET
    registration_number: fields.Line | UnsetType | None = UNSET
    email: fields.Email | UnsetType | None = UNSET
    bank_name: fields.Line | UnsetType | None = UNSET
    iban: Iban | UnsetType | None = UNSET
    bic: Bic | UnsetType | None = UNSET
    payment_instructions: own.Instructions | UnsetType | None = UNSET
    locale: fields.Locale | UnsetType = UNSET
    payment_due_days: fields.DueDays | UnsetType = UNSET
    grace_hours: own.GraceHours | UnsetType = UNSET
    invoice_format: InvoiceFormat | UnsetType = UNSET
    credit_note_format: NoteFormat | UnsetType = UNSET
    number_reset: NumberReset | UnsetType = UNSET
    minimum_amounts: fields.Amounts | UnsetType = UNSET
    zero_rule: ZeroRule | UnsetType = UNSET
    is_default: bool | UnsetType = UNSET


class LogoBody(Body, frozen=True, kw_only=True):
    """A PNG or an SVG of 256 KiB at most, in base 64; of an SVG what draws is kept."""

    content: Picture


class IssuerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A legal entity. `missing` names what its invoices ought to say and nobody has told."""

    id: str
    code: str
    legal_name: str
    address: list[str]
    city: str | None
    postal_code: str | None
    region: str | None
    country: str | None
    vat_number: str | None
    tax_registrations: list[TaxRegistration]
    registration_number: str | None
    email: str | None
    logo: str | None
    bank_name: str | None
    iban: str | None
    bic: str | None
    payment_instructions: str | None
    locale: str
    payment_due_days: int
    grace_hours: int
    invoice_format: str
    credit_note_format: str
    number_reset: NumberReset
    minimum_amounts: dict[str, str]
    zero_rule: ZeroRule
    is_default: bool
    follows_settings: bool
    missing: list[str]
    created: datetime
    retired_at: datetime | None


class IssuerList(msgspec.Struct, frozen=True):
    """All issuers by code, the retired ones last."""

    issuers: list[IssuerAnswer]
    total: int


@get(BASE, opt=READ, tags=TAGS, summary="Issuers")
async def list_issuers(services: Services) -> IssuerList:
    """List the legal entities that issue, or did."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_issuers(conn)
    return IssuerList([issuer_answer(one) for one in found], len(found))


@post(BASE, opt=ADMIN, tags=TAGS, summary="Make an issuer")
async def create_issuer(data: IssuerBody, services: Services) -> IssuerAnswer:
    """Make a legal entity; with `is_default` it issues for all accounts that name nobody."""
    new = Issuer(
        issuer_id=ids.new_id(),
        created_at=services.clock(),
        **_told(msgspec.structs.asdict(data)),
    )
    async with services.db.transaction(WRITER) as conn:
        return issuer_answer(await service.create_issuer(conn, new))


@get(ONE, opt=READ, tags=TAGS, summary="An issuer")
async def read_issuer(issuer_id: str, services: Services) -> IssuerAnswer:
    """Return one issuer."""
    async with services.db.transaction(STAFF) as conn:
        return issuer_answer(await service.get_issuer(conn, ids.parse("issuer", issuer_id)))


@patch(ONE, opt=ADMIN, tags=TAGS, summary="Change an issuer")
async def change_issuer(issuer_id: str, data: IssuerChange, services: Services) -> IssuerAnswer:
    """Change what is named; documents that were issued stay as they are."""
    wanted = ids.parse("issuer", issuer_id)
    asked = _told(
        {name: told for name, told in msgspec.structs.asdict(data).items() if told is not UNSET}
    )
    async with services.db.transaction(WRITER) as conn:
        return issuer_answer(await service.change_issuer(conn, wanted, asked))


@post(f"{ONE}/retire", opt=ADMIN, tags=TAGS, status_code=200, summary="Retire an issuer")
async def retire_issuer(issuer_id: str, services: Services) -> IssuerAnswer:
    """Let it issue nothing more. It is never deleted: its documents name it."""
    wanted = ids.parse("issuer", issuer_id)
    async with services.db.transaction(WRITER) as conn:
        return issuer_answer(await service.retire_issuer(conn, wanted, services.clock()))


@put(f"{ONE}/logo", opt=ADMIN, tags=TAGS, summary="Set an issuer's logo")
async def set_logo(issuer_id: str, data: LogoBody, services: Services) -> IssuerAnswer:
    """Print this picture on what is issued from now on."""
    wanted = ids.parse("issuer", issuer_id)
    async with services.db.transaction(WRITER) as conn:
        return issuer_answer(await service.set_logo(conn, wanted, data.content))


@delete(f"{ONE}/logo", opt=ADMIN, tags=TAGS, status_code=200, summary="Take a logo away")
async def remove_logo(issuer_id: str, services: Services) -> IssuerAnswer:
    """Print no picture from now on; older documents keep theirs."""
    wanted = ids.parse("issuer", issuer_id)
    async with services.db.transaction(WRITER) as conn:
        return issuer_answer(await service.set_logo(conn, wanted, None))


@get(f"{ONE}/logo", opt={**READ, "responses": LOGO_ANSWERS}, tags=TAGS, summary="An issuer's logo")
async def read_logo(issuer_id: str, services: Services) -> Response[bytes]:
    """Return the picture as it is kept."""
    wanted = ids.parse("issuer", issuer_id)
    async with services.db.transaction(STAFF) as conn:
        issuer = await service.get_issuer(conn, wanted)
        logo = await service.get_logo(conn, issuer.logo_id or "")
    return Response(logo.content, media_type=logo.media_type, headers=dict(_LOGO_HEADERS))


def issuer_answer(one: Issuer) -> IssuerAnswer:
    """Show an issuer."""
    shown = ids.show("issuer", one.issuer_id)
    same = {name: getattr(one, name) for name in _SAME}
    return IssuerAnswer(
        id=shown,
        address=list(one.address),
        tax_registrations=list(one.tax_registrations),
        logo=f"{BASE}/{shown}/logo" if one.logo_id else None,
        minimum_amounts={
            code.lower(): plain(amount) for code, amount in one.minimum_amounts.items()
        },
        missing=list(missing_parts(one)),
        created=one.created_at,
        **same,
    )


def _told(told: dict[str, Any]) -> dict[str, Any]:
    """Return the fields as an issuer has them; codes of countries and currencies in capitals."""
    if "minimum_amounts" in told:
        read = read_amounts("minimum_amounts", told["minimum_amounts"])
        told["minimum_amounts"] = {code.upper(): amount for code, amount in read.items()}
    if "tax_registrations" in told:
        told["tax_registrations"] = tuple(
            TaxRegistration(
                country=one.country.upper(),
                number=one.number,
                region=one.region and one.region.upper(),
            )
            for one in told["tax_registrations"]
        )
    for name in ("country", "region"):
        if told.get(name):
            told[name] = told[name].upper()
    return told


_SAME: Final = frozenset(IssuerAnswer.__struct_fields__) & frozenset(Issuer.__struct_fields__) - {
    "address",
    "tax_registrations",
    "minimum_amounts",
}
ROUTES: Final = (
    list_issuers,
    create_issuer,
    read_issuer,
    change_issuer,
    retire_issuer,
    set_logo,
    remove_logo,
    read_logo,
)
