"""Every difference that `verify` can tell stands in docs/verify.md, and no other."""

import re
from pathlib import Path
from typing import get_args

from tallystick.ledger.verify import Verdict

ROOT = Path(__file__).parents[3]
SOURCES = (
    "tallystick/ledger/verify.py",
    "tallystick/ledger/verify_notes.py",
    "tallystick/credits/verify.py",
)
SAID = re.compile(
    r'(?:Difference\(\s*"\w+",\s*|"(?:integrity|completeness)",\s*|_difference\(|_missing\(move,\s*)'
    r'"(\w+)"'
)
TABLED = re.compile(r'^    [A-Z_]+: \("[^"]+", "(\w+)"\),$', re.MULTILINE)
LISTED = re.compile(r"`(\w+)`")


def test_each_difference_is_documented() -> None:
    sources = [(ROOT / path).read_text() for path in SOURCES]
    said = {code for text in sources for how in (SAID, TABLED) for code in how.findall(text)}
    said -= set(get_args(Verdict))
    text = (ROOT / "docs/verify.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert len(said) > 20
    assert said == {code for row in rows for code in LISTED.findall(row)}
