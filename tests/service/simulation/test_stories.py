"""Stories are told to the byte as their outcomes say, and refused by the place that is wrong."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import structlog

from tallystick.kernel.errors import BadInput
from tallystick.simulation.checks import check
from tallystick.simulation.command import simulate
from tallystick.simulation.report import encode
from tallystick.simulation.scenario import read_scenario

SCENARIOS = Path(__file__).parents[3] / "docs" / "scenarios"
NAMES = sorted(path.stem for path in SCENARIOS.glob("*.json"))
FEE: dict[str, Any] = {"code": "fee", "model": "flat", "amount": "10"}
CALLS: dict[str, Any] = {"code": "calls", "meter": "calls", "model": "per_unit", "unit": "1"}
AT = "2026-01-01T00:00:00Z"


@pytest.fixture(autouse=True)
def _quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


async def told(dsn: str, text: bytes) -> bytes:
    scenario = read_scenario(text)
    check(scenario)
    return encode(await simulate(dsn, Path("/nowhere"), scenario))


def story(*steps: dict[str, Any], **more: Any) -> bytes:
    """A story with a plan `pro` over a fee and calls."""
    base = {
        "meters": [{"code": "calls", "aggregation": "sum", "property": "n"}],
        "plans": [{"code": "pro", "prices": [FEE, CALLS]}],
    }
    return json.dumps({**base, "steps": [{"at": AT, **step} for step in steps], **more}).encode()


def refusal(text: bytes) -> str:
    with pytest.raises(BadInput) as refused:
        check(read_scenario(text))
    return refused.value.detail


@pytest.mark.parametrize("name", NAMES)
async def test_a_story_of_the_documentation_has_its_outcome(dsn: str, name: str) -> None:
    outcome = await told(dsn, (SCENARIOS / f"{name}.json").read_bytes())
    assert outcome.decode() == (SCENARIOS / "outcomes" / f"{name}.json").read_text()
    report = json.loads(outcome)
    assert report["ledger"]["balanced"]
    assert report["ledger"]["lines_recomputed"]
    for invoice in report["invoices"]:
        lines = sum(line["amount_cents"] for line in invoice["lines"])
        assert lines == invoice["subtotal_cents"]
        assert invoice["total_cents"] == lines + invoice["tax_cents"]


def test_there_are_stories_with_outcomes() -> None:
    assert len(NAMES) >= 4
    assert sorted(path.stem for path in (SCENARIOS / "outcomes").glob("*.json")) == NAMES


SUBSCRIBE = {"do": "subscribe", "plan": "pro"}


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ([{"do": "subscribe", "plan": "x"}], 'steps[0].plan: no plan "x"'),
        ([{"do": "usage", "meter": "x"}], 'steps[0].meter: no meter "x"'),
        ([{"do": "cancel"}], "steps[0]: nobody has subscribed yet"),
        (
            [SUBSCRIBE, {"do": "cancel", "subscription": "x"}],
            'steps[1].subscription: no subscription "x" at this point',
        ),
        (
            [{**SUBSCRIBE, "as": "a"}, {**SUBSCRIBE, "as": "a"}],
            'steps[1].as: "a" is the name of another subscription',
        ),
        (
            [SUBSCRIBE, {"do": "advance", "at": "2025-12-31T23:59:59Z"}],
            "steps[1].at: is before the step before it; time only goes forward",
        ),
        ([{"do": "advance", "at": "2200-01-01T00:00:00Z"}],
         "steps[0].at: must be in the years 2000 to 2199"),
        ([{"do": "advance", "at": "2026-01-01T00:00:00"}], "steps[0].at: "),
        ([{"do": "dance"}], "steps[0].do: "),
        ([{"do": "advance", "to": AT}], "steps[0].to: "),
        ([{"do": "subscribe"}], "steps[0].plan: is required"),
        ([{"do": "cancel", "when": "soon"}], "steps[0].when: "),
    ],
    ids=str,
)  # fmt: skip
def test_what_can_be_seen_is_refused_before_the_story_begins(
    steps: list[dict[str, Any]], sentence: str
) -> None:
    assert refusal(story(*steps)).startswith(sentence)


def test_all_steps_that_are_wrong_are_named() -> None:
    lines = refusal(story({"do": "subscribe", "plan": "x"}, {"do": "usage", "meter": "y"}))
    assert lines.splitlines() == ['steps[0].plan: no plan "x"', 'steps[1].meter: no meter "y"']


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b'{"steps": []}', b'{"a": 1}'])
def test_what_is_no_scenario_is_refused(text: bytes) -> None:
    assert refusal(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (story(SUBSCRIBE, {**SUBSCRIBE, "at": "2026-01-02T00:00:00Z"}), "steps[1]: The account"),
        (
            story({"do": "usage", "meter": "calls"}, {"do": "usage", "meter": "calls"}),
            "steps[0].properties.n: ",
        ),
        (
            story(
                {"do": "usage", "meter": "calls", "properties": {"n": "1"}},
                {"do": "usage", "meter": "calls", "properties": {"n": "x"}},
            ),
            "steps[1].properties.n: ",
        ),
        (story({"do": "pay"}), "steps[0].outcome: no invoice is open"),
        (story({"do": "pay", "invoice": "INV-1"}), 'steps[0].invoice: no invoice "INV-1"'),
        (story({"do": "grant_credits", "amount": "-1"}), "steps[0].amount: "),
        (story({"do": "grant_credits", "amount": "x"}), "steps[0].amount: must be such as"),
        (
            story({"do": "advance"}, {"do": "advance", "at": "2040-01-01T00:00:00Z"}),
            "steps[1].at: may be 3660 days ahead",
        ),
        (story(SUBSCRIBE, plans=[{"code": "pro", "prices": [{**FEE, "amount": 1}]}]),
         "plans[0].prices[0].amount: "),
        (story(SUBSCRIBE, account={"currency": "XXX"}), "plans[0]."),
        (story({"do": "advance"}, account={"country": "Atlantis"}, plans=[]), "account.country: "),
        (story({"do": "advance"}, meters=[{"code": "A"}], plans=[]), "meters[0].code: "),
    ],
    ids=range(12),
)  # fmt: skip
async def test_a_step_that_is_refused_is_named(dsn: str, text: bytes, sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        await told(dsn, text)
    assert refused.value.detail.startswith(sentence)


IN_ORDER = [
    ({"model": "percentage", "rate": "10", "free_events": 1}, "sum", [8, 1, 2, 4], 70),
    ({"model": "per_unit", "unit": "1"}, "latest", [1, 2, 3, 4], 400),
    ({"model": "per_unit", "unit": "1", "billing": "in_advance"}, "sum", [8, 1, 2, 4], 1500),
]


@pytest.mark.parametrize(("price", "aggregation", "values", "amount"), IN_ORDER)
async def test_usage_of_one_instant_goes_by_the_order_of_the_story(
    dsn: str, price: dict[str, Any], aggregation: str, values: list[int], amount: int
) -> None:
    at = "2026-01-03T10:00:00Z"
    used = [
        {"do": "usage", "at": at, "meter": "calls", "id": f"{value}", "properties": {"n": value}}
        for value in (*values, values[0])  # the first again: counted once
    ]
    text = story(
        SUBSCRIBE,
        *used,
        {"do": "advance", "at": "2026-02-01T00:00:00Z"},
        meters=[{"code": "calls", "aggregation": aggregation, "property": "n"}],
        plans=[{"code": "pro", "prices": [{"code": "calls", "meter": "calls", **price}]}],
    )
    invoices = json.loads(await told(dsn, text))["invoices"]
    assert sum(invoice["total_cents"] for invoice in invoices) == amount


@pytest.mark.parametrize(
    ("trial_end", "status"), [("bill", "active"), ("pause", "paused"), ("cancel", "canceled")]
)
async def test_a_trial_without_a_card_ends_as_the_story_says(
    dsn: str, trial_end: str, status: str
) -> None:
    subscribe = {**SUBSCRIBE, "trial_days": 7, "trial_end": trial_end}
    outcome = await told(dsn, story(subscribe, {"do": "advance", "at": "2026-01-10T00:00:00Z"}))
    assert json.loads(outcome)["subscriptions"][0]["status"] == status


async def test_a_story_counts_periods_from_any_day_and_begins_when_it_is_paid(dsn: str) -> None:
    fee = {**FEE, "amount": "31", "billing": "in_advance"}
    outcome = await told(
        dsn,
        story(
            {**SUBSCRIBE, "anchor_on": "2026-01-15", "must_pay_first": True},
            {"do": "pay", "at": "2026-01-01T10:00:00Z"},
            {"do": "advance", "at": "2026-01-16T00:00:00Z"},
            plans=[{"code": "pro", "prices": [fee]}],
        ),
    )
    report = json.loads(outcome)
    assert [invoice["total_cents"] for invoice in report["invoices"]] == [1400, 3100]
    assert report["subscriptions"][0]["status"] == "active"


async def test_usage_on_both_sides_of_a_periods_end_is_billed_where_it_belongs(dsn: str) -> None:
    instants = ("2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "2026-02-28T23:59:59Z")
    used = [
        {"do": "usage", "meter": "calls", "properties": {"n": str(10**place)}, "at": at}
        for place, at in enumerate(instants)
    ]
    end = {"do": "advance", "at": "2026-03-01T00:00:00Z"}
    report = json.loads(await told(dsn, story(SUBSCRIBE, *used, end)))
    quantities = [one["lines"][1]["quantity"] for one in report["invoices"]]
    assert quantities == ["1", "110"]


def test_a_migration_names_plans_that_are_there_and_when_it_comes() -> None:
    step = {"do": "migrate_plan", "plan": "pro", "to_plan": "new", "when": "from"}
    lines = refusal(story(step)).splitlines()
    assert lines == [
        'steps[0].to_plan: no plan "new"',
        "steps[0].effective_at: goes with `when` from",
    ]
    version = {"do": "new_version", "plan": {"code": "new", "prices": []}}
    assert refusal(story(version)) == 'steps[0].plan.code: no plan "new"'


async def test_a_migration_that_moves_nobody_is_refused(dsn: str) -> None:
    with pytest.raises(BadInput, match=r"steps\[0\]\.plan: nobody is on the plan"):
        await told(dsn, story({"do": "migrate_plan", "plan": "pro"}))


@pytest.mark.parametrize(
    ("more", "steps", "place"),
    [
        ({"issuer": {"country": "France"}}, (), "issuer.country: "),
        (
            {
                "tax_rates": [
                    {"country": "FR", "name": "TVA", "percent": "120", "valid_from": "2020-01-01"}
                ]
            },
            (),
            "tax_rates[0].percent: ",
        ),
        ({}, ({"do": "change_account", "country": "Mars"},), "steps[1].country: "),
        (
            {
                "issuer": {"country": "FR", "vat_number": "FR40303265045"},
                "account": {"country": "FR"},
            },
            ({"do": "advance", "at": "2026-03-01T00:00:00Z"},),
            "steps[1]: ",
        ),
    ],
    ids=["issuer", "rate", "account", "missing rate"],
)  # fmt: skip
async def test_taxes_that_can_not_be_are_refused_by_their_place(
    dsn: str, more: dict[str, Any], steps: tuple[dict[str, Any], ...], place: str
) -> None:
    with pytest.raises(BadInput) as refused:
        await told(dsn, story(SUBSCRIBE, *steps, **more))
    assert refused.value.detail.startswith(place)
