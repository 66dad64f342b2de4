"""Fuzz target for XML and the requests of Autodiscover: `python tests/fuzz/fuzz_xml.py -max_total_time=300`, with atheris.

What is read is written, and read again as the same; a request of Autodiscover has an answer that can be read.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext, suppress

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.protocols.xml", "postern.services.autodiscover"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.protocols import xml
    from postern.services.autodiscover import pox, soap
    from postern.services.autodiscover.client_services import ClientServices

BOUNDS = xml.Bounds(octets=4096, depth=8, elements=50, attributes=50, name=40, value=100, spaces=10)


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where the reader or the writer does what it must not."""
    assert xml.text_of_octets(data) == xml.text(data.decode("utf-8", "replace"))
    with suppress(xml.XmlError):
        root = xml.read(data, BOUNDS)
        elements = list(root.walk())
        assert len(elements) <= BOUNDS.elements
        assert sum(len(element.attributes) for element in elements) <= BOUNDS.attributes
        assert xml.read(xml.write(root)) == root
        for element in elements:
            inner = xml.write(element, {"DAV:": "D"}, declaration=False)
            assert xml.read(b"<outer>" + inner + b"</outer>").elements == [element]
    asked = pox.read(data)
    if isinstance(asked, pox.Question):
        assert asked.address in [element.text for element in xml.read(pox.redirect(asked.address)).walk()]
    question = soap.read(data)
    if isinstance(question, soap.Question):
        xml.read(soap.user_settings(question, dict.fromkeys(question.named, "a@b.test"), ClientServices("", ())))
        xml.read(soap.domain_settings(question, ClientServices("", question.named, ews="https://a/")))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
