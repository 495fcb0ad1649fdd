"""What comes from outside is read strictly, and never leads to another site."""

from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.console.forms import read_choice, read_instant, safe_next, text_field
from tallystick.kernel.errors import BadInput

PIECES = st.sampled_from(["/", "\\", "evil.example", ":", "//", "@", "\t", "\n", "?", "#", "%2f"])


@pytest.mark.parametrize("path", ["/", "/billing/usage", "/billing/invoices?status=open&page=2"])
def test_a_path_of_ours_is_gone_on_to(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "billing",
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "/" + "a" * 2000,
    ],
)
def test_whatever_may_lead_elsewhere_becomes_the_start(text: str) -> None:
    assert safe_next(text) == "/"


@given(st.lists(PIECES, max_size=6).map("".join))
def test_no_text_leads_to_another_host(text: str) -> None:
    # Browsers read a backslash as a slash and drop tabs and line ends.
    as_browsers_do = safe_next(text).replace("\\", "/").replace("\t", "").replace("\n", "")
    assert urlsplit(urljoin("https://ours.example/x", as_browsers_do)).netloc == "ours.example"


def test_an_instant_is_meant_in_utc() -> None:
    assert read_instant({"to": "2027-01-31T12:30"}, "to") == datetime(
        2027, 1, 31, 12, 30, tzinfo=UTC
    )


@pytest.mark.parametrize("text", ["", "soon", "2027-02-30T00:00", "2027-01-31T00:00+02:00"])
def test_no_instant_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(BadInput) as raised:
        read_instant({"to": text}, "to")
    assert raised.value.errors[0].field == "to"


def test_a_choice_is_true_or_false_and_nothing_else() -> None:
    assert read_choice({"enabled": "true"}, "enabled")
    assert not read_choice({"enabled": "false"}, "enabled")
    with pytest.raises(BadInput):
        read_choice({"enabled": "yes"}, "enabled")


def test_a_file_in_the_place_of_a_text_reads_as_empty() -> None:
    assert text_field({"email": object()}, "email") == ""
