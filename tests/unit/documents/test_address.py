import pytest

from tallystick.documents.address import address_lines
from tallystick.documents.document import Party

BERLIN = Party("A", ("Hauptstr. 1",), country="DE", city="Berlin", postal_code="10115")


@pytest.mark.parametrize(
    ("party", "language", "lines"),
    [
        (BERLIN, "de", ("Hauptstr. 1", "10115 Berlin", "Deutschland")),
        (BERLIN, "fr", ("Hauptstr. 1", "10115 Berlin", "Allemagne")),
        (
            Party("B", ("1 Front St",), country="CA", region="ON", city="Toronto",
                  postal_code="M5V 2T6"),
            "en",
            ("1 Front St", "Toronto, ON M5V 2T6", "Canada"),
        ),
        (Party("C", (), city="Lyon"), "en", ("Lyon",)),
        # The whole address was written as lines: nothing is said twice.
        (
            Party("D", ("1 Row", "London EC2R 8AH", "United Kingdom"), country="GB",
                  city="London", postal_code="EC2R 8AH"),
            "en",
            ("1 Row", "London EC2R 8AH", "United Kingdom"),
        ),
        (
            Party("E", ("1 Row", "FRANCE"), country="FR", city="Lyon"),
            "en",
            ("1 Row", "FRANCE", "Lyon"),
        ),
        (Party("F", ("1 Row",), country="FR"), "en", ("1 Row",)),
    ],
)  # fmt: skip
def test_city_and_country_are_printed_once(
    party: Party, language: str, lines: tuple[str, ...]
) -> None:
    assert address_lines(party, language) == lines
