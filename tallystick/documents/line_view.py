"""The lines of a document and the steps of their amounts, in words ready to print."""

from collections.abc import Iterator
from decimal import Decimal
from typing import TypeAlias

from tallystick.documents.document import DocumentLine, LineDetail
from tallystick.documents.labels import Words
from tallystick.documents.writer import Writer

View: TypeAlias = "str | int | bool | list[View] | dict[str, View] | None"


def columns(lines: tuple[DocumentLine, ...]) -> View:
    """Return the columns that hold something: a flat fee needs no quantity."""
    steps = [step for line in lines for step in line.details]
    used = {
        "description": True,
        "period": any(line.period_start for line in lines),
        "quantity": any(of.quantity is not None for of in lines)
        or any(of.quantity is not None for of in steps),
        "unit_price": any(of.unit_price is not None for of in lines)
        or any(of.unit is not None for of in steps),
        "amount": True,
    }
    return [name for name, wanted in used.items() if wanted]


def lines_view(lines: tuple[DocumentLine, ...], words: Words, write: Writer) -> Iterator[View]:
    """Yield the lines, and above the first of each plan, where there are several, its name."""
    above: str | None = None
    for line in lines:
        heading = line.heading if line.heading != above else None
        yield {**_line(line, words, write), "heading": heading}
        above = line.heading


def _line(line: DocumentLine, words: Words, write: Writer) -> dict[str, View]:
    period = None
    if line.period_start and line.period_end:
        period = write.period(line.period_start, line.period_end)
    return {
        "description": line.description,
        "period": period,
        "quantity": _quantity(line.quantity, line.unit, write),
        "unit_price": write.price(line.unit_price),
        "amount": write.money(line.amount_minor),
        "details": [_detail(step, words, write) for step in line.details],
    }


def _detail(step: LineDetail, words: Words, write: Writer) -> View:
    return {
        "description": _step_label(step, words, write),
        "quantity": _quantity(step.quantity, None, write),
        "unit_price": _amount(step.unit, step, write),
        "amount": _amount(step.amount, step, write),
    }


def _step_label(step: LineDetail, words: Words, write: Writer) -> str:
    if step.kind == "included" and step.up_to is not None:
        return words["included_of"].format(up_to=write.number(step.up_to))
    figures = _figures(step, words, write)
    is_tiered = step.kind == "block" and (step.from_ or step.up_to is not None)
    label = words["block_tier" if is_tiered else step.kind].format_map(figures)
    if step.kind == "tier":
        label = figures["range"]
    if step.fixed and step.event_count:
        label = words["with_fixed"].format_map({**figures, "label": label})
    if step.flat and step.kind in ("tier", "volume", "percentage_tier"):
        return words["with_flat"].format_map({**figures, "label": label})
    return label


def _figures(step: LineDetail, words: Words, write: Writer) -> dict[str, str]:
    """Return the numbers of a step as they are printed within a label."""
    events = write.number(Decimal(step.event_count or 0))
    found = {"range": _range(step, words, write), "events": events}
    for name in ("fixed", "flat", "unit"):
        found[name] = _amount(getattr(step, name), step, write) or ""
    if step.up_to is not None:
        found["up_to"] = write.number(step.up_to)
    if step.size is not None:
        found["size"] = write.number(step.size)
    if step.rate is not None:
        found["rate"] = write.percent(step.rate)
    return found


def _amount(amount: Decimal | None, step: LineDetail, write: Writer) -> str | None:
    """Return an amount of a step: money, or in the custom unit of its price."""
    if amount is not None and step.custom_unit is not None:
        return f"{write.number(amount)} {step.custom_unit}"
    return write.price(amount)


def _range(step: LineDetail, words: Words, write: Writer) -> str:
    """Return which units a tier covers: "First 1,000", "Over 1,000 up to 5,000", "Over 5,000"."""
    bounds = {"from": step.from_ or None, "up_to": step.up_to}
    shown = {name: write.number(value) for name, value in bounds.items() if value is not None}
    known = ("from" in shown, "up_to" in shown)
    names = {(False, True): "tier_first", (True, True): "tier_middle", (True, False): "tier_last"}
    return words[names.get(known, "tier")].format_map(shown)


def _quantity(quantity: Decimal | None, unit: str | None, write: Writer) -> View:
    return None if quantity is None else {"number": write.number(quantity), "unit": unit}
