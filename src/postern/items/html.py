"""HTML of messages: made harmless, made of text, and made text.

HTML that a stranger wrote is not read into a tree without care. The rules of HTML5 repeat elements that format and were not
closed in each paragraph that follows, so a megabyte may make gigabytes. Such elements are renamed before the tree is made, and
back in what comes out. Readers of HTML take the square of the open elements and of the attributes of a tag, too, so a long text,
or one of many tags, is shown as text.
"""

from __future__ import annotations

import re

import nh3

from postern.protocols import xml
from postern.protocols.mime.text import html_text

MAX_TAGS = 10_000
"""Tags that are read into a tree. A newsletter has a few thousand."""
MAX_FILTERED = 1 << 18
"""Characters of HTML that are read into a tree. So many may be 60,000 attributes, which take a second."""
_FORMATTING = "big|b|code|em|font|i|nobr|small|strike|strong|s|tt|u"
_INTO = re.compile(rf"<(/?)({_FORMATTING})(?=[\s/>])", re.IGNORECASE)
_BACK = re.compile(rf"<(/?)x-({_FORMATTING})(?=[\s/>])")
_RENAMED = {f"x-{name}" for name in _FORMATTING.split("|")}
_ATTRIBUTES = {
    **{tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items()},
    "*": {"align", "bgcolor", "border", "class", "dir", "height", "lang", "style", "title", "valign", "width"},
    "x-font": {"color", "face", "size"},
    "table": {"cellpadding", "cellspacing", "summary"},
}
_TAGS = (
    set(nh3.ALLOWED_TAGS) | _RENAMED | {"center", "hr", "img", "table", "tbody", "td", "th", "thead", "tr", "caption"}
)
_SCHEMES = {"http", "https", "mailto", "tel", "cid", "ftp"}
_STYLES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-left", "border-right", "border-spacing",
    "border-top", "color", "direction", "display", "font", "font-family", "font-size", "font-style", "font-weight",
    "height", "line-height", "margin", "margin-bottom", "margin-left", "margin-right", "margin-top", "max-width",
    "min-width", "padding", "padding-bottom", "padding-left", "padding-right", "padding-top", "text-align",
    "text-decoration", "text-indent", "vertical-align", "white-space", "width", "word-break",
}  # fmt: skip
_EXPRESSION = re.compile(r"expression\s*\(", re.IGNORECASE)
"""A value of a style that old browsers run as a program."""
_COMMENT = re.compile(r"/\*(?:[^*]++|\*(?!/))*+(?:\*/)?+")
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)
_HIDDEN_END = re.compile(r"</(script|style)\s*+>", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n?+")


def filtered(source: str) -> str:
    """A document without what is active: scripts, forms, frames, handlers of events, and what loads by styles.

    Bound: as `filtered_fragment`.
    """
    return document(filtered_fragment(source))


def filtered_fragment(source: str) -> str:
    """HTML without what is active, and without a frame.

    Bound: linear in the source; a tree is made of at most MAX_FILTERED characters and MAX_TAGS tags, else it is shown as text.
    """
    if len(source) > MAX_FILTERED or source.count("<") > MAX_TAGS:
        return fragment_of_text(text_of(source))
    clean = nh3.clean(
        _INTO.sub(r"<\1x-\2", source),
        tags=_TAGS,
        clean_content_tags={"script", "style", "title"},
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        filter_style_properties=_STYLES,
        attribute_filter=_without_active,
    )
    return _BACK.sub(r"<\1\2", clean)


def _without_active(tag: str, name: str, value: str) -> str | None:
    """An attribute as it is kept; None: it is not. What loads by a style is no value of the properties that are kept."""
    if name != "style":
        return value
    return None if _EXPRESSION.search(_ESCAPE.sub(_unescaped, _COMMENT.sub("", value))) else value


def _unescaped(match: re.Match[str]) -> str:
    return chr(min(int(match[1], 16), 0x10FFFF)) if match[1] else str(match[2])


def text_of(source: str) -> str:
    """The text that HTML shows.

    Bound: linear in the source, and not longer than it.
    """
    # `html_text`, which is for searching, leaves the end of such a tag.
    return html_text(_HIDDEN_END.sub(r"</\1", source))


def of_text(text: str) -> str:
    """A document that shows a text with its lines.

    Bound: linear in the text; at most six times as long, and a frame.
    """
    return document(fragment_of_text(text))


def fragment_of_text(text: str) -> str:
    """HTML that shows a text with its lines, without a frame.

    Bound: linear in the text; at most six times as long.
    """
    lines = xml.text(_LINE_ENDS.sub("\n", text)).replace("  ", " &nbsp;").replace("\n", "<br>\n")
    return f"<div>{lines}</div>"


def document(fragment: str) -> str:
    """A document around a fragment."""
    return (
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"></head>'
        f"<body>{fragment}</body></html>"
    )
