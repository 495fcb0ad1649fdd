"""Rates and exemptions: made, ended, listed; and the terms that invoices are taxed by.

Functions that write run under the writer's scope.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.faults import raise_any, under
from tallystick.issuers import service as issuers
from tallystick.issuers.model import Issuer
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict, FieldError
from tallystick.kernel.ids import new_id, unknown
from tallystick.taxes import store
from tallystick.taxes.checks import exemption_problems, rate_problems
from tallystick.taxes.model import (
    NO_TAXES,
    Exemption,
    NewExemption,
    NewTaxRate,
    NumberCheck,
    Place,
    Seller,
    TaxRate,
    TaxTerms,
)

RATES_MAX: Final = 5000


async def add_rate(conn: Connection, new: NewTaxRate, now: datetime) -> TaxRate:
    """Let a rate be known; the one that the tax had until then ends on its first day.

    Raises BadInput naming every bad field, Conflict `tax_rate_overlaps` where the tax has another
    rate in that time.
    """
    raise_any(list(rate_problems(new)))
    await store.lock_all(conn)
    rate = TaxRate(tax_rate_id=new_id(), created_at=now, **msgspec.structs.asdict(new))
    before = await store.of_same_tax(conn, rate.country, rate.region, rate.tax_code, rate.name)
    if before and before[-1].valid_until is None and before[-1].valid_from < rate.valid_from:
        await store.end(conn, before[-1].tax_rate_id, rate.valid_from)
    try:
        async with conn.transaction():
            await store.insert(conn, rate)
    except asyncpg.ExclusionViolationError as error:
        raise Conflict(
            "tax_rate_overlaps",
            f"{rate.name} of {Place(rate.country, rate.region)} has a rate in that time already; "
            "end it first, or let this one begin later.",
        ) from error
    return rate


async def end_rate(conn: Connection, tax_rate_id: UUID, on: date) -> TaxRate:
    """Let a rate hold until that day, which it does not hold on any more.

    On its first day it never held. Raises NotFound, BadInput for a day before, Conflict
    `tax_rate_ended`.
    """
    known = await store.find(conn, tax_rate_id)
    if known is None:
        raise unknown("tax_rate")
    if on < known.valid_from:
        message = f"must not be before {known.valid_from}, when it begins"
        raise BadInput.field("valid_until", "ends_before_start", message)
    ended = await store.end(conn, tax_rate_id, on)
    if ended is None:
        raise Conflict("tax_rate_ended", f"It ends on {known.valid_until} already.")
    return ended


async def list_rates(
    conn: Connection, country: str | None = None, day: date | None = None
) -> tuple[TaxRate, ...]:
    """Return rates by place and tax, the newest of each first; at most 5,000.

    Those of a country and those that hold on a day, where one is named.
    """
    return await store.rates(conn, country, day, RATES_MAX)


async def load_rates(
    conn: Connection, wanted: Sequence[NewTaxRate], now: datetime
) -> tuple[TaxRate, ...]:
    """Add the rates that are not known yet, the earliest first, and return them.

    One that is known is left alone, and ends where the file says an end that is not known. Raises
    BadInput with the place of every fault (`rates[3].percent`), among them `unchangeable`: a rate
    that began that day with other content.
    """
    wrong: list[FieldError] = []
    added: list[TaxRate] = []
    for at, new in sorted(enumerate(wanted), key=lambda one: one[1].valid_from):
        try:
            rate = await _load(conn, new, now)
        except (BadInput, Conflict) as error:
            faults = error.errors or (FieldError("valid_from", error.code, error.detail),)
            wrong.extend(under(f"rates[{at}]", faults))
        else:
            added.extend([rate] if rate else [])
    raise_any(wrong)
    return tuple(added)


async def _load(conn: Connection, new: NewTaxRate, now: datetime) -> TaxRate | None:
    raise_any(list(rate_problems(new)))
    known = await store.of_same_tax(conn, new.country, new.region, new.tax_code, new.name)
    same = next((one for one in known if one.valid_from == new.valid_from), None)
    if same is None:
        return await add_rate(conn, new, now)
    for field in ("percent", "category", "reason", "inclusive", "replaces_national"):
        if getattr(same, field) != getattr(new, field):
            message = "is another one since that day; end it, and add one from another day on"
            raise BadInput.field(field, "unchangeable", message)
    if new.valid_until is not None and same.valid_until is None:
        await store.end(conn, same.tax_rate_id, new.valid_until)
    return None


async def add_exemption(
    conn: Connection, account_id: UUID, new: NewExemption, now: datetime
) -> Exemption:
    """Free an account from taxes; the account must exist. Raises BadInput."""
    raise_any(list(exemption_problems(new)))
    exemption = Exemption(
        account_id=account_id,
        tax_exemption_id=new_id(),
        created_at=now,
        **msgspec.structs.asdict(new),
    )
    await store.insert_exemption(conn, exemption)
    return exemption


async def end_exemption(
    conn: Connection, account_id: UUID, exemption_id: UUID, on: date
) -> Exemption:
    """Let an exemption hold until that day, exclusive.

    Raises NotFound, BadInput for a day before its first, Conflict `tax_exemption_ended`.
    """
    known = await store.find_exemption(conn, account_id, exemption_id)
    if known is None:
        raise unknown("tax_exemption")
    if on < known.valid_from:
        message = f"must not be before {known.valid_from}, when it begins"
        raise BadInput.field("valid_until", "ends_before_start", message)
    ended = await store.end_exemption(conn, account_id, exemption_id, on)
    if ended is None:
        raise Conflict("tax_exemption_ended", f"It ends on {known.valid_until} already.")
    return ended


async def list_exemptions(conn: Connection, account_id: UUID) -> tuple[Exemption, ...]:
    """Return an account's exemptions, oldest first."""
    return await store.exemptions(conn, [account_id])


