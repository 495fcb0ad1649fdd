from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from tallystick.api.catalog_file import parse_catalog
from tallystick.catalog import service
from tallystick.catalog.apply import apply_catalog, read_catalog
from tallystick.catalog.compare import Outcome, written
from tallystick.catalog_commands import apply_file, export_catalog, lines_of, read_file
from tallystick.cli import cli
from tallystick.kernel.db import STAFF, WRITER, Database
from tallystick.kernel.errors import BadInput, SetupError
from tallystick.metering.service import create_meter

AT = datetime(2026, 1, 1, tzinfo=UTC)
FILE: Mapping[str, Any] = {
    "meters": [
        {"code": "api_calls"},
        {"code": "tokens", "aggregation": "sum", "property": "n", "group_by": ["model"]},
    ],
    "features": [
        {"code": "sso", "kind": "boolean", "name": "Single sign-on"},
        {"code": "seats", "kind": "number"},
        {"code": "calls", "kind": "metered", "meter": "api_calls"},
    ],
    "plans": [
        {
            "code": "pro", "name": "Pro", "tier": "professional", "currency": "USD",
            "interval": "year", "usage_interval": "month", "billing": "in_advance",
            "trial_days": 14, "minimum_commitment": {"USD": "100", "EUR": "90.50"},
            "prices": [
                {"code": "fee", "currency": "USD", "model": "flat", "amount": "49"},
                {"code": "fee", "currency": "EUR", "model": "flat", "amount": "45.0"},
                {"code": "calls", "meter": "api_calls", "currency": "USD", "model": "graduated",
                 "tiers": [{"up_to": "10", "unit": "0.000000000001"},
                           {"up_to": None, "unit": "1", "flat": "2"}]},
                {"code": "calls", "meter": "api_calls", "currency": "EUR", "model": "per_unit",
                 "unit": "0.02"},
            ],
            "limits": {"api_calls": "1000", "tokens": [{"limit": "5", "per": "day",
                                                        "kind": "hard"}]},
            "features": {"sso": True, "seats": "10.0", "calls": None},
        },
        {"code": "free", "name": "Free", "currency": "USD", "interval": "month", "prices": []},
    ],
    "add_ons": [
        {"code": "help", "name": "Help", "charge": "per_period", "amounts": {"usd": "49.00"}},
    ],
    "coupons": [
        {"code": "spring", "name": "Spring", "percent": "12.50", "plans": ["pro"],
         "valid_until": "2027-01-01T00:00:00Z"},
        {"code": "TEN", "name": "Ten", "amounts": {"USD": "10", "EUR": "9"}},
    ],
}  # fmt: skip
FLOAT = {"code": "fee", "currency": "USD", "model": "flat", "amount": 49.5}


def changed(**parts: Any) -> dict[str, Any]:
    return {**FILE, **parts}


def plan(**fields: Any) -> dict[str, Any]:
    return {**FILE["plans"][0], **fields}


async def put(db: Database, document: Any) -> Outcome:
    async with db.transaction(WRITER) as conn:
        return await apply_catalog(conn, parse_catalog(document), AT, create_meter)


async def export(db: Database) -> dict[str, Any]:
    async with db.transaction(STAFF) as conn:
        return written(await read_catalog(conn))


async def test_a_file_is_put_in_force_and_again_changes_nothing(db: Database) -> None:
    first = await put(db, FILE)
    assert {(one.kind, one.action) for one in first.changes} == {
        ("meter", "add"), ("feature", "add"), ("plan", "add"), ("add_on", "add"), ("coupon", "add")
    }  # fmt: skip
    assert len(first.changes) == 10
    assert await put(db, FILE) == Outcome(changes=(), unlisted=())


async def test_what_is_exported_and_applied_is_no_change(db: Database) -> None:
    await put(db, FILE)
    told = await export(db)
    through_json = msgspec.json.decode(msgspec.json.encode(told))
    assert await put(db, through_json) == Outcome(changes=(), unlisted=())
    assert await export(db) == told
    assert [one["code"] for one in told["plans"]] == ["free", "pro"]


async def test_what_differs_becomes_a_new_version_and_is_shown(db: Database) -> None:
    await put(db, FILE)
    prices = [{**price, "amount": "59"} if price["code"] == "fee" else price
              for price in FILE["plans"][0]["prices"]]  # fmt: skip
    dearer = plan(prices=prices, trial_days=0)
    outcome = await put(db, changed(plans=[dearer, FILE["plans"][1]]))
    assert list(lines_of(outcome)) == [
        "~ plan pro (a new version)",
        "    trial_days: 14 -> 0",
        "    prices[fee USD].amount: 49 -> 59",
        "    prices[fee EUR].amount: 45 -> 59",
    ]
    async with db.transaction(STAFF) as conn:
        assert (await service.current_plan_version(conn, "pro")).version == 2


async def test_what_is_not_in_the_file_stays_and_is_named(db: Database) -> None:
    await put(db, FILE)
    outcome = await put(db, changed(plans=FILE["plans"][:1], coupons=[]))
    assert outcome.changes == ()
    assert outcome.unlisted == (("plan", "free"), ("coupon", "SPRING"), ("coupon", "TEN"))
    assert len((await export(db))["plans"]) == 2


