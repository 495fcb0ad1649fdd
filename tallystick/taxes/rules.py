"""Which taxes hold for a supply: pure rules on who sells, who buys, what, and when.

The places of supply are those of services (Directive 2006/112/EC, articles 44, 45, 58 and 59).
The rules read rates, and know none.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from tallystick.accounts.model import Account
from tallystick.accounts.tax_numbers import EU_COUNTRIES, is_eu_number
from tallystick.kernel.errors import Conflict
from tallystick.taxes.model import (
    EU_SCHEME,
    STANDARD,
    Applied,
    Buyer,
    Exemption,
    ManualRate,
    Place,
    Seller,
    TaxRate,
    TaxTerms,
)

Determine = Callable[[Buyer, str, date], tuple[Applied, ...]]
"""Tells the taxes of what is sold: to whom, under which tax code, on which day."""

REGIONAL_COUNTRIES: Final = frozenset({"CA", "US"})
"""Where an address without its region does not say which taxes hold."""
WITHOUT_NATIONAL_TAX: Final = frozenset({"US"})
"""Where only regions tax sales: being registered means being registered in a region."""
ZERO: Final = Decimal(0)
REVERSE_CHARGE: Final = Applied(
    "VAT", ZERO, "AE", "Reverse charge: Article 196 of Directive 2006/112/EC"
)
OUTSIDE_EU: Final = Applied(
    "VAT", ZERO, "O", "Not subject to EU VAT: Articles 44, 58 and 59 of Directive 2006/112/EC"
)


def buyer_of(account: Account, terms: TaxTerms) -> Buyer:
    """Return the account as its taxes see it; a rate of its own takes the place of all others."""
    manual = None
    if account.tax_name is not None and account.tax_percent is not None:
        manual = ManualRate(account.tax_name, account.tax_percent)
    is_refused = account.account_id in terms.refused
    return Buyer(
        country=account.country,
        region=account.region,
        tax_number=None if is_refused else account.tax_number,
        exemptions=tuple(terms.exemptions.get(account.account_id, ())),
        manual=manual,
    )


def determine(terms: TaxTerms) -> Determine:
    """Return how taxes are told: by the rate that an account has of its own, else by our table.

    An outside provider has its place here: a function of the same type, and a term that says when
    it is asked.
    """

    def told(buyer: Buyer, code: str, on: date) -> tuple[Applied, ...]:
        if buyer.manual is not None:
            return (Applied(buyer.manual.name, buyer.manual.percent),)
        return taxes_by_rates(terms, buyer, code, on)

    return told


def taxes_by_rates(terms: TaxTerms, buyer: Buyer, code: str, on: date) -> tuple[Applied, ...]:
    """Return what the table of rates says; nothing where the seller has no duty.

    Raises Conflict `tax_rate_missing`, `tax_region_missing`.
    """
    seller = terms.seller
    if not seller.is_registered:
        return ()
    if _is_reverse_charged(seller, buyer):
        return (REVERSE_CHARGE,)
    place = taxing_place(seller, buyer)
    if place is None:
        is_outside = seller.country in EU_COUNTRIES and buyer.country not in EU_COUNTRIES
        return (OUTSIDE_EU,) if is_outside else ()
    exemption = next((one for one in buyer.exemptions if one.holds(place, on)), None)
    rates = _rates_of(terms, place, code, on, must_be=exemption is None)
    if exemption is not None and (rates or _has_national_duty(seller, place.country)):
        return (_exempt(exemption, rates),)
    return tuple(_applied(rate) for rate in rates)


def taxing_place(seller: Seller, buyer: Buyer) -> Place | None:
    """Return whose taxes hold when any are charged; None: nobody's.

    Where the buyer is, if the seller is registered there; for buyers in other member states of
    the European Union the One-Stop Shop is a registration, and without one the seller's own
    country holds (article 59c: for whoever sells little across its borders).
    """
    if any(one.country == buyer.country for one in seller.places):
        return Place(buyer.country, buyer.region)
    if buyer.country not in EU_COUNTRIES:
        return None
    if Place(EU_SCHEME) in seller.places:
        return Place(buyer.country, buyer.region)
    is_eu_seller = seller.country in EU_COUNTRIES and seller.tax_number is not None
    return Place(seller.country, seller.region) if is_eu_seller and seller.country else None


def places_without_rate(seller: Seller, rates: Collection[TaxRate], on: date) -> tuple[Place, ...]:
    """Return where a seller has to charge a tax whose standard rate on a day nobody has told.

    Of the One-Stop Shop: the member states that lack one. What is sold there is not invoiced until
    the rate is known (`tax_rate_missing`).
    """
    known = {
        Place(one.country, one.region)
        for one in rates
        if one.tax_code == STANDARD and one.holds_on(on)
    }
    wanted = {
        place
        for one in seller.places
        for place in ([Place(code) for code in EU_COUNTRIES] if one == Place(EU_SCHEME) else [one])
        if place.region is not None or place.country not in WITHOUT_NATIONAL_TAX
    }
    return tuple(sorted(wanted - known, key=str))


def _is_reverse_charged(seller: Seller, buyer: Buyer) -> bool:
    """Tell whether a business in the EU pays the tax itself: the seller sits in another country."""
    sells_in_eu = any(one.country in EU_COUNTRIES | {EU_SCHEME} for one in seller.places)
    is_abroad = buyer.country != seller.country
    return sells_in_eu and is_abroad and is_eu_number(buyer.country, buyer.tax_number)


def _rates_of(
    terms: TaxTerms, place: Place, code: str, on: date, *, must_be: bool
) -> tuple[TaxRate, ...]:
    """Return what the seller charges there: the nation's part, and the region's own one.

    A region with rates in place of the nation's has those alone.
    """
    is_national = _has_national_duty(terms.seller, place.country)
    is_regional = place.region is not None and place in terms.seller.places
    if must_be and place.country in REGIONAL_COUNTRIES and place.region is None:
        raise Conflict(
            "tax_region_missing",
            f"Taxes in {place} depend on the region; set the account's region and try again.",
        )
    there = [one for one in terms.rates.get(place.country, ()) if one.holds_on(on)]
    of_region = _of_code([one for one in there if one.region == place.region is not None], code)
    instead = [one for one in of_region if one.replaces_national]
    of_nation = instead or _of_code([one for one in there if one.region is None], code)
    is_missing = (is_national and not of_nation) or (is_regional and not of_region)
    if must_be and is_missing:
        raise Conflict(
            "tax_rate_missing",
            f"There is no tax rate for {place}, tax code {code}, on {on}; add one and try again.",
        )
    national = of_nation if is_national or (is_regional and instead) else []
    beside = [one for one in of_region if not one.replaces_national] if is_regional else []
    return (*national, *beside)


def _of_code(rates: Sequence[TaxRate], code: str) -> list[TaxRate]:
    """Return the rates of this tax code; one that a place does not know is its standard."""
    special = [one for one in rates if one.tax_code == code]
    return special or [one for one in rates if one.tax_code == STANDARD]


def _has_national_duty(seller: Seller, country: str) -> bool:
    if country in WITHOUT_NATIONAL_TAX:
        return False
    is_in_eu = country in EU_COUNTRIES
    return Place(country) in seller.places or (is_in_eu and Place(EU_SCHEME) in seller.places)


def _exempt(exemption: Exemption, rates: Sequence[TaxRate]) -> Applied:
    """Return the one line that says why nothing is charged."""
    paper = "" if exemption.certificate is None else f" (certificate {exemption.certificate})"
    name = rates[0].name if rates else "Tax"
    return Applied(name, ZERO, "E", f"{exemption.reason}{paper}")


def _applied(rate: TaxRate) -> Applied:
    return Applied(rate.name, rate.percent, rate.category, rate.reason, rate.inclusive)
