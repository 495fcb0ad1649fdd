"""Tax on an invoice: once per rate, on the sum of the lines that it applies to.

Rounding each line's tax instead would drift from what the customer can check with a calculator:
three lines of 0.33 at 20% are 0.198, so 0.20; line by line they would be 3 x 0.07 = 0.21.
"""

from tallystick.accounts.model import Account
from tallystick.documents.document import TaxLine
from tallystick.money.amount import Money
from tallystick.money.exact import multiply, shift
from tallystick.money.rounding import round_decimal


def taxes_on(base: Money, account: Account) -> tuple[TaxLine, ...]:
    """Return the tax lines for what is taxed; none for an account without a rate.

    A rate of zero is a line too: the invoice then says that nothing was charged, and under which
    name.
    """
    if account.tax_name is None or account.tax_percent is None:
        return ()
    exact = multiply(base.to_decimal(), shift(account.tax_percent, -2))
    amount = round_decimal(exact, base.currency)
    return (TaxLine(account.tax_name, account.tax_percent, base.minor, amount.minor),)
