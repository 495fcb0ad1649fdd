"""Pictures for documents: what may be one, and how an SVG is made harmless. Pure.

An SVG is a program as much as a picture: it can run scripts and fetch addresses. What is kept of
one is what draws, by a list; the rest is left out, so nothing has to be recognised as bad.
"""

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

from tallystick.issuers.model import Logo
from tallystick.kernel.errors import BadInput

BYTES_MAX: Final = 256 * 1024
PIXELS_MAX: Final = 4000
ELEMENTS_MAX: Final = 10_000
DEPTH_MAX: Final = 50
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK: Final = "http://www.w3.org/1999/xlink"
_DRAWS: Final = frozenset(
    {
        "svg", "g", "defs", "title", "desc", "path", "rect", "circle", "ellipse", "line",
        "polyline", "polygon", "text", "tspan", "use", "symbol", "clipPath", "mask", "pattern",
        "linearGradient", "radialGradient", "stop",
    }
)  # fmt: skip
_INSIDE: Final = re.compile(r"#[A-Za-z_][\w.:-]*")
_URLS: Final = re.compile(r"url\(\s*['\"]?\s*([^)]*)\)", re.IGNORECASE)
_STYLE: Final = re.compile(r"[\w\s.,:;#%()'\"+-]*")


def read_logo(content: bytes) -> Logo:
    """Return the picture, an SVG without all that does not draw; raises BadInput `invalid_logo`."""
    if len(content) > BYTES_MAX:
        raise BadInput.field("logo", "too_large", f"may have {BYTES_MAX // 1024} KiB")
    if content.startswith(_PNG):
        _check_png(content)
        return _logo("image/png", content)
    return _logo("image/svg+xml", _clean_svg(content))


def _logo(media_type: str, content: bytes) -> Logo:
    digest = hashlib.sha256(content).hexdigest()
    return Logo(digest, "image/png" if media_type == "image/png" else "image/svg+xml", content)


def _refusal(message: str) -> BadInput:
    return BadInput.field("logo", "invalid_logo", message)


def _check_png(content: bytes) -> None:
    """Refuse a PNG that is cut off, damaged, too large, or that hides something behind its end."""
    names = list(_png_chunks(content))
    if names[:1] != [b"IHDR"] or names[-1:] != [b"IEND"] or b"IDAT" not in names:
        raise _refusal("must be a whole PNG")
    width, height = struct.unpack(">II", content[16:24])
    if not (1 <= width <= PIXELS_MAX and 1 <= height <= PIXELS_MAX):
        raise _refusal(f"may be {PIXELS_MAX} pixels wide and high")


def _png_chunks(content: bytes) -> Iterator[bytes]:
    at = len(_PNG)
    while at < len(content):
        head = content[at : at + 8]
        if len(head) < 8:  # noqa: PLR2004 -- a length and a name of four bytes each
            raise _refusal("must be a whole PNG")
        (length,) = struct.unpack(">I", head[:4])
        body, check = content[at + 8 : at + 8 + length], content[at + 8 + length : at + 12 + length]
        if check != struct.pack(">I", zlib.crc32(head[4:] + body)):
            raise _refusal("must be a whole PNG")
        yield head[4:]
        at += 12 + length


def _clean_svg(content: bytes) -> bytes:
    root = _parse(content)
    if root.tag != f"{{{_SVG}}}svg":
        raise _refusal("must be a PNG or an SVG")
    counted = sum(1 for _ in root.iter())
    if counted > ELEMENTS_MAX:
        raise _refusal(f"may have {ELEMENTS_MAX} elements")
    clean = _clean(root, 1)
    if clean is None or not ("viewBox" in clean.attrib or {"width", "height"} <= set(clean.attrib)):
        raise _refusal("must have a viewBox, or a width and a height")
    clean.set("xmlns", _SVG)
    return ET.tostring(clean, encoding="unicode").encode()


def _parse(content: bytes) -> ET.Element:
    """Read XML that declares no document type: entities are how a small file becomes a huge one."""
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")

    def refuse(*_: object) -> None:
        raise _refusal("must not declare a document type")

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.buffer_text = True
    parser.StartElementHandler = lambda tag, attributes: _start(builder, tag, attributes)
    parser.EndElementHandler = lambda tag: _end(builder, tag)
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)  # noqa: FBT003 -- it takes no names
        return builder.close()
    except (expat.ExpatError, ValueError, AssertionError) as error:
        raise _refusal("must be a PNG or an SVG") from error


def _named(name: str) -> str:
    return f"{{{name}" if "}" in name else name


def _start(builder: ET.TreeBuilder, tag: str, attributes: dict[str, str]) -> None:
    builder.start(_named(tag), {_named(name): value for name, value in attributes.items()})


def _end(builder: ET.TreeBuilder, tag: str) -> None:
    builder.end(_named(tag))


def _clean(element: ET.Element, depth: int) -> ET.Element | None:
    """Return the element with what draws in it, None when it does not draw itself."""
    if depth > DEPTH_MAX:
        raise _refusal(f"may nest {DEPTH_MAX} elements")
    name = element.tag.removeprefix(f"{{{_SVG}}}")
    if name == element.tag or name not in _DRAWS:
        return None
    kept = ET.Element(name, dict(_attributes(element)))
    kept.text, kept.tail = element.text, element.tail
    for child in element:
        clean = _clean(child, depth + 1)
        if clean is not None:
            kept.append(clean)
    return kept


def _attributes(element: ET.Element) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        if name in {"href", f"{{{_XLINK}}}href"}:
            if _INSIDE.fullmatch(value):
                yield "href", value
        elif "}" in name or name.lower().startswith("on"):
            continue
        elif name == "style":
            if _STYLE.fullmatch(value) and _is_local(value):
                yield name, value
        elif _is_local(value):
            yield name, value


def _is_local(value: str) -> bool:
    """Tell whether a value names nothing outside of the picture."""
    text = value.lower()
    if "\\" in text or "javascript:" in text or "@import" in text or "expression" in text:
        return False
    return all(_INSIDE.match(found) for found in _URLS.findall(value))
