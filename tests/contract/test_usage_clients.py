"""The official OpenMeter and Lago clients, unchanged: what they send is what we read."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from lago_python_client.client import Client as LagoClient
from lago_python_client.models import BatchEvent
from lago_python_client.models import Event as LagoEvent
from openmeter import Client as OpenMeterClient
from openmeter.models import Event as CloudEvent

from tallystick.metering.model import Batch, UsageEvent
from tallystick.metering.requests import read_events, read_lago_events

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class Recorder(ThreadingHTTPServer):
    """Reads every request as the API does and answers as the clients demand."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.batches: list[Batch] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def events(self) -> list[UsageEvent]:
        return [event for batch in self.batches for event in batch.events]


class Handler(BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        read = {
            "/api/v1/events": lambda: read_events(self.headers["content-type"], body),
            "/api/v1/events/batch": lambda: read_lago_events(body),
        }
        batch = read[self.path]()
        self.server.batches.append(batch)
        if batch.shape.name == "lago":
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", "0")
        else:
            self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep the test's output quiet."""


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    server = Recorder()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def cloud_event(event_id: str, **fields: Any) -> CloudEvent:
    return CloudEvent(
        id=event_id, source="app", type="tokens", subject="cust-1", specversion="1.0", **fields
    )


def test_openmeters_client_is_understood(recorder: Recorder) -> None:
    client = OpenMeterClient(endpoint=recorder.address, token="secret")
    full = cloud_event("1", time=AT, data={"tokens": "120.5", "n": 1.5, "deep": {"a": [1]}})
    client.events.ingest_event(full)
    client.events.ingest_event(cloud_event("2"))
    client.events.ingest_events([full, cloud_event("2", data={})])
    client.events.ingest_events_json([full])
    client.events.ingest_events_json(full)
    assert [event.id for event in recorder.events] == ["1", "2", "1", "2", "1", "1"]
    for event in (event for event in recorder.events if event.id == "1"):
        assert (event.source, event.type, event.subject, event.at) == (
            "app",
            "tokens",
            "cust-1",
            AT,
        )
        assert event.properties == {"tokens": "120.5", "n": Decimal("1.5"), "deep": {"a": [1]}}
    assert all(e.at is None and e.properties == {} for e in recorder.events if e.id == "2")


def lago_event(event_id: str, **fields: Any) -> LagoEvent:
    return LagoEvent(
        transaction_id=event_id, external_subscription_id="cust-1", code="tokens", **fields
    )


def test_lagos_client_is_understood(recorder: Recorder) -> None:
    client = LagoClient(api_key="secret", api_url=recorder.address)
    told = {"timestamp": AT.timestamp(), "properties": {"tokens": 5, "f": 1.5}}
    client.events.batch_create(BatchEvent(events=[lago_event("1", **told), lago_event("2")]))
    first, second = recorder.events
    assert (first.source, first.id, first.meter, first.subject) == ("lago", "1", "tokens", "cust-1")
    assert first.at == AT
    assert first.properties == {"tokens": 5, "f": Decimal("1.5")}
    assert (second.at, second.properties) == (None, {})
