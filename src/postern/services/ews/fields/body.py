"""The bodies of messages (MS-OXWSCORE section 2.2.4.24): the whole one, that without what it answers, as text, and a preview."""

from __future__ import annotations

from postern.items import html
from postern.items.mail_content import Form
from postern.protocols import xml
from postern.protocols.ews.shapes import BodyType, Shape
from postern.protocols.ews.versions import Version
from postern.services.ews.fields import mime
from postern.services.ews.item_view import ItemView

PREVIEW = 255
"""Characters of a preview."""
_QUOTED_LINES = ("-----original message", "---------- forwarded message", "____________________", "from: ")
_QUOTED_MARKUP = ("<blockquote", "gmail_quote", "divrplyfwdmsg", "moz-cite-prefix", "yahoo_quoted")


def body_markup(name: str, form: Form, shape: Shape, version: Version) -> str:
    """A body of any kind of item as an element, with at most `shape.most` characters: 0 leaves it empty. IsTruncated came
    with Exchange 2013 (MS-OXWSCDATA section 2.2.4.8)."""
    text = form.text[: shape.most]
    kind = "HTML" if form.is_html else "Text"
    is_cut = "true" if len(text) < len(form.text) else "false"
    cut = f' IsTruncated="{is_cut}"' if version >= Version.V2013 else ""
    return f'<t:{name} BodyType="{kind}"{cut}>{xml.text(text)}</t:{name}>'


def _filtered(form: Form, shape: Shape) -> Form:
    return Form(html.filtered(form.text), True) if form.is_html and shape.filters_html else form


def body(view: ItemView, shape: Shape) -> str:
    form = _filtered(mime.form(view, shape.body), shape)
    return body_markup("Body", form, shape, view.call.header.version)


def normalized_body(view: ItemView, shape: Shape) -> str:
    form = _filtered(mime.form(view, BodyType.HTML if shape.body is BodyType.BEST else shape.body), shape)
    return body_markup("NormalizedBody", form, shape, view.call.header.version)


def text_body(view: ItemView, shape: Shape) -> str:
    return body_markup("TextBody", mime.form(view, BodyType.TEXT), shape, view.call.header.version)


def unique_body(view: ItemView, shape: Shape) -> str:
    """The body up to the message that it answers."""
    form = mime.form(view, shape.body)
    end = _html_end(form.text) if form.is_html else _text_end(form.text)
    if end > 0:
        form = Form(form.text[:end].rstrip(), form.is_html)
        if form.is_html:
            # Elements that were cut off are closed.
            form = Form(html.filtered(form.text), True)
    return body_markup("UniqueBody", _filtered(form, shape), shape, view.call.header.version)


def _text_end(text: str) -> int:
    """The place where a quotation begins, by the line that programs put before it; 0: there is none."""
    place = 0
    for line in text.splitlines(keepends=True):
        told = line.strip().lower()
        if told.startswith(_QUOTED_LINES) or (told.startswith("on ") and told.endswith(" wrote:")):
            return place
        place += len(line)
    return 0


def _html_end(text: str) -> int:
    """The same of HTML, by the elements that programs put around a quotation."""
    folded = text.lower()
    places = [folded.find(mark) for mark in _QUOTED_MARKUP]
    first = min([place for place in places if place >= 0], default=0)
    return max(folded.rfind("<", 0, first + 1), 0) if len(folded) == len(text) else 0


def preview(view: ItemView) -> str:
    """The beginning of the body as text, on one line."""
    form = mime.form(view, BodyType.BEST)
    text = html.text_of(form.text[: 64 * PREVIEW * 8]) if form.is_html else form.text[: 8 * PREVIEW]
    return " ".join(text.split())[:PREVIEW]
