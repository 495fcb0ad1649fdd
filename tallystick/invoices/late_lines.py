"""From usage that changed after it was billed to the lines that put it right. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

from tallystick.catalog.model import Meter
from tallystick.invoices.billed_fees import without_discount
from tallystick.invoices.derivation import Derivation
from tallystick.invoices.discount_back import DiscountBack
from tallystick.invoices.model import DraftLine
from tallystick.invoices.usage_change import Billed, ChangedUsage, difference
from tallystick.invoices.usage_lines_model import PriceKey, UsageLine
from tallystick.money.amount import Money
from tallystick.money.exact import canonical, plain, subtract, total
from tallystick.pricing.use import Use


def late_lines(
    lines: Sequence[UsageLine],
    earlier: Mapping[PriceKey, Billed],
    uses: Mapping[PriceKey, Sequence[Use]],
    meters: Mapping[str, Meter],
    plans: Mapping[PriceKey, str],
    *,
    taken: Mapping[PriceKey, int],
) -> Iterator[DraftLine]:
    """Yield a line for each price of each invoice that comes to another amount now.

    `lines` are all that invoices billed for usage, `earlier` what later ones added or gave back,
    `uses` what was used as it is known now. `meters` go by code, `plans` are the codes of the plans
    that were billed, `taken` is what coupons took off what was billed so far, in minor units: their
    share is taken back where a line gives back.
    """
    for key, own in _by_price(lines).items():
        first = own[0]
        nothing = Money.zero(first.amount.currency)
        was = earlier.get(key)
        billed = sum((line.amount for line in own), nothing)
        changed = ChangedUsage(
            invoice_id=first.invoice_id,
            number=first.number,
            billed_minor=billed.minor + (was.minor if was else 0),
            old_quantity=was.quantity if was else _quantity(own),
            new_quantity=canonical(total(use.quantity for use in uses[key])),
            uses=tuple(uses[key]),
        )
        amount = difference(first.derivation.price, changed, first.derivation.part)
        if not amount.is_zero():
            line = _line(first, changed, amount, meters[first.meter_code], plans.get(key))
            yield _less_discount(line, changed, taken.get(key, 0))


def _less_discount(line: DraftLine, changed: ChangedUsage, taken_minor: int) -> DraftLine:
    if not taken_minor or line.amount.minor > 0:
        return line
    was = DiscountBack(
        invoice_id=changed.invoice_id,
        number=changed.number,
        billed_minor=changed.billed_minor,
        taken_minor=taken_minor,
        until_minor=changed.billed_minor,
    )
    return without_discount(line, was)


def _by_price(lines: Sequence[UsageLine]) -> dict[PriceKey, list[UsageLine]]:
    found: dict[PriceKey, list[UsageLine]] = {}
    for line in lines:
        found.setdefault(line.price_key, []).append(line)
    return found


def _quantity(lines: Sequence[UsageLine]) -> Decimal:
    return canonical(total(line.quantity for line in lines if line.kind == "usage"))


def _line(
    first: UsageLine, changed: ChangedUsage, amount: Money, meter: Meter, plan_code: str | None
) -> DraftLine:
    was = first.derivation
    old, new = plain(changed.old_quantity), plain(changed.new_quantity)
    return DraftLine(
        kind="adjustment",
        description=f"{meter.name}: {new} instead of {old}, billed by invoice {changed.number}",
        price_code=was.price.code,
        meter_code=meter.code,
        quantity=canonical(subtract(changed.new_quantity, changed.old_quantity)),
        unit=meter.unit,
        period_start=first.period_start,
        period_end=first.period_end,
        amount=amount,
        plan_code=plan_code,
        subscription_id=first.subscription_id,
        derivation=Derivation(
            kind="change",
            plan_version_id=was.plan_version_id,
            price=was.price,
            quantity=changed.new_quantity,
            period_start=first.period_start,
            period_end=first.period_end,
            steps=(),
            exact=amount.to_decimal(),
            currency=amount.currency,
            rounding="half_away_from_zero",
            part=was.part,
            changed=changed,
        ),
    )
