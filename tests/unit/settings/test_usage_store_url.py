import pytest

from tallystick.kernel.errors import SetupError
from tallystick.settings import Settings, need_roll_ups, problems, read_settings

URL = "clickhouse://user:p%40ss@ch.example:8123/usage"


def read(**variables: str) -> Settings:
    return read_settings({"HOME": "/home/me", **variables}, uid=1000)


@pytest.mark.parametrize(
    "url", [URL, "clickhouse://localhost", "clickhouses://ch.example/usage", "clickhouse://[::1]:1"]
)
def test_an_address_of_clickhouse_is_taken(url: str) -> None:
    assert read(USAGE_STORE_URL=url).usage_store_url == url
    assert read().usage_store_url is None


@pytest.mark.parametrize(
    "url",
    [
        "http://ch.example:8123",
        "clickhouse://",
        "clickhouse://user:hidden@host:99999/usage",
        "clickhouse://host:0/usage",
        "clickhouse://host/usage; DROP",
        "clickhouse://host/usage?x=1",
        "clickhouse://user:hidden@host/a/b",
    ],
)
def test_another_address_is_refused_by_the_variables_name_and_without_the_password(
    url: str,
) -> None:
    with pytest.raises(SetupError, match="USAGE_STORE_URL") as refused:
        read(USAGE_STORE_URL=url)
    assert "hidden" not in refused.value.detail


def test_what_needs_usage_in_postgresql_is_a_problem() -> None:
    told = problems(
        read(
            USAGE_STORE_URL=URL,
            LAGO_API_URL="https://lago.example",
            LAGO_API_KEY="key",
            TALLYSTICK_USAGE_KEEP_DAYS="500",
        )
    )
    assert [line.split(" ", 1)[0] for line in told] == [
        "LAGO_API_URL",
        "TALLYSTICK_USAGE_KEEP_DAYS",
    ]
    assert "p%40ss" not in " ".join(told)


def test_roll_ups_are_not_looked_for_in_clickhouse() -> None:
    need_roll_ups(read())
    with pytest.raises(SetupError) as refused:
        need_roll_ups(read(USAGE_STORE_URL=URL))
    assert refused.value.code == "needs_usage_in_postgresql"
