"""The commands as processes: sentences instead of stack traces, and exit codes."""

import os
import subprocess
import sys

import pytest


def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **variables}
    return subprocess.run(
        [sys.executable, "-m", "tallystick", *arguments],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    "command", ["serve", "worker", "demo", "migrate", "check", "openapi", "rate", "simulators"]
)
def test_help_shows_what_a_command_does(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "Usage" in done.stdout


def test_rate_answers_each_line_and_tells_by_its_exit_code_that_one_was_bad() -> None:
    price = '{"model":"per_unit","currency":"USD","unit":"0.02"}'
    good = f'{{"id":"a","price":{price},"usage":{{"quantity":"12.5"}}}}\n'
    for text, code, count in ((good, 0, 1), (f"nonsense\n{good}", 1, 2)):
        done = subprocess.run(
            [sys.executable, "-m", "tallystick", "rate", "--explain"],
            input=text, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (code, "")
        lines = done.stdout.splitlines()
        assert len(lines) == count
        assert lines[-1].startswith('{"id":"a","amount":"0.25","currency":"USD","steps":[')


def test_help_does_not_load_the_server() -> None:
    code = (
        "import sys, tallystick.cli; sys.exit(any(n.startswith('litestar') for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_migrate_then_check_is_content(dsn: str) -> None:
    done = run("migrate", DATABASE_URL=dsn)
    assert (done.returncode, done.stderr.strip()) == (0, "the database is up to date")
    checked = run("check", DATABASE_URL=dsn)
    assert (checked.returncode, "No issuer is complete" in checked.stdout) == (0, True)


def test_the_first_person_of_the_business_gets_a_password(dsn: str) -> None:
    run("migrate", DATABASE_URL=dsn)
    ann = ("staff", "add", "Ann@example.com", "--name", "Ann")
    made = run(*ann, DATABASE_URL=dsn)
    assert made.returncode == 0, made.stderr
    password = made.stdout.splitlines()[0].split()[-1]
    assert len(password) >= 16
    twice = run(*ann, DATABASE_URL=dsn)
    assert (twice.returncode, "exists already" in twice.stderr) == (1, True)
    again = run(*ann, "--role", "finance", "--again", DATABASE_URL=dsn)
    assert again.stdout.startswith("finance")
    assert password not in again.stdout
    assert run(*ann, "--role", "king", DATABASE_URL=dsn).returncode == 1


def test_check_names_every_problem_without_the_password() -> None:
    done = run(
        "check",
        DATABASE_URL="postgresql://ada:hunter2@127.0.0.1:1/none",
        STRIPE_SECRET_KEY="sk_test_hunter2",
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any("DATABASE_URL" in line for line in lines)
    assert any("STRIPE_WEBHOOK_SECRET" in line for line in lines)
    assert "hunter2" not in done.stdout + done.stderr


def test_a_wrong_setting_is_one_sentence() -> None:
    done = run("serve", TALLYSTICK_PORT="eighty")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "tallystick: TALLYSTICK_PORT must be a whole number from 0 to 65535."
    )


@pytest.mark.parametrize("command", ["serve", "worker", "migrate"])
def test_a_database_that_does_not_answer_is_one_sentence(command: str) -> None:
    done = run(command, DATABASE_URL="postgresql://ada:hunter2@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "DATABASE_URL" in done.stderr
    assert "hunter2" not in done.stderr
