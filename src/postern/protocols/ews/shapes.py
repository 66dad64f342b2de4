"""Response shapes: which properties an answer holds of an item or a folder (MS-OXWSCDATA sections 2.2.4.2 and 2.2.4.38)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import is_true, t, unsigned
from postern.protocols.ews.paths import PropertyPath, read_paths

MAX_BODY = 1 << 31
"""Characters of a body where the request bounds it nowhere."""


class Base(StrEnum):
    """The named sets of properties (MS-OXWSCDATA section 2.2.5.10)."""

    ID_ONLY = "IdOnly"
    DEFAULT = "Default"
    ALL = "AllProperties"


class BodyType(StrEnum):
    """The form of a body that is asked for; BEST is the one that the item has (MS-OXWSCDATA section 2.2.5.3)."""

    BEST = "Best"
    HTML = "HTML"
    TEXT = "Text"


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape. `paths` are asked for beside the base. `mime` has the whole content come along, `filters_html` has what is active
    taken out of HTML, and `most` bounds the characters of a body."""

    base: Base = Base.ID_ONLY
    paths: tuple[PropertyPath, ...] = ()
    body: BodyType = BodyType.BEST
    mime: bool = False
    filters_html: bool = False
    most: int = MAX_BODY


def read_shape(shape: xml.Element | None) -> Shape:
    """Reads an ItemShape, a FolderShape or an AttachmentShape; None is one with ids alone. Raises EwsError.

    Bound: linear in the element.
    """
    if shape is None:
        return Shape()
    try:
        base = Base(shape.text_of(t("BaseShape")) or Base.ID_ONLY)
        body = BodyType(shape.text_of(t("BodyType")) or BodyType.BEST)
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None
    most = unsigned(shape.text_of(t("MaximumBodySize")))
    return Shape(
        base,
        read_paths(shape.find(t("AdditionalProperties"))),
        body,
        is_true(shape.text_of(t("IncludeMimeContent"))),
        is_true(shape.text_of(t("FilterHtmlContent"))),
        most if most is not None else MAX_BODY,
    )
