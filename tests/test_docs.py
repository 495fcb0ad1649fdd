"""What users meet is documented: settings, commands, error codes, events, decisions' links."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from tallystick.api.event_types import EVENT_TYPES
from tallystick.cli import cli
from tallystick.kernel import errors
from tallystick.kernel.ids import PREFIXES
from tallystick.money import errors as money_errors
from tallystick.settings import VARIABLES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SOURCES = [path for path in (ROOT / "tallystick").rglob("*.py") if "simulators" not in path.parts]
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
    told = re.findall(
        r"^\| `([a-z_]+\.[a-z_]+)` \|", (DOCS / "events.md").read_text(), re.MULTILINE
    )
    assert sorted(told) == list(EVENT_TYPES)


def test_every_event_can_be_asked_for() -> None:
    """The types of all events are those of the modules that event_types.py names."""
    found = {
        kind
        for path in SOURCES
        if path.name == "events.py" and path.parent.name != "api"
        for kind in re.findall(
            r'^[A-Z_]+: Final = "([a-z_]+\.[a-z_]+)"', path.read_text(), re.MULTILINE
        )
    }
    assert found == set(EVENT_TYPES)


@pytest.mark.parametrize(
    "path", [*DOCS.rglob("*.md"), ROOT / "README.md"], ids=lambda path: path.name
)
def test_links_between_pages_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text()):
        if not target.startswith("http"):
            assert (path.parent / target).exists(), target
