"""Prices and periods of a sale: which of them CCBill takes."""

from decimal import Decimal

from tallystick.simulators.ccbill.config import Config
from tallystick.simulators.ccbill.fields import REQUIRED, VALUES, Fields
from tallystick.simulators.ccbill.model import UNTIL_CANCELLED, Terms

DAYS_MAX = 9999


def read(fields: Fields, config: Config, rebills: str = "rebills") -> Terms:
    """Return what is to be sold; what is wrong with it is noted in `fields`.

    CCBill's wording for prices out of range is not known; ours names the range.
    """
    currency = fields.currency("currencyCode")
    low, high = config.initial_period_min, config.initial_period_max
    period = fields.whole("initialPeriod", 0, DAYS_MAX)
    if fields.has("initialPeriod") and not low <= period <= high:
        fields.blame("initialPeriod", f"{VALUES} Must be {low} to {high} days.")
    price = _price(fields, config, "initialPrice", currency, required=True)
    recurring = _price(fields, config, "recurringPrice", currency, required=False)
    days = fields.whole("recurringPeriod", 0, DAYS_MAX, 0)
    count = fields.whole(rebills, 0, UNTIL_CANCELLED, 0)
    if recurring and not days:
        fields.blame("recurringPeriod", REQUIRED)
    elif days and not recurring:
        fields.blame("recurringPrice", REQUIRED)
    elif days and days not in config.recurring_periods:
        known = ", ".join(map(str, config.recurring_periods))
        fields.blame("recurringPeriod", f"{VALUES} Must be one of {known} days.")
    return Terms(
        initial_price=price or Decimal(0),
        initial_period=period,
        currency=currency,
        recurring_price=recurring or None,
        recurring_period=days,
        rebills=count,
        lifetime=fields.flag("lifeTimeSubscription"),
    )


def _price(
    fields: Fields, config: Config, name: str, currency: str, *, required: bool
) -> Decimal | None:
    price = fields.price(name, required=required)
    if price is None or (not required and price == 0):
        return None
    low, high = config.price_limits.get(currency) or config.price_limits["*"]
    if not low <= price <= high:
        fields.blame(name, f"{VALUES} Must be {low} to {high} {currency}.")
    return price
