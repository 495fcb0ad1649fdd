"""Lago's routes as the official client meets them."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models.event import BatchEvent, Event

Post = Callable[[str, Any], httpx.Response]
TAKEN = {"transaction_id": ["value_already_exist"]}


def event(name: str, **changes: Any) -> Event:
    told = {"transaction_id": name, "external_subscription_id": "sub-1", "code": "tokens",
            "timestamp": "1773570000.678901", "properties": {"n": "2.5"}}  # fmt: skip
    return Event.parse_obj({**told, **changes})


def answered(refused: LagoApiError) -> Any:
    return refused.response


def details(refused: LagoApiError) -> Any:
    return answered(refused)["error_details"]


def test_an_event_is_stored_once_in_its_subscription(shop: Any) -> None:
    made = shop.events.create(event("1"))
    assert made is not None
    assert (made.transaction_id, made.timestamp) == ("1", "2026-03-15T10:20:00.678Z")
    assert made.lago_subscription_id
    with pytest.raises(LagoApiError) as caught:
        shop.events.create(event("1", properties={"n": "9"}))
    assert (caught.value.status_code, details(caught.value)) == (422, TAKEN)
    assert shop.events.create(event("1", external_subscription_id="other")) is not None


def test_a_batch_is_stored_whole_or_not_at_all(shop: Any) -> None:
    shop.events.batch_create(BatchEvent(events=[event("1"), event("2")]))
    batch = BatchEvent(events=[event("3"), event("2"), event("4"), event("3")])
    with pytest.raises(LagoApiError) as caught:
        shop.events.batch_create(batch)
    assert details(caught.value) == {"1": TAKEN, "3": TAKEN}
    with pytest.raises(LagoApiError) as missing:
        shop.events.find("4")
    assert missing.value.status_code == 404
    assert answered(missing.value)["code"] == "event_not_found"


def test_a_batch_holds_a_hundred_events_at_most(shop: Any) -> None:
    shop.events.batch_create(BatchEvent(events=[event(str(at)) for at in range(100)]))
    many = BatchEvent(events=[event(f"x{at}") for at in range(101)])
    with pytest.raises(LagoApiError) as caught:
        shop.events.batch_create(many)
    assert details(caught.value) == {"events": ["too_many_events"]}
    with pytest.raises(LagoApiError) as none:
        shop.events.batch_create(BatchEvent(events=[]))
    assert details(none.value) == {"events": ["no_events"]}


def test_what_is_wrong_with_an_event_is_named(post: Post) -> None:
    wrong = {"events": [{"transaction_id": "1", "code": "x"}, {"code": "x", "timestamp": "soon"}]}
    answer = post("events/batch", wrong)
    assert answer.status_code == 422
    assert answer.json()["error_details"] == {
        "1": {"transaction_id": ["value_is_mandatory"], "timestamp": ["invalid_format"]}
    }
    assert post("events", {"x": 1}).status_code == 400


def test_an_event_of_nobody_is_stored_and_never_counted(shop: Any) -> None:
    shop.events.create(event("1", code="unknown"))
    shop.events.create(event("2", external_subscription_id="nobody"))
    usage = shop.customers.current_usage("cust-1", "sub-1")
    assert [charge.events_count for charge in usage.charges_usage] == [0, 0, 0]


def test_current_usage_is_of_the_running_period_in_the_customers_time_zone(shop: Any) -> None:
    before, first = "1772319599.999", "1772319600"  # midnight of the first of March in Paris
    for name, at, n in (("1", before, "100"), ("2", first, "0.1"), ("3", "1773570000", "0.2")):
        shop.events.create(event(name, timestamp=at, properties={"n": n}))
        shop.events.create(event(f"{name}p", timestamp=at, properties={"n": n}, code="peak"))
    shop.events.create(event("c", code="calls"))
    usage = shop.customers.current_usage("cust-1", "sub-1")
    assert (usage.from_datetime, usage.to_datetime) == (
        "2026-02-28T23:00:00Z", "2026-03-31T21:59:59Z",
    )  # fmt: skip
    units = {charge.billable_metric.code: charge.units for charge in usage.charges_usage}
    assert units == {"calls": "1.0", "tokens": "0.3", "peak": "0.2"}
    assert usage.currency == "EUR"
    assert usage.amount_cents == sum(charge.amount_cents for charge in usage.charges_usage)


def test_without_an_active_subscription_there_is_no_usage(shop: Any) -> None:
    with pytest.raises(LagoApiError) as unknown:
        shop.customers.current_usage("nobody", "sub-1")
    assert answered(unknown.value)["code"] == "customer_not_found"
    shop.subscriptions.destroy("sub-1")
    with pytest.raises(LagoApiError) as ended:
        shop.customers.current_usage("cust-1", "sub-1")
    assert (ended.value.status_code, answered(ended.value)["code"]) == (
        405, "no_active_subscription",
    )  # fmt: skip


def test_events_are_listed_newest_first_by_page(shop: Any, base_url: str) -> None:
    for at in range(3):
        shop.events.create(event(str(at), timestamp=str(1773570000 + at)))
    answer = httpx.get(
        f"{base_url}/api/v1/events",
        params={"external_subscription_id": "sub-1", "code": "tokens", "per_page": "2",
                "timestamp_from": "2026-03-15T10:20:00Z"},
        headers={"authorization": "Bearer any"},
    ).json()  # fmt: skip
    assert [one["transaction_id"] for one in answer["events"]] == ["2", "1"]
    assert answer["meta"]["total_pages"] == 2


def test_a_call_without_a_key_is_refused(base_url: str) -> None:
    assert httpx.get(f"{base_url}/api/v1/events").status_code == 401


@pytest.mark.parametrize(
    ("fault", "is_stored"),
    [
        ({"action": "drop_before"}, False),
        ({"action": "drop_reply"}, True),
        ({"action": "status", "status": 500}, False),
        ({"action": "status_after", "status": 502}, True),
    ],
    ids=lambda value: value["action"] if isinstance(value, dict) else "",
)
def test_faults_fail_before_or_after_the_work(
    post: Post, base_url: str, fault: dict[str, Any], *, is_stored: bool
) -> None:
    httpx.post(f"{base_url}/_sim/faults", json={**fault, "skip": 1}).raise_for_status()
    one = {"transaction_id": "1", "code": "x", "timestamp": "1773570000"}
    assert post("events", {"event": {**one, "transaction_id": "before"}}).is_success
    try:
        assert post("events", {"event": one}).status_code == fault["status"]
    except httpx.RemoteProtocolError:
        assert fault["action"].startswith("drop")
    assert post("events", {"event": one}).is_success is not is_stored


def test_a_rate_limit_says_when_to_come_back(post: Post, base_url: str) -> None:
    fault = {"action": "status", "status": 429, "retry_after": "30", "path": "*/events"}
    httpx.post(f"{base_url}/_sim/faults", json=fault).raise_for_status()
    answer = post("events", {})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "30")


def test_a_fault_that_does_not_exist_is_refused(base_url: str) -> None:
    wrong = httpx.post(f"{base_url}/_sim/faults", json={"action": "explode"})
    assert wrong.status_code == 400


def test_what_is_not_imitated_is_refused_by_name(post: Post) -> None:
    metric = {"code": "w", "aggregation_type": "weighted_sum_agg"}
    answer = post("billable_metrics", {"billable_metric": metric})
    assert answer.status_code == 501
    assert "weighted_sum_agg" in json.dumps(answer.json())
