"""What an event is for a meter, told by Python and by the database: always the same."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tallystick.catalog.expression import BadExpression, parse, properties_of
from tallystick.catalog.meter_checks import make_meter
from tallystick.catalog.model import Meter, MeterFilter, NewMeter
from tallystick.metering.values import matches, number_of, text_of, value_faults

AT = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("a", "b", "c")
LOOP_SAFE = settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NUMBERS = (
    st.integers(-(10**16), 10**16)
    | st.integers(-3, 3)
    | st.decimals(-1000, 1000, places=3)
    | st.decimals(-(10**15), 10**15, places=13)
    | st.sampled_from([Decimal("-0.0"), Decimal("1E+3"), Decimal("0E+5"), Decimal("1E-12")])
)
TEXTS = st.sampled_from(
    ["", "x", "0", "5", "-5", "12.5", "1.50", "1e3", "NaN", " 1", "remove", "\u0661", "\xe9" * 300]
) | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
VALUES = st.none() | st.booleans() | NUMBERS | TEXTS | st.just([1]) | st.just({"a": 1})
PROPERTIES = st.dictionaries(st.sampled_from(NAMES), VALUES)
ENCODE = msgspec.json.Encoder(decimal_format="number").encode


@st.composite
def expressions(draw: st.DrawFn, depth: int = 0) -> str:
    kind = draw(st.integers(0, 6 if depth < 4 else 1))
    inner = expressions(depth + 1)
    match kind:
        case 0:
            return draw(st.sampled_from(NAMES))
        case 1:
            return draw(
                st.sampled_from(["0", "1", "2", "3", "0.5", "999999999999999.999999999999"])
            )
        case 2 | 3:
            return f"({draw(inner)} {draw(st.sampled_from('+-*/'))} {draw(inner)})"
        case 4:
            return f"-{draw(inner)}"
        case 5:
            name = draw(st.sampled_from(["min", "max"]))
            return f"{name}({', '.join(draw(st.lists(inner, min_size=1, max_size=3)))})"
    name = draw(st.sampled_from(["round", "ceil", "floor", "abs"]))
    places = "" if name == "abs" else draw(st.sampled_from(["", ", 2", ", -2", ", 12"]))
    return f"{name}({draw(inner)}{places})"


class Server:
    """A connection that synchronous tests can ask."""

    def __init__(self, conn: asyncpg.Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._conn = conn
        self._loop = loop

    def ask(self, sql: str, *args: object) -> Any:
        return self._loop.run_until_complete(self._conn.fetchval(sql, *args))


@pytest.fixture
def server(dsn: str) -> Iterator[Server]:
    loop = asyncio.new_event_loop()
    conn = loop.run_until_complete(asyncpg.connect(dsn))
    yield Server(conn, loop)
    loop.run_until_complete(conn.close())
    loop.close()


def meter(**fields: Any) -> Meter:
    return make_meter(NewMeter(code="m", **fields), UUID(int=1), AT)


def number_in_database(server: Server, one: Meter, properties: dict[str, Any]) -> Decimal | None:
    program = msgspec.json.encode(one.program).decode() if one.program else None
    found: Decimal | None = server.ask(
        "SELECT usage_number($1, $2, $3, $4, $5)", one.aggregation, one.property, program,
        one.allow_negative, ENCODE(properties).decode(),
    )  # fmt: skip
    return found


@given(text=expressions(), properties=PROPERTIES, signed=st.booleans())
@example(text="(a / b)", properties={"a": 1, "b": 0}, signed=True)
@example(text="(a / b)", properties={"a": -1, "b": 3}, signed=True)
@example(text="(a / 2)", properties={"a": Decimal("0.000000000001")}, signed=True)
@example(text="ceil(a, -2)", properties={"a": Decimal("-150.5")}, signed=True)
@example(text="(a * a)", properties={"a": 10**8}, signed=True)
@LOOP_SAFE
def test_an_expression_means_the_same_in_python_and_in_the_database(
    server: Server, text: str, properties: dict[str, Any], *, signed: bool
) -> None:
    try:
        is_of_none = not properties_of(parse(text))
    except BadExpression:  # too long
        return
    text = f"{text} + a" if is_of_none else text
    one = meter(aggregation="max", expression=text, allow_negative=signed)
    told = number_of(one, properties)
    assert number_in_database(server, one, properties) == told
    assert (told is None) == bool(list(value_faults(one, properties)))


@given(value=VALUES, signed=st.booleans(), aggregation=st.sampled_from(["sum", "max"]))
@LOOP_SAFE
def test_a_property_is_the_same_number_in_python_and_in_the_database(
    server: Server, value: Any, *, signed: bool, aggregation: Any
) -> None:
    one = meter(aggregation=aggregation, property="a", allow_negative=signed)
    told = number_of(one, {"a": value})
    assert number_in_database(server, one, {"a": value}) == told
    assert (told is None) == bool(list(value_faults(one, {"a": value})))


@given(value=VALUES)
@LOOP_SAFE
def test_a_property_is_the_same_text_in_python_and_in_the_database(
    server: Server, value: Any
) -> None:
    properties = ENCODE({"a": value}).decode()
    assert server.ask("SELECT usage_text($1, 'a')", properties) == text_of(value)


@given(
    filters=st.lists(
        st.builds(
            MeterFilter,
            property=st.sampled_from(NAMES),
            operator=st.sampled_from(["is", "is_not", "exists", "is_absent"]),
            values=st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
        ),
        min_size=1,
        max_size=3,
    ),
    properties=PROPERTIES,
)
@LOOP_SAFE
def test_filters_pass_the_same_events_in_python_and_in_the_database(
    server: Server, filters: list[MeterFilter], properties: dict[str, Any]
) -> None:
    in_database = server.ask(
        "SELECT usage_matches($1, $2)",
        msgspec.json.encode(filters).decode(),
        ENCODE(properties).decode(),
    )
    assert in_database is matches(tuple(filters), properties)
