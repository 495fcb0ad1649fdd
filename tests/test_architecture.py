"""The shape of the code is a test: import directions, sizes, rooms and their READMEs."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tallystick"
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "vendor" not in path.parts)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
NINE_IN_TEN_LINES_MAX = 30
# Where the outside is read: settings, the command line (its children's environment), setup.
ENVIRONMENT_READERS = {
    "settings.py",
    "cli.py",
    "cli_parts.py",
    "demo.py",
    "embedded.py",
    "__main__.py",
}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    body = node.body
    documented = (
        isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    )
    first = body[0]
    doc = (first.end_lineno or first.lineno) - first.lineno + 1 if documented else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - doc


def test_imports_go_down_only() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_stays_one_room(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES_MAX


def test_functions_are_short() -> None:
    lengths = [
        (length(node), f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
        for path in SOURCES
        for node in functions(path)
    ]
    too_long = [where for lines, where in lengths if lines > FUNCTION_LINES_MAX]
    assert not too_long
    short = sum(lines <= NINE_IN_TEN_LINES_MAX for lines, _ in lengths)
    assert short >= 0.9 * len(lengths)


def test_every_capability_says_what_it_owns() -> None:
    for folder in sorted(path for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()):
        readme = folder / "README.md"
        assert readme.is_file(), f"{folder.name} has no README.md"
        text = readme.read_text().lower()
        for word in ("owns", "does not own", "invariants"):
            assert word in text, f"{folder.name}/README.md does not say: {word}"


def test_sql_stands_in_stores_and_the_kernel_only() -> None:
    """A statement outside a store is a rule in the wrong room."""
    verbs = ("SELECT ", "INSERT INTO ", "UPDATE ", "DELETE FROM ", "WITH ")
    allowed = {"store.py", "meta.py"}
    wrong = []
    for path in SOURCES:
        if path.name in allowed or path.name.endswith("_store.py") or "kernel" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value.strip()
                if text.startswith(verbs) and (
                    " FROM " in text or " SET " in text or "INTO" in text
                ):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong


def test_the_environment_is_read_in_one_place() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.name not in ENVIRONMENT_READERS and "os.environ" in path.read_text()
    ]
    assert not wrong


def test_no_float_touches_an_amount() -> None:
    """`float(` stands nowhere in the rooms of money."""
    rooms = (
        "money",
        "pricing",
        "ledger",
        "documents",
        "invoices",
        "payments",
        "subscriptions",
        "metering",
        "credits",
    )
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for room in rooms
        for path in (PACKAGE / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "float"
    ]
    assert not wrong
