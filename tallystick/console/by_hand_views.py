"""How an invoice is paid by hand, as it stands on its page. Pure."""

from collections.abc import Iterator

import msgspec

from tallystick.console.formats import Formats
from tallystick.console.invoice_views import Fact
from tallystick.documents.payment_view import grouped
from tallystick.payments.instructions import Instructions


class WayView(msgspec.Struct, frozen=True):
    """A way of paying, and what to do, line by line."""

    name: str
    lines: tuple[str, ...]


class ByHandView(msgspec.Struct, frozen=True):
    """Where to send how much, in the issuer's words, and other ways."""

    facts: tuple[Fact, ...]
    lines: tuple[str, ...]
    ways: tuple[WayView, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nobody said how to pay by hand."""
        return not (self.facts or self.lines or self.ways)


def by_hand_view(told: Instructions, formats: Formats) -> ByHandView:
    """Return how to pay an invoice by hand."""
    return ByHandView(
        facts=tuple(_facts(told, formats)) if told.bank else (),
        lines=tuple((told.text or "").splitlines()),
        ways=tuple(
            WayView(way.name, tuple((way.instructions or "").splitlines())) for way in told.ways
        ),
    )


def _facts(told: Instructions, formats: Formats) -> Iterator[Fact]:
    bank = told.bank
    if bank is None:
        return
    yield Fact("Amount", formats.money(told.due))
    yield Fact("Account holder", told.holder)
    yield Fact("IBAN", grouped(bank.iban))
    if bank.bic:
        yield Fact("BIC", bank.bic)
    if bank.bank_name:
        yield Fact("Bank", bank.bank_name)
    yield Fact("Reference", told.reference)
