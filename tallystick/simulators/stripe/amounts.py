"""Which amounts and currencies a charge may have (https://docs.stripe.com/currencies).

Amounts are whole minor units; currency codes are lower case, as on Stripe's wire.
"""

from iso4217 import Currency

from tallystick.simulators.stripe.errors import StripeError, invalid

AMOUNT_MAX = 99_999_999

# Stripe's smallest charges. Other currencies have a smallest charge by the settlement currency
# of the account, which a simulator has no rate for: one minor unit there.
AMOUNT_MIN = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000,
    "myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
}  # fmt: skip

ZERO_DECIMAL = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split(),  # noqa: SIM905 shorter
)
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})


def check(amount: int, currency: str) -> None:
    """Refuse what can not be charged: too little, too much, or a fraction that no card has."""
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param="amount",
        )
    if amount > AMOUNT_MAX:
        raise _out_of_bounds("amount_too_large", "no more than", AMOUNT_MAX, currency)
    least = AMOUNT_MIN.get(currency, 1)
    if amount < least:
        raise _out_of_bounds("amount_too_small", "at least", least, currency)
    if currency in THREE_DECIMAL and amount % 10:
        raise invalid(
            f"Amounts in {currency} must end in 0: {amount} does not.",
            code="parameter_invalid_integer",
            param="amount",
        )


def read_currency(code: str) -> str:
    """Return the code in lower case. Raises StripeError when there is no such currency."""
    lower = code.lower()
    if lower.upper() not in {currency.code for currency in Currency}:
        raise invalid(f"Invalid currency: {code}.", param="currency")
    return lower


def shown(amount: int, currency: str) -> str:
    """Return the amount for people: `$0.50 usd`-like, `1234 jpy` without decimals."""
    if currency in ZERO_DECIMAL:
        return f"{amount} {currency}"
    places = 3 if currency in THREE_DECIMAL else 2
    whole, part = divmod(amount, 10**places)
    sign = "$" if currency == "usd" else ""
    return f"{sign}{whole}.{part:0{places}} {currency}"


def _out_of_bounds(code: str, words: str, bound: int, currency: str) -> StripeError:
    message = f"Amount must be {words} {shown(bound, currency)}"
    return invalid(message, code=code, param="amount")
