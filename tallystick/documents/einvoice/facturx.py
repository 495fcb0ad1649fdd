"""The mark that makes a PDF with an XML in it a Factur-X / ZUGFeRD invoice.

Typst attaches the XML and writes PDF/A-3; what it can not write are the properties of Factur-X in
the metadata (XMP), by which a reader knows the file for what it is. They are added as an
incremental update (ISO 32000-1, 7.5.6): the bytes before stay, a second version of the metadata
follows. That takes well below a millisecond, where a PDF library needs 40.
"""

import re
from typing import Final

FILE_NAME: Final = "factur-x.xml"
_NAMESPACE: Final = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
# As the specification has them (Factur-X 1.07, annex 6.2.2).
_PROPERTIES: Final = (
    ("DocumentFileName", "The name of the embedded XML document", FILE_NAME),
    ("DocumentType", "The type of the hybrid document in capital letters", "INVOICE"),
    ("Version", "The actual version of the standard applying to the embedded XML document", "1.0"),
    ("ConformanceLevel", "The conformance level of the embedded XML document", "EN 16931"),
)
_SCHEMAS_END: Final = b"</rdf:Bag></pdfaExtension:schemas>"
_DESCRIPTION_END: Final = b"</rdf:Description></rdf:RDF>"
_METADATA: Final = re.compile(
    rb"\n(\d+) 0 obj\n<</Length \d+/Type/Metadata/Subtype/XML>>\nstream\n(.*?)\nendstream",
    re.DOTALL,
)
_TRAILER: Final = re.compile(rb"trailer\n<<(.*)>>\nstartxref\n(\d+)\n%%EOF\s*$", re.DOTALL)


def marked(pdf: bytes) -> bytes:
    """Return the PDF with the properties of Factur-X, profile EN 16931.

    Raises ValueError for a PDF that was not written as typst writes PDF/A.
    """
    metadata, trailer = _METADATA.search(pdf), _TRAILER.search(pdf)
    if metadata is None or trailer is None or _SCHEMAS_END not in metadata[2]:
        raise ValueError("The PDF has no metadata of PDF/A to add to.")
    number = int(metadata[1])
    xmp = metadata[2].replace(_SCHEMAS_END, _schema() + _SCHEMAS_END)
    xmp = xmp.replace(_DESCRIPTION_END, _values() + _DESCRIPTION_END)
    head = f"{number} 0 obj\n<</Length {len(xmp)}/Type/Metadata/Subtype/XML>>\nstream\n".encode()
    body = pdf.rstrip() + b"\n"
    # A table that begins with the free entry is read rightly by readers that expect entry 0 first.
    entry = f"{number} 1\n{len(body):010d} 00000 n\r\n"
    table = f"xref\n0 1\n0000000000 65535 f\r\n{entry}".encode()
    update = head + xmp + b"\nendstream\nendobj\n"
    entries = trailer[1] + b"/Prev " + trailer[2]
    begin = len(body) + len(update)
    return b"".join(
        [body, update, table, b"trailer\n<<", entries, b">>\nstartxref\n%d\n%%%%EOF\n" % begin]
    )


def _schema() -> bytes:
    properties = "".join(
        "<rdf:li rdf:parseType='Resource'>"
        f"<pdfaProperty:name>{name}</pdfaProperty:name>"
        "<pdfaProperty:valueType>Text</pdfaProperty:valueType>"
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{description}</pdfaProperty:description></rdf:li>"
        for name, description, _ in _PROPERTIES
    )
    return (
        "<rdf:li rdf:parseType='Resource'>"
        "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
        f"<pdfaSchema:namespaceURI>{_NAMESPACE}</pdfaSchema:namespaceURI>"
        "<pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{properties}</rdf:Seq></pdfaSchema:property></rdf:li>"
    ).encode()


def _values() -> bytes:
    return "".join(
        f'<fx:{name} xmlns:fx="{_NAMESPACE}">{value}</fx:{name}>' for name, _, value in _PROPERTIES
    ).encode()
