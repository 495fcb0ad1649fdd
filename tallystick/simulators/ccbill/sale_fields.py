"""What the webhooks of a sale say."""

import hashlib
from datetime import timedelta
from decimal import Decimal

from tallystick.simulators.ccbill.amounts import DIFFERENCE
from tallystick.simulators.ccbill.declines import Decline
from tallystick.simulators.ccbill.fields import CURRENCIES
from tallystick.simulators.ccbill.ids import MOUNTAIN, long_form
from tallystick.simulators.ccbill.model import Customer, StoredCard, Subscription, Terms
from tallystick.simulators.ccbill.state import State

Fields = dict[str, str]
NUMBERS = {code: number for number, code in CURRENCIES.items()}
SYMBOLS = {"USD": "$", "EUR": "\u20ac", "GBP": "\u00a3", "CAD": "$", "AUD": "$", "JPY": "\u00a5"}
CENT = Decimal("0.01")
# A failure tells no digits of the card.
CARD_DIGITS = ("bin", "last4", "expDate", "paymentAccount")


def money(state: State, amount: Decimal, currency: str) -> str:
    """Return an amount with two decimals; yen may have none (`yen_decimals`)."""
    if currency == "JPY" and not state.config.yen_decimals:
        return str(amount.to_integral_value())
    return str(amount.quantize(CENT))


def in_dollars(state: State, amount: Decimal, currency: str) -> Decimal:
    """Return what the merchant is credited with."""
    return (amount * state.config.rates_to_usd.get(currency, Decimal(1))).quantize(CENT)


def capture_style(amount: Decimal) -> str:
    """Return accounting prices as captures of sales have them: 18.0, 17.5, 17.25."""
    whole, _, cents = str(amount.quantize(CENT)).partition(".")
    return f"{whole}.{cents[0]}{cents[1].rstrip('0')}"


def stamp(state: State) -> str:
    """Return the time as webhooks write it: Mountain time, without a zone."""
    return f"{state.now().astimezone(MOUNTAIN):%Y-%m-%d %H:%M:%S}"


def card_fields(card: StoredCard) -> Fields:
    """Return what webhooks say of a card."""
    return {
        "paymentType": "CREDIT",
        "cardType": card.brand,
        "bin": card.bin,
        "last4": card.last4,
        "expDate": f"{card.exp_month:02d}{card.exp_year % 100:02d}",
        "paymentAccount": card.account,
    }


def person_fields(customer: Customer) -> Fields:
    """Return what webhooks say of the consumer: the password in clear, as CCBill does."""
    return {
        "firstName": customer.first_name,
        "lastName": customer.last_name,
        "address1": customer.address1,
        "city": customer.city,
        "state": customer.state,
        "country": customer.country,
        "postalCode": customer.zipcode,
        "email": customer.email,
        "phoneNumber": customer.phone_number,
        "ipAddress": customer.ip_address,
        "username": customer.username or "simconsumer",
        "password": customer.password or "sim-Password-1",
    }


def describe(state: State, terms: Terms) -> tuple[str, str]:
    """Return the description of the whole price, and of its recurring part."""
    symbol = SYMBOLS[terms.currency]
    first = money(state, terms.initial_price, terms.currency)
    start = f"{symbol}{first}({terms.currency}) for {terms.initial_period} days"
    if terms.recurring_price is None:
        return f"{start} (non-recurring)", ""
    again = money(state, terms.recurring_price, terms.currency)
    rest = f"{symbol}{again}({terms.currency}) recurring every {terms.recurring_period} days"
    trial = " (trial)" if terms.recurring_price != terms.initial_price else ""
    return f"{start}{trial} then {rest}", rest


def success_fields(state: State, sold: Subscription, kind: str, *, differs: bool = False) -> Fields:
    """Return the body that tells of a sale; the amounts are too high when it `differs`."""
    body = _core(state, sold, DIFFERENCE if differs else Decimal(0))
    body["subscriptionId"] = long_form(sold.id)
    if sold.terms.recurring_price is not None and sold.terms.rebills:
        renews = sold.created_at.astimezone(MOUNTAIN) + timedelta(days=sold.terms.initial_period)
        body["nextRenewalDate"] = f"{renews:%Y-%m-%d}"
    if kind == "NewSale":
        body["dynamicPricingValidationDigest"] = digest(state, body["subscriptionId"], "1")
    return _filled({**body, **_origin(sold, kind)})


