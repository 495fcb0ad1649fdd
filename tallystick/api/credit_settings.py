"""What is set for an account's credits: overdraft, alert, top-up."""

from decimal import Decimal
from typing import Annotated, Final

import msgspec
from litestar import get, post
from msgspec import Meta

from tallystick.accounts.model import Account, Principal
from tallystick.api import credit_examples, credit_fields, fields
from tallystick.api.answers import major
from tallystick.api.credit_fields import decimal
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.credits import packages, service
from tallystick.credits.amounts import to_credits, to_units
from tallystick.credits.model import Settings
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput, FieldError

TAGS: Final = ["Credits"]
TOP_UP: Final = ("top_up_below", "top_up_package", "top_up_month_max_cents")
PackageId = Annotated[
    str, Meta(extra_json_schema={"pattern": "^cpkg_[0-7][0-9a-hjkmnp-tv-z]{25}$"})
]


class AlertBody(Body, frozen=True, kw_only=True):
    """When to tell that little is left, and when to buy which package; left out: never.

    A top-up is said whole: below what, which package, and the most for it in a calendar month
    (UTC), in minor units before tax.
    """

    alert_below: credit_fields.Credits | None = None
    top_up_below: credit_fields.Credits | None = None
    top_up_package: PackageId | None = None
    top_up_month_max_cents: fields.Minor | None = None


class SettingsBody(AlertBody, frozen=True, kw_only=True):
    """Overdraft, alert and top-up; what is left out is off."""

    overdraft: credit_fields.Credits | None = None


class CreditSettingsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is set; null: never."""

    overdraft: Decimal
    alert_below: Decimal | None
    top_up_below: Decimal | None
    top_up_package: str | None
    top_up_month_max: Decimal | None
    top_up_month_max_cents: int | None
    currency: str


@get("/credits/settings", opt={"permission": "billing:read"}, tags=TAGS, summary="Alert and top-up")
async def read_settings(services: Services, account: Account) -> CreditSettingsAnswer:
    """Return when little is told of, what is bought then, and the overdraft."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.settings(conn, account.account_id)
    return settings_answer(found, account.currency)


@post(
    "/credits/settings",
    opt={"permission": "billing:write", "example": credit_examples.SETTINGS},
    tags=TAGS,
    status_code=200,
    summary="Set alert and top-up",
)
async def set_alerts(
    data: AlertBody, services: Services, account: Account, principal: Principal
) -> CreditSettingsAnswer:
    """Set the alert and the top-up; the overdraft is staff's to set, and stays."""
    new = settings_of(data, overdraft=None)
    async with services.db.transaction(WRITER) as conn:
        if new.top_up_package_id is not None:
            await packages.check_top_up(conn, new.top_up_package_id, account.currency)
        now = principal.now(services.clock())
        found = await service.set_own_settings(conn, account.account_id, new, now)
    return settings_answer(found, account.currency)


def settings_of(data: AlertBody, *, overdraft: str | None) -> Settings:
    """Return what was asked for; raises BadInput for a top-up of which something is not said."""
    _need_whole_top_up(data)
    package = data.top_up_package
    return Settings(
        overdraft_max=optional_units("overdraft", overdraft) or 0,
        alert_below=optional_units("alert_below", data.alert_below),
        top_up_below=optional_units("top_up_below", data.top_up_below),
        top_up_package_id=ids.parse("credit_package", package) if package else None,
        top_up_month_max_minor=data.top_up_month_max_cents,
    )


def settings_answer(found: Settings, currency: str) -> CreditSettingsAnswer:
    """Show what is set."""
    package, month_max = found.top_up_package_id, found.top_up_month_max_minor
    return CreditSettingsAnswer(
        overdraft=to_credits(found.overdraft_max),
        alert_below=_credits(found.alert_below),
        top_up_below=_credits(found.top_up_below),
        top_up_package=ids.show("credit_package", package) if package else None,
        top_up_month_max=None if month_max is None else major(month_max, currency),
        top_up_month_max_cents=month_max,
        currency=currency.lower(),
    )


def optional_units(field: str, text: str | None) -> int | None:
    """Return 1/100,000 credits, None for nothing; raises BadInput naming the field."""
    return None if text is None else to_units(decimal(field, text), field)


def _credits(units: int | None) -> Decimal | None:
    return None if units is None else to_credits(units)


def _need_whole_top_up(data: AlertBody) -> None:
    """Raise BadInput for a top-up of which something is not said."""
    given = {name: getattr(data, name) for name in TOP_UP}
    missing = [name for name, value in given.items() if value is None]
    if missing and len(missing) < len(TOP_UP):
        message = f"is part of a top-up, with {', '.join(TOP_UP)}"
        errors = [FieldError(name, "missing", message) for name in missing]
        raise BadInput("validation_failed", f"{missing[0]}: {message}", errors=errors)


ACCOUNT_ROUTES: Final = (read_settings, set_alerts)
