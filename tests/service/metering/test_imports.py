"""Files of usage go in once, whatever they look like and wherever an import ended."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import BadInput, Conflict, SetupError
from tallystick.metering import import_model
from tallystick.metering.import_errors import open_refusals
from tallystick.metering.import_model import Options, Progress
from tallystick.metering.import_source import open_source
from tallystick.metering.imports import Importer, checking, recording
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import Batch, EventResult

from .conftest import NOW, Total

COUNTS = ("accepted", "duplicate", "conflict", "unmatched", "invalid")
Run = Callable[..., Awaitable[Progress]]


def own(number: int, **changes: Any) -> dict[str, Any]:
    event = {"id": str(number), "type": "call", "subject": "cust-1",
             "time": "2026-02-03T10:00:00Z", "properties": {"n": number}}  # fmt: skip
    return {**event, **changes}


def lines(*events: Any) -> bytes:
    texts = (one if isinstance(one, bytes) else json.dumps(one).encode() for one in events)
    return b"".join(text + b"\n" for text in texts)


def counts(progress: Progress) -> tuple[int, ...]:
    return tuple(getattr(progress.tally, name) for name in COUNTS)


@pytest.fixture
async def ingest(
    db: Database,
    accounts: Sequence[Account],  # noqa: ARG001 - they must be there
    meters: Sequence[Meter],  # noqa: ARG001 - likewise
) -> AsyncIterator[Ingest]:
    made = Ingest(db)
    yield made
    await made.close()


@pytest.fixture
def run(db: Database, ingest: Ingest) -> Run:
    """Import a file; `part` lines at a time, ending in an error behind so many parts."""

    async def _run(
        file: Path, *, errors: Path | None = None, restart: bool = False,
        parts_max: int = 10**9, **options: Any,
    ) -> Progress:  # fmt: skip
        importer = Importer(db, recording(ingest, lambda: NOW), lambda: NOW)
        parts = 0

        def told(_progress: Progress, _packed: int) -> None:
            nonlocal parts
            parts += 1
            if parts > parts_max:
                raise KeyboardInterrupt

        with open_source(file) as source, open_refusals(errors) as refusals:
            return await importer.run(source, Options(**options), refusals, told, restart=restart)

    return _run


async def test_all_ways_of_writing_an_event_may_stand_in_one_file(
    run: Run, total: Total, tmp_path: Path
) -> None:
    file = tmp_path / "all.ndjson"
    file.write_bytes(
        lines(
            own(1),
            {"specversion": "1.0", "id": "2", "source": "s", "type": "call", "subject": "cust-1",
             "time": "2026-02-03T10:00:00Z", "data": {"n": 2}},
            {"transaction_id": "3", "code": "tokens", "external_subscription_id": "cust-1",
             "timestamp": "1770112800", "properties": {"n": "3"}},
            {"event": {"transaction_id": "4", "code": "tokens", "timestamp": 1770112800,
                       "external_customer_id": "cust-1", "properties": {"n": "4"}}},
            b"",
            own(5, type="", meter="tokens"),
        )
    )  # fmt: skip
    progress = await run(file)
    assert counts(progress) == (5, 0, 0, 0, 0)
    assert await total() == {"calls": Decimal(5), "tokens": Decimal(15)}


async def test_each_line_has_its_own_answer(run: Run, total: Total, tmp_path: Path) -> None:
    file, errors = tmp_path / "mixed.ndjson", tmp_path / "errors.ndjson"
    file.write_bytes(
        lines(
            own(1), own(1), own(1, properties={"n": 7}), own(2, subject="nobody"),
            own(3, type="unheard"), own(4, properties={"n": -1}), own(5, time="2026-02-03"),
            b"{", b"[1]", b'{"a": 1} {"b": 2}', b'{"id": "\xff"}', own(6, subjekt="x"), own(7),
            b"{}", own(8, time="2027-01-01T00:00:00Z"),
        )
    )  # fmt: skip
    progress = await run(file, errors=errors)
    assert counts(progress) == (2, 1, 1, 2, 9)
    assert await total() == {"calls": Decimal(2), "tokens": Decimal(8)}
    told = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [(one["line"], one["status"], one["code"]) for one in told] == [
        (3, "conflict", "other_content"),
        (4, "unmatched", "unknown_subject"),
        (5, "unmatched", "unknown_type"),
        (6, "invalid", "negative_quantity"),
        (7, "invalid", "invalid_time"),
        (8, "invalid", "malformed_json"),
        (9, "invalid", "malformed_json"),
        (10, "invalid", "malformed_json"),
        (11, "invalid", "malformed_json"),
        (12, "invalid", "unknown_field"),
        (14, "invalid", "missing"),
        (15, "invalid", "in_the_future"),
    ]
    assert told[0]["text"] == json.dumps(own(1, properties={"n": 7}))
    assert told[3]["reason"] == "properties.n must not be below zero"


async def test_a_part_of_only_bad_events_is_told_line_by_line(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "bad.ndjson"
    file.write_bytes(lines(*(own(number, properties={}) for number in range(300))))
    assert counts(await run(file)) == (0, 0, 0, 0, 300)


async def test_a_csv_file_is_read_by_its_header(run: Run, total: Total, tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    file.write_bytes(
        b"\xef\xbb\xbfid,subject,type,time,n,note\r\n"
        b'1,cust-1,call,2026-02-03T10:00:00Z,1.5,"two\nlines, one row"\r\n'
        b"2,cust-1,call,2026-02-03T11:00:00+01:00,2,\r\n"
        b"\r\n"
        b"3,cust-1,call,2026-02-03T10:00:00Z,3\r\n"
        b'4,cust-1,call,2026-02-03T10:00:00Z,4,"broken" quote\r\n'
        b"5,cust-1,call,2026-02-03T10:00:00Z,5,x\r\n"
    )
    progress = await run(file, errors=tmp_path / "errors")
    assert counts(progress) == (3, 0, 0, 0, 2)
    assert await total() == {"calls": Decimal(3), "tokens": Decimal("8.5")}
    told = [json.loads(line) for line in (tmp_path / "errors").read_text().splitlines()]
    assert [(one["line"], one["code"]) for one in told] == [
        (6, "wrong_cell_count"),
        (7, "malformed_csv"),
    ]


async def test_columns_may_have_other_names_and_fields_one_value_for_all(
    run: Run, total: Total, tmp_path: Path
) -> None:
    file = tmp_path / "usage.csv"
    file.write_bytes(b"customer;Tokens used\ncust-1;4\ncust-1;4\ncust-2;1\n")
    progress = await run(
        file,
        columns={"subject": "customer", "n": "Tokens used"},
        constants={"meter": "tokens", "time": "2026-02-03T10:00:00Z"},
    )
    assert counts(progress) == (3, 0, 0, 0, 0)
    assert (await total())["tokens"] == Decimal(8)


@pytest.mark.parametrize(
    ("header", "options", "told"),
    [
        (b"type,time", {}, "No column says the subject"),
        (b"subject,time", {}, "No column says the type or meter"),
        (b"subject,type,type", {}, "Two columns are called type"),
        (b"subject,type", {"columns": {"id": "ID"}}, "there is no such column"),
        (b"subject,type", {"constants": {"type": "x"}}, "it can not be the same for all rows"),
        (b'"subject', {}, "no header"),
    ],
)
async def test_a_wrong_header_is_one_sentence(
    run: Run, tmp_path: Path, header: bytes, options: dict[str, Any], told: str
) -> None:
    file = tmp_path / "usage.csv"
    file.write_bytes(header + b"\ncust-1,call\n")
    with pytest.raises(BadInput) as refused:
        await run(file, **options)
    assert refused.value.code == "csv_header"
    assert told in refused.value.detail


async def test_an_import_goes_on_where_it_ended(
    run: Run, total: Total, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.metering.import_lines.PART_LINES_MAX", 3)
    for suffix, pack in (("", bytes), (".gz", gzip.compress)):
        file, errors = tmp_path / f"usage.ndjson{suffix}", tmp_path / f"errors{suffix}"
        events = [own(number, id=f"{number}{suffix}") for number in range(10)]
        events[4] = own(4, subject="nobody")
        file.write_bytes(pack(lines(*events)))
        with pytest.raises(KeyboardInterrupt):
            await run(file, errors=errors, parts_max=1)
        # What a crash wrote of a part that was never counted is written once.
        with errors.open("ab") as torn:
            torn.write(b'{"line": 99, torn')
        progress = await run(file, errors=errors)
        assert counts(progress) == (9, 0, 0, 1, 0)
        assert [json.loads(line)["line"] for line in errors.read_text().splitlines()] == [5]
        assert await run(file) == progress
    assert (await total())["calls"] == Decimal(18)


async def test_a_csv_import_goes_on_where_it_ended(
    run: Run, total: Total, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.metering.import_lines.PART_LINES_MAX", 3)
    file = tmp_path / "usage.csv"
    rows = b"".join(b'%d,cust-1,call,2026-02-03T10:00:00Z,"%d"\n' % (at, at) for at in range(10))
    file.write_bytes(b"id,subject,type,time,n\n" + rows)
    for parts in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            await run(file, parts_max=parts)
    progress = await run(file)
    assert counts(progress) == (10, 0, 0, 0, 0)
    assert progress.line == 11
    assert (await total())["tokens"] == Decimal(45)


async def test_events_without_an_id_count_once_however_often_the_file_is_read(
    run: Run, total: Total, tmp_path: Path
) -> None:
    same = {"type": "call", "subject": "cust-1", "properties": {"n": 1},
            "time": "2026-02-03T10:00:00Z"}  # fmt: skip
    first, packed, other = (tmp_path / name for name in ("a.ndjson", "b.ndjson.gz", "c.ndjson"))
    first.write_bytes(lines(same, same))
    packed.write_bytes(gzip.compress(lines(same, same)))
    other.write_bytes(lines(same, same, same))
    assert counts(await run(first)) == (2, 0, 0, 0, 0)
    assert counts(await run(first, restart=True)) == (0, 2, 0, 0, 0)
    assert counts(await run(packed)) == (0, 2, 0, 0, 0)
    assert counts(await run(other)) == (3, 0, 0, 0, 0)
    assert (await total())["calls"] == Decimal(5)


async def test_a_source_can_be_given_to_events_without_one(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_bytes(lines(own(1), own(2, source="mine")))
    assert counts(await run(file)) == (2, 0, 0, 0, 0)
    assert counts(await run(file, source="other")) == (1, 1, 0, 0, 0)


async def test_two_imports_of_one_file_do_not_run_at_once(
    run: Run, tmp_path: Path, db: Database
) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_bytes(lines(own(1)))

    async def slow(batch: Batch) -> Sequence[EventResult]:
        with pytest.raises(Conflict) as refused:
            await run(file)
        assert refused.value.code == "import_running"
        return [EventResult(event.id, "accepted") for event in batch.events]  # type: ignore[arg-type]  # as JSON has it

    importer = Importer(db, slow, lambda: NOW)
    with open_source(file) as source, open_refusals(None) as refusals:
        await importer.run(source, Options(), refusals, lambda *_: None, restart=False)


async def test_a_line_that_is_too_long_is_one_bad_line(
    run: Run, total: Total, tmp_path: Path
) -> None:
    file = tmp_path / "usage.ndjson"
    long = own(2, properties={"n": 1, "note": "x" * import_model.LINE_BYTES_MAX * 3})
    file.write_bytes(lines(own(1), long, own(3)))
    assert counts(await run(file)) == (2, 0, 0, 0, 1)
    assert (await total())["calls"] == Decimal(2)


async def test_a_quote_that_nobody_closes_ends(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "usage.csv"
    row = b"%d,cust-1,call,2026-02-03T10:00:00Z,1\n"
    rows = b"".join(row % at for at in range(30_000))
    file.write_bytes(b"id,subject,type,time,n\n" + row % 1 + b'2,"cust-1\n' + rows)
    progress = await run(file)
    assert progress.tally.invalid > 0
    assert progress.tally.accepted > 1


async def test_a_gzip_that_is_cut_off_is_told_behind_what_could_be_read(
    run: Run, total: Total, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.metering.import_lines.PART_LINES_MAX", 100)
    whole = lines(*(own(number, properties={"n": number**4}) for number in range(5000)))
    file = tmp_path / "usage.ndjson.gz"
    file.write_bytes(gzip.compress(whole)[:-2000])
    with pytest.raises(SetupError) as refused:
        await run(file)
    assert refused.value.code == "file_damaged"
    stored = (await total())["calls"]
    assert stored > 0
    file.write_bytes(gzip.compress(whole))
    progress = await run(file)
    assert progress.tally.accepted == 5000 - stored
    assert (await total())["calls"] == Decimal(5000)


async def test_a_check_stores_nothing(
    ingest: Ingest, db: Database, total: Total, tmp_path: Path
) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_bytes(lines(own(1), own(2, subject="nobody"), own(3, properties={"n": "x"}), b"!"))
    with open_source(file) as source, open_refusals(None) as refusals:
        progress = await Importer(db, checking(ingest, lambda: NOW), lambda: NOW).check(
            source, Options(), refusals, lambda *_: None
        )
    assert counts(progress) == (1, 0, 0, 1, 2)
    assert (await total())["calls"] == 0
    async with db.transaction(WRITER) as conn:
        for table in ("usage_events", "usage_unmatched", "usage_conflicts", "usage_imports"):
            assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - names above


async def test_a_cancelled_import_frees_its_file(
    db: Database, run: Run, tmp_path: Path, ingest: Ingest
) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_bytes(lines(own(1)))

    async def stuck(_: Batch) -> Sequence[EventResult]:
        await asyncio.Event().wait()
        raise AssertionError

    with open_source(file) as source, open_refusals(None) as refusals:
        task = asyncio.create_task(
            Importer(db, stuck, lambda: NOW).run(
                source, Options(), refusals, lambda *_: None, restart=False
            )
        )
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert counts(await run(file)) == (1, 0, 0, 0, 0)
    assert ingest is not None
