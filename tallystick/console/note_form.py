"""The form for a credit note: what was sent as what is asked for, and the note in words. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, get_args

import msgspec

from tallystick.console.formats import Formats
from tallystick.console.forms import read_key, text_field
from tallystick.console.invoice_views import Choice, TotalRow
from tallystick.credit_notes.model import CreditNote, NewNote, Reason, Rest, Take
from tallystick.invoices.model import Invoice, InvoiceLine
from tallystick.kernel import ids
from tallystick.kernel.errors import BadInput
from tallystick.money.amount import Money
from tallystick.money.errors import BadAmount
from tallystick.money.text import parse_money

LINES_MAX: Final = 1000
NAMED: Final = ("key", "extent", "use", "reason", "text")
USES: Final = (
    Choice("rest_credit", "First off what is due; what is over is kept for later invoices"),
    Choice("rest_refund", "First off what is due; what is over is to be paid back"),
)
REASONS: Final = tuple(Choice(one, one.replace("_", " ").capitalize()) for one in get_args(Reason))
_RESTS: Final[Mapping[str, Rest]] = {"rest_credit": "credit", "rest_refund": "refund"}


class PickLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line that can be chosen; `told` is the amount that was asked for."""

    id: str
    description: str
    amount: str
    is_chosen: bool
    told: str


class Hidden(msgspec.Struct, frozen=True):
    """A field that goes along from one page to the next."""

    name: str
    value: str


class PreviewLine(msgspec.Struct, frozen=True):
    """What the note takes of a line."""

    description: str
    amount: str
    net: str


class PreviewView(msgspec.Struct, frozen=True):
    """The note that would be issued."""

    lines: tuple[PreviewLine, ...]
    totals: tuple[TotalRow, ...]


def read_note(
    form: Mapping[str, object], chosen: Sequence[str], invoice: Invoice, locale: str
) -> NewNote:
    """Return what is asked for; `chosen` are the lines that were ticked.

    Raises BadInput for what no page offers, and for an amount that is none in the locale.
    """
    extent, use, reason = (text_field(form, name) for name in ("extent", "use", "reason"))
    if extent not in ("whole", "lines"):
        raise BadInput.field("extent", "invalid", "choose all that is left, or lines")
    if use not in _RESTS:
        raise BadInput.field("use", "invalid", "choose what becomes of it")
    if reason not in get_args(Reason):
        raise BadInput.field("reason", "invalid", "choose one of the reasons")
    takes = None
    if extent == "lines":
        takes = tuple(_takes(form, chosen, invoice, locale))
    return NewNote(
        invoice_id=invoice.invoice_id,
        reason=msgspec.convert(reason, Reason),
        text=text_field(form, "text"),
        takes=takes,
        rest=_RESTS[use],
        request_key=f"console:{read_key(form)}",
    )


def pick_lines(
    invoice: Invoice, form: Mapping[str, object], chosen: Sequence[str], formats: Formats
) -> tuple[PickLine, ...]:
    """Return the lines that a note can lower, as they were chosen so far."""
    return tuple(_pick(line, form, chosen, formats) for line in invoice.lines if _is_charge(line))


def kept_fields(form: Mapping[str, object], chosen: Sequence[str]) -> Iterator[Hidden]:
    """Yield what the preview hands on, so that what is issued is what was shown."""
    yield from (Hidden(name, text_field(form, name)) for name in NAMED)
    for line in chosen[:LINES_MAX]:
        yield Hidden("line", line)
        yield Hidden(f"amount_{line}", text_field(form, f"amount_{line}"))


def preview_view(note: CreditNote, formats: Formats) -> PreviewView:
    """Return the note in words."""
    lines = tuple(
        PreviewLine(
            one.description,
            formats.money(Money(one.amount_minor, note.currency)),
            formats.money(Money(one.net_minor, note.currency)),
        )
        for one in note.lines
    )
    return PreviewView(lines, tuple(_totals(note, formats)))


def _takes(
    form: Mapping[str, object], chosen: Sequence[str], invoice: Invoice, locale: str
) -> Iterator[Take]:
    if not 1 <= len(chosen) <= LINES_MAX:
        raise BadInput.field("line", "missing", "tick the lines that are to be credited")
    for line in chosen:
        told = text_field(form, f"amount_{line}").strip()
        minor = _minor(told, invoice.currency, locale) if told else None
        yield Take(invoice_line_id=ids.parse("invoice_line", line), amount_minor=minor)


def _minor(told: str, currency: str, locale: str) -> int:
    try:
        return parse_money(told, currency, locale).minor
    except BadAmount as error:
        raise BadInput.field("amount", error.code, f"{told}: {error}") from error


def _pick(
    line: InvoiceLine, form: Mapping[str, object], chosen: Sequence[str], formats: Formats
) -> PickLine:
    shown = ids.show("invoice_line", line.invoice_line_id)
    return PickLine(
        id=shown,
        description=line.description,
        amount=formats.money(line.amount),
        is_chosen=shown in chosen,
        told=text_field(form, f"amount_{shown}"),
    )


def _is_charge(line: InvoiceLine) -> bool:
    return line.amount.minor > 0


def _totals(note: CreditNote, formats: Formats) -> Iterator[TotalRow]:
    yield TotalRow("Subtotal after discounts", formats.money(note.subtotal))
    for tax in note.taxes:
        amount = formats.money(Money(tax.amount_minor, note.currency))
        yield TotalRow(f"{tax.name} {formats.percent(tax.percent)}", amount)
    yield TotalRow("Total", formats.money(note.total), "grand")
    parts = (
        ("Off what is due", note.offset),
        ("Kept for later invoices", note.credit),
        ("To be paid back", note.refund),
    )
    yield from (TotalRow(name, formats.money(part)) for name, part in parts if part.minor)
