"""`tallystick simulate` as a process: the outcome alone on standard output, and exit codes."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).parents[2] / "docs" / "scenarios"


def run(*arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run it below the folder of the tests' server, so that its own is made once."""
    home = Path(tempfile.gettempdir()) / f"tallystick-tests-{os.getuid()}"
    home.mkdir(mode=0o755, exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "tallystick", "simulate", *arguments],
        env={"PATH": os.environ["PATH"], "TALLYSTICK_HOME": str(home)},
        input=given, capture_output=True, check=False, timeout=120,
    )  # fmt: skip


def test_a_story_from_standard_input_prints_its_outcome_and_nothing_else() -> None:
    done = run("-", given=(SCENARIOS / "credits.json").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == (SCENARIOS / "outcomes" / "credits.json").read_bytes()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            b'{"steps": [{"at": "2026-01-01T00:00:00Z", "do": "subscribe", "plan": "x"}]}',
            b'tallystick: steps[0].plan: no plan "x"\n',
        ),
        (b"{", b"tallystick: The scenario is not well-formed JSON"),
    ],
    ids=["a plan that is not there", "no JSON"],
)
def test_what_can_not_be_told_is_a_sentence_and_exit_code_one(
    given: bytes, sentence: bytes
) -> None:
    done = run("-", given=given)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(sentence)


def test_a_file_that_is_not_there_is_a_sentence() -> None:
    done = run("/nowhere/story.json")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"can not be read" in done.stderr


def test_help_has_an_example() -> None:
    assert b"Example" in run("--help").stdout
