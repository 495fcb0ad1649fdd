"""What may be a logo, and what is left of an SVG."""

import struct
import zlib
from typing import Final

import pytest

from tallystick.issuers.logo import BYTES_MAX, read_logo
from tallystick.kernel.errors import BadInput

SVG: Final = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"{more}>{inside}</svg>'


def svg(inside: str, more: str = "") -> bytes:
    return SVG.format(inside=inside, more=more).encode()


def chunk(name: bytes, body: bytes) -> bytes:
    check = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)


def png(width: int = 2, height: int = 2) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00" + b"\x10" * 3 * 2) if width == 2 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def refusal(content: bytes) -> str:
    with pytest.raises(BadInput) as refused:
        read_logo(content)
    return refused.value.errors[0].code


def test_a_png_is_kept_byte_for_byte() -> None:
    logo = read_logo(png())
    assert (logo.media_type, logo.content) == ("image/png", png())
    assert len(logo.logo_id) == 64


@pytest.mark.parametrize("content", [
    b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", png()[:-1], png() + b"x", png().replace(b"IDAT", b"IDAX"),
    png()[:-12], png(4001, 2), b"<svg/>", b"<html xmlns='http://www.w3.org/1999/xhtml'/>",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>", svg("<path></g>"),
    b"<!DOCTYPE svg [<!ENTITY a 'b'>]>" + svg("<text>&a;</text>"),
    svg("<g>" * 60 + "</g>" * 60), b"\xff" * 100,
], ids=str)  # fmt: skip
def test_what_is_no_picture_is_refused(content: bytes) -> None:
    assert refusal(content) == "invalid_logo"


def test_a_picture_that_is_too_large_is_refused() -> None:
    assert refusal(b"\x00" * (BYTES_MAX + 1)) == "too_large"


@pytest.mark.parametrize(("inside", "gone"), [
    ("<script>alert(1)</script>", b"alert"),
    ('<path d="M0 0" onclick="alert(1)"/>', b"onclick"),
    ('<a href="javascript:alert(1)"><path/></a>', b"javascript"),
    ('<image href="https://evil.example/x.png"/>', b"evil"),
    ('<use href="https://evil.example/x.svg#a"/>', b"evil"),
    ('<rect fill="url(https://evil.example/x)"/>', b"evil"),
    ('<rect fill="url( &quot;//evil.example/x&quot;)"/>', b"evil"),
    ('<rect style="background:url(//evil.example)"/>', b"evil"),
    ('<rect style="fill:u\\72l(//evil.example)"/>', b"evil"),
    ("<style>@import '//evil.example'</style>", b"evil"),
    ("<foreignObject><p>evil</p></foreignObject>", b"evil"),
    ('<rect><animate attributeName="href" to="evil"/></rect>', b"evil"),
    ('<set to="evil"/>', b"evil"),
    ('<x:script xmlns:x="http://www.w3.org/1999/xhtml">evil</x:script>', b"evil"),
    ('<?xml-stylesheet href="evil"?>', b"evil"),
])  # fmt: skip
def test_what_an_svg_does_besides_drawing_is_left_out(inside: str, gone: bytes) -> None:
    kept = read_logo(svg(f"{inside}<circle r='4'/>")).content
    assert gone not in kept
    assert b"circle" in kept


def test_what_draws_stays() -> None:
    inside = (
        '<defs><linearGradient id="a"><stop offset="0" stop-color="#fff"/></linearGradient></defs>'
        '<g transform="scale(2)"><path d="M0 0L9 9" fill="url(#a)" style="stroke:#000"/></g>'
        '<text x="1">Łódź</text>'
    )
    kept = read_logo(svg(inside)).content.decode()
    for part in ("linearGradient", "#fff", "url(#a)", "scale(2)", "stroke:#000", "Łódź"):
        assert part in kept
    assert read_logo(kept.encode()).content.decode() == kept