async def read_terms(conn: Connection, accounts: Collection[Account]) -> dict[UUID, TaxTerms]:
    """Return what the taxes of these accounts' invoices need to know, by account.

    One query for each sort of thing, and none beside the issuers' where nobody sells taxed.
    """
    sellers = {
        account_id: seller_of(issuer)
        for account_id, issuer in (await issuers.known_issuers(conn, accounts)).items()
    }
    taxed = [one for one in accounts if sellers[one.account_id].is_registered]
    if not taxed:
        return {account.account_id: NO_TAXES for account in accounts}
    ids = [account.account_id for account in taxed]
    countries = {one.country for one in taxed} | {
        seller.country for seller in sellers.values() if seller.country is not None
    }
    terms = TaxTerms(
        rates=_by_country(await store.of_countries(conn, countries)),
        exemptions=_by_account(await store.exemptions(conn, ids)),
        refused=await _refused(conn, taxed),
    )
    return {account_id: replace(terms, seller=seller) for account_id, seller in sellers.items()}


async def _refused(conn: Connection, accounts: Collection[Account]) -> frozenset[UUID]:
    numbers = {account.account_id: account.tax_number for account in accounts if account.tax_number}
    return frozenset(
        one.account_id
        for one in await store.checks(conn, list(numbers))
        if one.outcome == "refused" and one.tax_number == numbers[one.account_id]
    )


async def number_check(conn: Connection, account_id: UUID) -> NumberCheck | None:
    """Return what is known of an account's tax number; None without one."""
    return next(iter(await store.checks(conn, [account_id])), None)


def seller_of(issuer: Issuer | None) -> Seller:
    """Return an issuer as taxes see it."""
    if issuer is None:
        return Seller()
    return Seller(
        country=issuer.country,
        region=issuer.region,
        tax_number=issuer.vat_number,
        registrations=tuple(Place(one.country, one.region) for one in issuer.tax_registrations),
    )


def _by_country(rates: Sequence[TaxRate]) -> Mapping[str, Sequence[TaxRate]]:
    return {country: tuple(those) for country, those in groupby(rates, lambda one: one.country)}


def _by_account(exemptions: Sequence[Exemption]) -> Mapping[UUID, Sequence[Exemption]]:
    return {owner: tuple(those) for owner, those in groupby(exemptions, lambda one: one.account_id)}
