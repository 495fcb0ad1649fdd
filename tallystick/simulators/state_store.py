"""A simulator's memory in a file: one SQLite table, written before each answer is sent."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tallystick.kernel.errors import SetupError

# Family, key and the object, or None where it is gone.
Change = tuple[str, str, Any]

# `place` keeps the order in which objects were made: lists are newest first.
SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  place INTEGER PRIMARY KEY, family TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
  UNIQUE (family, key))
"""
LOAD = "SELECT family, key, body FROM objects ORDER BY place"
KEEP = """
INSERT INTO objects (family, key, body) VALUES (?, ?, ?)
ON CONFLICT (family, key) DO UPDATE SET body = excluded.body
"""
DROP = "DELETE FROM objects WHERE family = ? AND key = ?"


class StateFile:
    """An SQLite file that one simulator holds alone; survives a kill at any moment."""

    def __init__(self, path: Path) -> None:
        """Open or create the file. Raises SetupError when it is in use or is something else."""
        try:
            # Opened by whoever builds the application, used by the thread that serves it.
            self._db = sqlite3.connect(
                path, timeout=0, isolation_level=None, check_same_thread=False
            )
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("BEGIN EXCLUSIVE")
            self._db.execute(SCHEMA)
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise SetupError(
                "state_file_unusable",
                f"The state file {path} can not be used ({error}). Stop the other simulator that "
                "uses it, or name another file with --state.",
            ) from error

    def load(self) -> Iterator[tuple[str, str, Any]]:
        """Walk all objects in the order in which they were made."""
        for family, key, body in self._db.execute(LOAD):
            yield family, key, msgspec.json.decode(body)

    def write(self, changes: Sequence[Change]) -> None:
        """Keep the changes, all or none."""
        if not changes:
            return
        self._db.execute("BEGIN")
        try:
            for family, key, value in changes:
                if value is None:
                    self._db.execute(DROP, (family, key))
                else:
                    self._db.execute(KEEP, (family, key, msgspec.json.encode(value)))
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def clear(self) -> None:
        """Forget everything."""
        self._db.execute("DELETE FROM objects")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
