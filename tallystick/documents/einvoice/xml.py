"""XML from nested calls. What is text is escaped, what has no content leaves no element."""

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
# XML 1.0 has no way to write these, not even escaped.
_IMPOSSIBLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Xml(str):
    """Text that is XML already."""

    __slots__ = ()


NOTHING: Final = Xml("")


def element(name: str, *content: str | None, **attributes: str) -> Xml:
    """Return an element around its content, or nothing where there is none."""
    inside = "".join(_escaped(part) for part in content if part)
    if not inside:
        return NOTHING
    told = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return Xml(f"<{name}{told}>{inside}</{name}>")


def readable(text: str) -> str:
    """Return what XML can hold of a text, without space around it."""
    return _IMPOSSIBLE.sub(" ", text).strip()


def _escaped(part: str) -> str:
    return part if isinstance(part, Xml) else escape(readable(part))


def root(name: str, namespaces: dict[str, str], *content: Xml) -> bytes:
    """Return a document in UTF-8; the namespaces are by prefix, "" is the default one."""
    told = "".join(
        f" xmlns{':' if prefix else ''}{prefix}={quoteattr(address)}"
        for prefix, address in namespaces.items()
    )
    return f"{HEAD}<{name}{told}>{''.join(content)}</{name}>\n".encode()
