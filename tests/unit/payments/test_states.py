"""The diagram of states in the README is what the code does, no more and no less."""

import re
from pathlib import Path

import tallystick.payments
from tallystick.payments.lifecycle import ATTEMPT_TRANSITIONS, PAYMENT_TRANSITIONS
from tallystick.payments.refund_states import TRANSITIONS as REFUND_TRANSITIONS

README = Path(tallystick.payments.__file__).with_name("README.md")
ARROW = re.compile(r"(\w+) ─(\w+)→ (\w+)")


def drawn(about: str) -> set[tuple[str, str, str]]:
    """Return the moves that are drawn in the block behind these words."""
    block = README.read_text().split(about, 1)[1].split("```", 2)[1]
    return {(was, event, now) for was, event, now in ARROW.findall(block)}


def test_the_payments_diagram_is_its_table() -> None:
    table = {(str(was), str(on), str(now)) for (was, on), now in PAYMENT_TRANSITIONS.items()}
    assert drawn("A **payment**") == table


def test_the_attempts_diagram_is_its_table() -> None:
    table = {(str(was), str(on), str(now)) for (was, on), now in ATTEMPT_TRANSITIONS.items()}
    assert drawn("An **attempt**") == table


def test_the_refunds_diagram_is_its_table() -> None:
    table = {(str(was), str(on), str(now)) for (was, on), now in REFUND_TRANSITIONS.items()}
    assert drawn("A **refund** at") == table
