import asyncio
from pathlib import Path

import asyncpg
import pytest

from tallystick.kernel.errors import SetupError
from tallystick.kernel.migrate import Migration, migrate, missing_count, read_migrations

ONE = Migration(1, "one", "CREATE TABLE one (id int)")
TWO = Migration(2, "two", "CREATE TABLE two (id int)")


async def tables(dsn: str) -> set[str]:
    conn = await asyncpg.connect(dsn)
    rows = await conn.fetch("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
    await conn.close()
    return {row["tablename"] for row in rows}


async def test_all_migrations_apply_to_an_empty_database_once(empty_dsn: str) -> None:
    known = len(read_migrations())
    assert await missing_count(empty_dsn) == known
    assert await migrate(empty_dsn) == known
    assert await missing_count(empty_dsn) == 0
    assert await migrate(empty_dsn) == 0


async def test_two_at_once_apply_each_migration_once(empty_dsn: str) -> None:
    counts = await asyncio.gather(*(migrate(empty_dsn) for _ in range(3)))
    assert sorted(counts) == [0, 0, len(read_migrations())]


async def test_only_what_is_missing_is_applied_in_order(empty_dsn: str) -> None:
    said: list[str] = []
    await migrate(empty_dsn, migrations=[ONE])
    assert await migrate(empty_dsn, migrations=[ONE, TWO], progress=said.append) == 1
    assert said == ["migration 2 two"]
    assert {"one", "two"} <= await tables(empty_dsn)


async def test_a_file_changed_after_it_was_applied_is_refused(empty_dsn: str) -> None:
    await migrate(empty_dsn, migrations=[ONE])
    changed = Migration(1, "one", ONE.sql + " -- changed")
    with pytest.raises(SetupError) as caught:
        await migrate(empty_dsn, migrations=[changed, TWO])
    assert caught.value.code == "migration_changed"
    assert "two" not in await tables(empty_dsn)


async def test_a_database_of_a_newer_program_is_refused(empty_dsn: str) -> None:
    await migrate(empty_dsn, migrations=[ONE, TWO])
    with pytest.raises(SetupError) as caught:
        await migrate(empty_dsn, migrations=[ONE])
    assert caught.value.code == "database_newer"


async def test_a_migration_that_fails_leaves_nothing_of_itself(empty_dsn: str) -> None:
    half = Migration(2, "half", "CREATE TABLE half (id int); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(empty_dsn, migrations=[ONE, half])
    assert await tables(empty_dsn) == {"schema_migrations", "one"}
    assert await migrate(empty_dsn, migrations=[ONE, TWO]) == 1


async def test_a_migration_does_not_wait_long_for_a_busy_table(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.kernel.migrate._LOCK_TIMEOUT", "50ms")
    await migrate(empty_dsn, migrations=[ONE])
    busy = await asyncpg.connect(empty_dsn)
    async with busy.transaction():
        await busy.execute("LOCK TABLE one")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await migrate(empty_dsn, migrations=[ONE, Migration(2, "drop", "DROP TABLE one")])
    await busy.close()


@pytest.mark.parametrize("names", [["0002_b.sql"], ["0001_a.sql", "0003_c.sql"],
                                   ["0001_a.sql", "0001_b.sql"]])  # fmt: skip
def test_files_that_are_not_numbered_in_a_row_are_refused(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_text("SELECT 1")
    with pytest.raises(SetupError) as caught:
        read_migrations(tmp_path)
    assert caught.value.code == "migrations_misnumbered"