def failure_fields(state: State, sold: Subscription, kind: str, decline: Decline) -> Fields:
    """Return the body that tells of a refusal: no subscription, no digits of the card."""
    body = _core(state, sold, Decimal(0))
    for name in CARD_DIGITS:
        del body[name]
    body["failureReason"] = decline.failure_reason
    body["failureCode"] = decline.failure_code
    if kind == "NewSale":
        body["dynamicPricingValidationDigest"] = digest(state, body["transactionId"], "0")
    return _filled({**body, **_origin(sold, kind)})


def digest(state: State, identifier: str, outcome: str) -> str:
    """Return the digest that dynamic pricing forms are checked with: MD5 is CCBill's choice."""
    text = f"{identifier}{outcome}{state.config.salt}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _core(state: State, sold: Subscription, more: Decimal) -> Fields:
    whole, rest = describe(state, sold.terms)
    price = money(state, sold.terms.initial_price + more, sold.terms.currency)
    prefix = "X-" if sold.form_name else state.config.pass_through_prefix
    return {
        "transactionId": long_form(sold.id),
        "clientAccnum": str(sold.accnum),
        "clientSubacc": f"{sold.subacc:04d}",
        "timestamp": stamp(state),
        **person_fields(sold.customer),
        "formName": sold.form_name,
        "flexId": sold.flex_id,
        "priceDescription": whole,
        "recurringPriceDescription": rest,
        **_prices(state, sold.terms, more),
        "initialPeriod": str(sold.terms.initial_period),
        "recurringPeriod": str(sold.terms.recurring_period),
        "rebills": str(sold.terms.rebills),
        "subscriptionTypeId": "0000000464",
        **card_fields(sold.card),
        "referringUrl": "none",
        "lifeTimeSubscription": str(int(sold.terms.lifetime)),
        "lifeTimePrice": price if sold.terms.lifetime else "",
        "threeDSecure": "AUTH_SUCCESS" if sold.authenticated else "NOT_APPLICABLE",
        **{f"{prefix}{name}": value for name, value in sold.extras.items()},
    }


def _prices(state: State, terms: Terms, more: Decimal) -> Fields:
    prices: Fields = {}
    for name, price in (("Initial", terms.initial_price), ("Recurring", terms.recurring_price)):
        if price is None:
            # Captured sales without rebills have a recurring price of nought, in dollars none.
            price, dollars = Decimal(0), ""  # noqa: PLW2901 one price after the other
        else:
            dollars = capture_style(in_dollars(state, price + more, terms.currency))
        for which in ("billed", "subscription"):
            prices[f"{which}{name}Price"] = money(state, price + more, terms.currency)
        prices[f"accounting{name}Price"] = dollars
    for which, code in (("billed", terms.currency), ("subscription", terms.currency),
                        ("accounting", "USD")):  # fmt: skip
        prices[f"{which}Currency"] = code
        prices[f"{which}CurrencyCode"] = NUMBERS[code]
    return prices


def _origin(sold: Subscription, kind: str) -> Fields:
    if kind == "NewSale":
        return {}
    name = "Merchant" if kind == "Upgrade" else "Client"
    accnum = sold.accnum if sold.original_accnum is None else sold.original_accnum
    subacc = sold.subacc if sold.original_subacc is None else sold.original_subacc
    return {
        # A token of a card has no earlier sale: the sale names itself (not known of CCBill).
        "originalSubscriptionId": long_form(sold.original_id or sold.id),
        f"original{name}Accnum": str(accnum),
        f"original{name}Subacc": f"{subacc:04d}",
        "source": sold.source,
        "scaResponseStatus": "Y" if sold.authenticated else "",
    }


def _filled(body: Fields) -> Fields:
    return {name: value for name, value in body.items() if value != ""}
