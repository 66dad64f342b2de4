"""Fuzz target for what reads mails: `python tests/fuzz/fuzz_mail.py -max_total_time=300`, with atheris.

The first octet says which reader gets the rest. None may raise; what comes out stays within its bound, and readers that
must agree (of addresses, of fields, of text that is folded twice) do.
"""

from __future__ import annotations

import sys

if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["postern.protocols.mime", "postern.transport.submission"]):
        from postern.protocols.authentication import header as headers
        from postern.protocols.mime import message, sections, text, words
        from postern.protocols.mime.address import address_list
        from postern.protocols.mime.header import split_fields
        from postern.transport.submission import Submitter, fix_header
else:
    from postern.protocols.authentication import header as headers
    from postern.protocols.mime import message, sections, text, words
    from postern.protocols.mime.address import address_list
    from postern.protocols.mime.header import split_fields
    from postern.transport.submission import Submitter, fix_header

ANNA = Submitter("anna@good.test", frozenset({"anna@good.test"}))


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a reader does what it must not."""
    if not data:
        return
    seed, rest = data[0], data[1:]
    match seed % 4:
        case 0:
            _message(rest)
        case 1:
            _addresses(rest)
        case 2:
            _submitted(rest)
        case _:
            _texts(rest)


def _message(content: bytes) -> None:
    rendered = message.render(content)
    assert rendered.size == len(content) >= rendered.header_size
    assert len(rendered.body.encode("utf-8", "surrogatepass")) <= text.MAX_TEXT
    assert rendered.structure.count(b"\0") == rendered.envelope.count(b"\0") == 0
    for part in ((1,), (2,), (1, 1), (1, 2, 1)):
        whole = sections.section(content, part)
        assert whole is None or whole in content
        found = sections.binary(content, part)
        assert isinstance(found, sections.Missing) or len(found) <= max(len(content), 1)
    kept = sections.section(content, (), "HEADER.FIELDS", [b"from", b"subject"])
    assert kept is not None and kept.endswith(b"\r\n")


def _addresses(value: bytes) -> None:
    addresses, _ = address_list(value)
    complete = [one.address for one in addresses if one.complete]
    assert headers.addresses([value]) == complete
    assert len(headers.domains(complete)) == len(complete)


def _submitted(header: bytes) -> None:
    assert b"".join([raw for _, raw in split_fields(header)]) == header
    fixed = fix_header(header + b"\r\n", ANNA, 0.0, "unique", "good.test")
    if isinstance(fixed, bytes):
        found = headers.fields(fixed)
        for name in ("from", "sender"):
            for address in headers.addresses([field.value for field in headers.named(found, name)]):
                assert ANNA.may_send_as(address), address
        assert not headers.named(found, "bcc")


def _texts(data: bytes) -> None:
    decoded = words.decode_words(data)
    assert len(decoded) <= max(len(data), 1)
    assert len(words.fold(decoded)) <= 18 * len(decoded)
    assert len(words.fold_within(decoded, 100).encode("utf-8", "surrogatepass")) <= 100
    text.html_text(decoded)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