async def test_a_feature_is_renamed_in_place(db: Database) -> None:
    await put(db, FILE)
    renamed = {**FILE["features"][0], "name": "SSO"}
    outcome = await put(db, changed(features=[renamed, *FILE["features"][1:]]))
    assert list(lines_of(outcome)) == ["~ feature sso", "    name: Single sign-on -> SSO"]


@pytest.mark.parametrize(
    ("document", "paths"),
    [
        ({"plan": []}, {"plan"}),
        ({"plans": [{}]}, {"plans[0].code"}),
        ({"plans": [plan(prices=[FLOAT])]}, {"plans[0].prices[0].amount"}),
        ({"plans": [plan(interval="year", usage_interval="week")]}, {"plans[0].usage_interval"}),
        ({"plans": [plan(), plan()]}, {"plans[1].code"}),
        ({"plans": [plan(name=" ")]}, {"plans[0].name"}),
        ({"plans": [plan(draft=True)]}, {"plans[0].draft"}),
        ({"plans": [plan(features={"magic": True})]}, {"plans[0].features.magic"}),
        ({"meters": [{"code": "api_calls", "unit": "call"}]}, {"meters[0].unit"}),
        ({"features": [{"code": "sso", "kind": "text"}]}, {"features[0].kind"}),
        ({"features": [{"code": "x", "kind": "metered", "meter": "y"}]}, {"features[0].meter"}),
        ({"coupons": [{"code": "C", "name": "C", "percent": "0"}]}, {"coupons[0].percent"}),
        (
            {"add_ons": [{"code": "a", "name": "", "charge": "once", "amounts": {"USD": "1"}}],
             "plans": [plan(name=" ")]},
            {"add_ons[0].name", "plans[0].name"},
        ),
    ],
    ids=lambda value: str(sorted(value))[:40],
)  # fmt: skip
async def test_a_file_with_faults_is_refused_whole_with_their_paths(
    db: Database, document: Any, paths: set[str]
) -> None:
    await put(db, FILE)
    before = await export(db)
    with pytest.raises(BadInput) as caught:
        await put(db, {**document, "meters": document.get("meters", [])})
    found = {fault.field for fault in caught.value.errors}
    assert all(any(one.startswith(path) for one in found) for path in paths), found
    assert await export(db) == before


async def test_showing_changes_nothing_and_agreeing_changes_all(db: Database, dsn: str) -> None:
    shown: list[str] = []
    wanted = parse_catalog(FILE)
    assert not await apply_file(dsn, wanted, show=shown.append, agree=None)
    assert not await apply_file(dsn, wanted, show=shown.append, agree=lambda: False)
    assert (await export(db))["meters"] == []
    assert shown[0] == "+ meter api_calls"
    assert await apply_file(dsn, wanted, show=shown.append, agree=lambda: True)
    assert not await apply_file(dsn, wanted, show=shown.append, agree=lambda: True)
    assert shown[-1] == "nothing changes"
    assert msgspec.json.decode(await export_catalog(dsn)) == await export(db)


YAML = """
meters:
  - code: api_calls
coupons:
  - {code: spring, name: Spring, percent: "20", valid_until: 2027-01-01T00:00:00Z}
"""
TOML = """
[[meters]]
code = "api_calls"
[[coupons]]
code = "spring"
name = "Spring"
percent = "20"
valid_until = 2027-01-01T00:00:00Z
"""


def test_yaml_toml_and_json_say_the_same(tmp_path: Path) -> None:
    told = {"meters": [{"code": "api_calls"}], "coupons": [
        {"code": "spring", "name": "Spring", "percent": "20",
         "valid_until": "2027-01-01T00:00:00Z"}]}  # fmt: skip
    for name, text in (("a.yaml", YAML), ("a.toml", TOML), ("a.json", msgspec.json.encode(told))):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        assert read_file(tmp_path / name) == parse_catalog(told)


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    for name in ("a.json", "b.json", "a.txt"):
        with pytest.raises(SetupError, match=name):
            read_file(tmp_path / name)


def test_the_command_asks_applies_and_exports(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "catalog.json"
    file.write_bytes(msgspec.json.encode(FILE))
    run, env = CliRunner(), {"DATABASE_URL": dsn}
    shown = run.invoke(cli, ["catalog", "apply", str(file), "--dry-run"], env=env)
    assert (shown.exit_code, "+ plan pro" in shown.stdout) == (0, True), shown.output
    refused = run.invoke(cli, ["catalog", "apply", str(file)], env=env, input="n\n")
    assert refused.exit_code == 0
    done = run.invoke(cli, ["catalog", "apply", str(file), "--yes"], env=env)
    assert done.exit_code == 0, done.output
    told = run.invoke(cli, ["catalog", "export"], env=env)
    file.write_text(told.stdout)
    again = run.invoke(cli, ["catalog", "apply", str(file)], env=env)
    assert again.stdout == "nothing changes\n"
    file.write_text('{"plans": [{"code": 1}]}')
    wrong = run.invoke(cli, ["catalog", "apply", str(file)], env=env)
    assert (wrong.exit_code, "plans[0].code" in wrong.output) == (1, True)
