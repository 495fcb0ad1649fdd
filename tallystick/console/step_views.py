"""What finance can do about an invoice, in words; which of it is possible says the domain. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tallystick.console.formats import Formats
from tallystick.invoices.closing_store import Closing
from tallystick.invoices.lifecycle import TRANSITIONS
from tallystick.invoices.model import Event, Invoice, Status
from tallystick.kernel import ids
from tallystick.money.amount import Money


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do, and the page that asks whether it is meant.

    `button` stands on the invoice, `confirm` on the page; `fields` are what the page asks for.
    """

    name: str
    button: str
    title: str
    sentence: str
    confirm: str
    done: str
    fields: tuple[str, ...] = ()
    is_danger: bool = False


class ClosingRow(msgspec.Struct, frozen=True, kw_only=True):
    """The invoice was closed without payment, or opened again."""

    what: str
    when: str
    why: str
    who: str
    amount: str
    replaced_by: str


_ALL: Final = (
    Step(
        name="finalize",
        button="Finalize",
        title="Finalize",
        sentence="The draft gets its number and the taxes of today, and is collected. "
        "It never changes afterwards.",
        confirm="Finalize it",
        done="The invoice is final.",
    ),
    Step(
        name="discard",
        button="Discard",
        title="Discard",
        sentence="The draft is thrown away; nobody can bring it back.",
        confirm="Discard it",
        done="The draft was discarded.",
        is_danger=True,
    ),
    Step(
        name="send",
        button="Send by e-mail",
        title="Send by e-mail",
        sentence="The invoice goes out with its PDF. All who get it see all addresses.",
        confirm="Send it",
        done="The mail waits to be sent; the list of mails shows what becomes of it.",
        fields=("to", "key"),
    ),
    Step(
        name="write-off",
        button="Write off",
        title="Write off",
        sentence="What is due is given up as bad debt. Money that comes all the same is taken.",
        confirm="Write it off",
        done="The invoice was written off.",
        fields=("reason",),
        is_danger=True,
    ),
    Step(
        name="void",
        button="Void",
        title="Void",
        sentence="The invoice counts no longer: its entries are reversed, and what it used of "
        "coupons and credit is given back. Its number stays taken, and it can not be undone.",
        confirm="Void it",
        done="The invoice is void.",
        fields=("rebill", "reason"),
        is_danger=True,
    ),
    Step(
        name="reopen",
        button="Reopen",
        title="Reopen",
        sentence="The invoice was written off; it is collected again.",
        confirm="Reopen it",
        done="The invoice is collected again.",
        fields=("reason",),
    ),
)
STEPS: Final[Mapping[str, Step]] = {step.name: step for step in _ALL}
_MORE_DONE: Final = {
    "credit-note": "The credit note was issued.",
    "refund": "The credit note was issued; below stands what became of its refund.",
}
_EVENTS: Final = {
    "finalize": Event.FINALIZE,
    "discard": Event.FINALIZE,
    "write-off": Event.WRITE_OFF,
    "void": Event.CANCEL,
    "reopen": Event.REOPEN,
}
_CLOSINGS: Final = {"void": "Voided", "write_off": "Written off", "reopen": "Reopened"}


def steps_of(invoice: Invoice, *, mail_is_on: bool) -> Iterator[Step]:
    """Yield what can be done now, as the invoice's own table of states has it."""
    for step in _ALL:
        event = _EVENTS.get(step.name)
        if event is None:
            if mail_is_on and invoice.status is not Status.DRAFT:
                yield step
        elif (invoice.status, event) in TRANSITIONS:
            yield step


def done_text(done: str) -> str:
    """Return what is said after a step; nothing for what is none."""
    if done in _MORE_DONE:
        return _MORE_DONE[done]
    return STEPS[done].done if done in STEPS else ""


def closing_rows(
    closings: Sequence[Closing], currency: str, formats: Formats
) -> tuple[ClosingRow, ...]:
    """Return what became of an invoice, oldest first."""
    return tuple(
        ClosingRow(
            what=_CLOSINGS[one.kind],
            when=formats.instant(one.closed_at),
            why=one.reason,
            who=one.actor,
            amount=formats.money(Money(one.amount_minor, currency)),
            replaced_by=ids.show("invoice", one.replaced_by) if one.replaced_by else "",
        )
        for one in closings
    )
