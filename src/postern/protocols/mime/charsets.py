"""Decodes bytes in the charset that a message claims. It knows the labels that mail really has, and uses Python's codecs.

Only codecs of this table are used: some of Python's (idna, punycode) take quadratic time on hostile input.
"""

from __future__ import annotations

# Windows code pages are supersets of the standards whose labels programs put on them (WHATWG Encoding).
_LABELS = {
    "utf-8": "utf8 utf-8 unicode-1-1-utf-8 cp65001 utf-8-sig",
    "ascii": "us-ascii ascii ansi_x3.4-1968 iso646-us 646",
    "cp949": "euc-kr euckr ks_c_5601-1987 ks_c_5601-1989 ks_c_5601 ksc5601 ksc_5601 kscs5601 korean cseuckr"
    " cp949 ms949 ms_cp949 uhc windows-949 x-windows-949",
    "johab": "johab cp1361 x-johab",
    "iso2022_kr": "iso-2022-kr csiso2022kr",
    "gb18030": "gb2312 gb2312-80 gb_2312-80 csgb2312 euc-cn chinese gbk x-gbk cp936 windows-936 gb18030",
    "hz": "hz hz-gb-2312",
    "cp950": "big5 big-5 csbig5 x-x-big5 cn-big5 cp950",
    "big5hkscs": "big5-hkscs big5hkscs",
    "cp932": "shift_jis shift-jis sjis x-sjis csshiftjis ms_kanji ms932 cp932 windows-31j",
    "euc_jis_2004": "euc-jp eucjp x-euc-jp x-euc cseucpkdfmtjapanese",
    "iso2022_jp_ext": "iso-2022-jp iso-2022-jp-1 iso-2022-jp-ms csiso2022jp cp50220 cp50221",
    "iso2022_jp_2": "iso-2022-jp-2",
    "iso2022_jp_3": "iso-2022-jp-3",
    "iso2022_jp_2004": "iso-2022-jp-2004",
    "cp1252": "iso-8859-1 iso8859-1 iso_8859-1 latin1 latin-1 l1 ansi x-ansi cp819 cp1252 windows-1252",
    "iso8859-2": "iso-8859-2 iso8859-2 latin2",
    "iso8859-6": "iso-8859-6 iso8859-6 iso-8859-6-i",
    "iso8859-8": "iso-8859-8 iso8859-8 iso-8859-8-i iso-8859-8-e",
    "koi8-r": "koi8-r koi8",
    "koi8-u": "koi8-u",
    "koi8-t": "koi8-t",
    "tis-620": "tis-620",
    "mac-roman": "macintosh mac",
    "mac-cyrillic": "x-mac-cyrillic",
    "utf-7": "utf-7 unicode-1-1-utf-7",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16le",
    "utf-16-be": "utf-16be",
    "utf-32": "utf-32",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}
for _number in (3, 4, 5, 7, 9, 10, 11, 13, 14, 15, 16):
    _CODECS[f"iso-8859-{_number}"] = _CODECS[f"iso8859-{_number}"] = f"iso8859-{_number}"
for _number in (874, 1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258):
    _CODECS[f"windows-{_number}"] = _CODECS[f"cp{_number}"] = f"cp{_number}"
for _number in (437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869):
    _CODECS[f"cp{_number}"] = _CODECS[f"ibm{_number}"] = f"cp{_number}"
_NOT_ASCII = {codec for codec in _CODECS.values() if codec.startswith(("iso2022", "utf-7", "utf-16", "utf-32", "hz"))}
_REPLACEMENT = "\ufffd"
MAX_LABEL = 64
"""Characters of a charset's name; no known one has half as many."""


def known(charset: str) -> bool:
    """Whether text with this label is decoded as the label says."""
    return _codec(charset) != ""


def decode(data: bytes, charset: str = "", hint: str = "") -> str:
    """Reads octets as text and never raises: octets that the charset does not have become U+FFFD. Text with an unknown label, or
    8-bit text that says it is ASCII, is read as UTF-8, else as `hint`, else as windows-1252.

    Bound: linear in the data, however long the labels are; at most one character for an octet.
    """
    codec = _codec(charset) or "ascii"
    if data.isascii() and codec not in _NOT_ASCII:
        return data.decode("ascii")
    if codec != "ascii":
        return _with(codec, data)
    for guess in ("utf-8", _codec(hint)):
        if guess and guess != "ascii":
            try:
                return data.decode(guess)
            except (UnicodeError, ValueError):
                continue
    return _with("cp1252", data)


def _codec(label: str) -> str:
    """The codec of a label; "" if it is not known."""
    return _CODECS.get(label[:MAX_LABEL].strip().lower(), "")


def _with(codec: str, data: bytes) -> str:
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError):
        text = data.decode(codec, "replace")
    if codec == "euc_jis_2004" and _REPLACEMENT in text:
        return data.decode("euc_jp", "replace")
    return text
