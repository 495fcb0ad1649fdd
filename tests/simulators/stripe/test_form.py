"""Form bodies as Stripe's SDKs write them."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.simulators.stripe.errors import StripeError
from tallystick.simulators.stripe.form import decode
from tallystick.simulators.stripe.params import integer, many, metadata, nest, read, text

WORD = st.text(
    st.characters(exclude_characters="[]", exclude_categories=["Cs"]), min_size=1, max_size=6
)


def flat(value: object, prefix: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in flat(inner, f"{prefix}[{key}]")]
    return [(prefix, str(value))]


LEAF = st.text(max_size=4)
NEST = st.dictionaries(WORD, LEAF, min_size=1, max_size=3)
DEEP = st.dictionaries(WORD, LEAF | NEST, min_size=1, max_size=3)


@given(st.dictionaries(WORD, LEAF | NEST | DEEP, max_size=4))
def test_what_is_encoded_comes_back(tree: dict[str, object]) -> None:
    pairs = [pair for key, value in tree.items() for pair in flat(value, key)]
    assert decode(urlencode(pairs)) == tree


def test_lists_come_with_or_without_numbers() -> None:
    shape = {"expand": many(text)}
    assert read(shape, decode("expand[0]=a&expand[1]=b")) == {"expand": ["a", "b"]}
    assert read(shape, decode("expand[]=a&expand[]=b")) == {"expand": ["a", "b"]}
    assert read(shape, decode("expand[10]=b&expand[2]=a")) == {"expand": ["a", "b"]}


def test_lists_of_nests_keep_their_members_together() -> None:
    shape = {"items": many(nest({"price": text, "quantity": integer}))}
    body = "items[0][price]=p1&items[0][quantity]=2&items[1][price]=p2"
    assert read(shape, decode(body)) == {"items": [{"price": "p1", "quantity": 2}, {"price": "p2"}]}


def test_metadata_keys_that_are_numbers_are_no_list() -> None:
    assert read({"metadata": metadata}, decode("metadata[0]=a")) == {"metadata": {"0": "a"}}


def test_percent_signs_plus_signs_and_accents_are_decoded() -> None:
    assert decode("name=J%C3%BCrgen+%26+Co%2E") == {"name": "Jürgen & Co."}
    assert decode("a%5Bb%5D=c") == {"a": {"b": "c"}}


@pytest.mark.parametrize(
    "body",
    [
        "a=1&a[b]=2",
        "a[b]=1&a=2",
        "a[b=1",
        "[a]=1",
        "a]=1",
        "a[b]c=1",
        "a" + "[b]" * 9 + "=1",
        "a=%ff",
    ],
)
def test_a_body_that_makes_no_sense_is_refused(body: str) -> None:
    with pytest.raises(StripeError) as refused:
        decode(body)
    assert refused.value.status == 400


def test_more_fields_than_anyone_sends_are_refused() -> None:
    with pytest.raises(StripeError):
        decode("&".join(f"a{n}=1" for n in range(1001)))
