"""Tax rates as a file: groups of rates, each with where it was looked up and when."""

from datetime import date
from typing import Any

import msgspec

from tallystick.api.admin_taxes import TaxRateFields, new_rate
from tallystick.api.strict import Body, decode
from tallystick.catalog.faults import raise_any, under
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.taxes.model import NewTaxRate


class _Group(Body, frozen=True, kw_only=True):
    """Rates of one source."""

    source: str
    looked_up_on: date
    rates: tuple[TaxRateFields, ...]


class _File(Body, frozen=True, kw_only=True):
    """A whole file."""

    groups: tuple[_Group, ...]


def parse_rates(document: Any) -> tuple[NewTaxRate, ...]:
    """Return the rates that a document (dicts, lists, texts) describes, in its order.

    Raises BadInput with every fault that can be seen without a database, each with its path.
    """
    file: _File = decode(msgspec.json.encode(document), _File)
    wrong: list[FieldError] = []
    rates: list[NewTaxRate] = []
    for number, group in enumerate(file.groups):
        for at, told in enumerate(group.rates):
            try:
                rates.append(new_rate(told, group.source, group.looked_up_on))
            except BadInput as error:
                wrong.extend(under(f"groups[{number}].rates[{at}]", error.errors))
    raise_any(wrong)
    return tuple(rates)
