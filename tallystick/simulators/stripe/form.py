"""Decoding of Stripe's form bodies and queries: `a[b]=c`, `a[0]=x`, `a[]=x`."""

import re
from urllib.parse import parse_qsl

from tallystick.simulators.stripe.errors import invalid

# A parameter as it came: a text, or a nest of them. Lists are nests with the keys "0", "1", ...
Raw = str | dict[str, "Raw"]

FIELDS_MAX = 1000
DEPTH_MAX = 8

_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_PART = re.compile(r"\[([^\[\]]*)\]")


def decode(encoded: str) -> dict[str, Raw]:
    """Return the nest that a form body or query stands for; of equal names the last one counts.

    Raises StripeError for a name that is no path, is both a value and a nest, or is too deep.
    """
    tree: dict[str, Raw] = {}
    try:
        fields = parse_qsl(
            encoded,
            keep_blank_values=True,
            max_num_fields=FIELDS_MAX,
            encoding="utf-8",
            errors="strict",
        )
    except ValueError as error:
        raise invalid("The request body is no UTF-8 form that can be read.") from error
    for name, value in fields:
        _place(tree, _path(name), value, name)
    return tree


def _path(name: str) -> list[str]:
    match = _KEY.match(name)
    parts = [match[1], *_PART.findall(match[2])] if match else []
    if not 1 <= len(parts) <= DEPTH_MAX:
        raise invalid(f"Invalid parameter name: {name[:100]}", param=name[:100])
    return parts


def _place(tree: dict[str, Raw], path: list[str], value: str, name: str) -> None:
    *above, last = path
    node = tree
    for part in above:
        inner = node.setdefault(_key(node, part), {})
        if isinstance(inner, str):
            raise invalid(f"Invalid parameter: {name} is a value and a nest.", param=name)
        node = inner
    key = _key(node, last)
    if isinstance(node.get(key), dict):
        raise invalid(f"Invalid parameter: {name} is a value and a nest.", param=name)
    node[key] = value


def _key(node: dict[str, Raw], part: str) -> str:
    """Name the next element for `a[]`."""
    return part or str(len(node))
