"""What users meet is documented: settings, commands, error codes, events, decisions' links."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tallystick.alerts import events as alert_events
from tallystick.cli import cli
from tallystick.corrections import events as correction_events
from tallystick.credit_notes import events as credit_note_events
from tallystick.credits import events as credit_events
from tallystick.invoices import events as invoice_events
from tallystick.kernel import errors
from tallystick.kernel.ids import PREFIXES
from tallystick.money import errors as money_errors
from tallystick.payments import events as payment_events
from tallystick.settings import VARIABLES
from tallystick.subscriptions import events as subscription_events

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SOURCES = [path for path in (ROOT / "tallystick").rglob("*.py") if "simulators" not in path.parts]
EVENT_MODULES = (
    alert_events, correction_events, credit_note_events, credit_events, invoice_events,
    payment_events, subscription_events,
)  # fmt: skip
KINDS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.TallystickError)
}


def text_at(call: ast.Call, position: int) -> str | None:
    if len(call.args) <= position:
        return None
    argument = call.args[position]
    is_text = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    return str(argument.value) if is_text and isinstance(argument, ast.Constant) else None


def codes_of(call: ast.Call) -> Iterator[str]:
    """Yield the code of an error, or of a field's error, that this call makes."""
    function = call.func
    if isinstance(function, ast.Name) and function.id in KINDS:
        yield text_at(call, 0) or ""
    if isinstance(function, ast.Name) and function.id == "FieldError":
        yield text_at(call, 1) or ""
    if isinstance(function, ast.Attribute) and function.attr == "field":
        yield text_at(call, 1) or ""
    if isinstance(function, ast.Name) and function.id == "unknown":
        kind = text_at(call, 0)
        yield f"{kind}_not_found" if kind in PREFIXES else ""


def raised_codes() -> set[str]:
    found = {
        code
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        for code in codes_of(node)
    }
    found |= {
        kind.default_code
        for kind in vars(money_errors).values()
        if isinstance(kind, type) and issubclass(kind, money_errors.MoneyError)
    }
    return found - {"", "money_error", money_errors.MoneyError.default_code}


@pytest.mark.parametrize("code", sorted(raised_codes()))
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in (DOCS / "errors.md").read_text()


@pytest.mark.parametrize("variable", [variable.name for variable in VARIABLES])
def test_every_setting_is_documented(variable: str) -> None:
    assert f"`{variable}`" in (DOCS / "settings.md").read_text()


def command_names(app: typer.Typer, prefix: str) -> Iterator[str]:
    for command in app.registered_commands:
        assert command.callback is not None
        yield f"{prefix} {command.name or command.callback.__name__}"
    for group in app.registered_groups:
        assert group.typer_instance is not None
        yield from command_names(group.typer_instance, f"{prefix} {group.name or 'simulators'}")


@pytest.mark.parametrize("command", list(command_names(cli, "tallystick")))
def test_every_command_is_documented(command: str) -> None:
    assert f"`{command}`" in (DOCS / "commands.md").read_text()


def test_every_event_is_documented() -> None:
    kinds = {
        value
        for module in EVENT_MODULES
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and "." in value
    }
    assert kinds
    text = (DOCS / "events.md").read_text()
    assert not {kind for kind in kinds if f"`{kind}`" not in text}


@pytest.mark.parametrize(
    "path", [*DOCS.rglob("*.md"), ROOT / "README.md"], ids=lambda path: path.name
)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target
