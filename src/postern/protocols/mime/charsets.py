"""Bytes in whatever charset a message claims, as Unicode. Knows the labels mail really carries; asks Python's codecs.

Only codecs of this table are used: some of Python's (idna, punycode) take quadratic time on hostile input.
"""

from __future__ import annotations

_CODECS = {
    **{name: "utf-8" for name in ("utf8", "utf-8", "unicode-1-1-utf-8", "cp65001", "utf-8-sig")},
    **{name: "ascii" for name in ("us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us", "646", "")},
    # Windows code pages are supersets of the standards whose labels programs put on them (WHATWG Encoding).
    **{name: "cp949" for name in ("euc-kr", "euckr", "ks_c_5601-1987", "ks_c_5601-1989", "ksc5601", "ksc_5601",
                                  "ks_c_5601", "kscs5601", "cp949", "uhc", "windows-949", "ms949", "korean",
                                  "cseuckr", "ms_cp949", "x-windows-949")},
    **{name: "johab" for name in ("johab", "cp1361", "x-johab")},
    **{name: "iso2022_kr" for name in ("iso-2022-kr", "csiso2022kr")},
    **{name: "gb18030" for name in ("gb2312", "gbk", "gb18030", "gb_2312-80", "cp936", "windows-936", "x-gbk",
                                    "euc-cn", "gb2312-80", "csgb2312", "chinese", "hz")},
    "hz-gb-2312": "hz",
    **{name: "cp950" for name in ("big5", "big-5", "cp950", "csbig5", "x-x-big5", "cn-big5")},
    **{name: "big5hkscs" for name in ("big5-hkscs", "big5hkscs")},
    **{name: "cp932" for name in ("shift_jis", "shift-jis", "sjis", "x-sjis", "cp932", "windows-31j", "ms_kanji",
                                  "ms932", "csshiftjis")},
    **{name: "euc_jis_2004" for name in ("euc-jp", "eucjp", "x-euc-jp", "x-euc", "cseucpkdfmtjapanese")},
    **{name: "iso2022_jp_ext" for name in ("iso-2022-jp", "csiso2022jp", "iso-2022-jp-1", "iso-2022-jp-ms",
                                           "cp50220", "cp50221")},
    "iso-2022-jp-2": "iso2022_jp_2",
    "iso-2022-jp-3": "iso2022_jp_3",
    "iso-2022-jp-2004": "iso2022_jp_2004",
    **{name: "cp1252" for name in ("iso-8859-1", "iso8859-1", "latin1", "latin-1", "iso_8859-1", "l1", "ansi",
                                   "x-ansi", "cp819")},
    **{f"iso-8859-{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    **{f"iso8859-{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)},
    **{"iso-8859-8-i": "iso8859-8", "iso-8859-8-e": "iso8859-8", "iso-8859-6-i": "iso8859-6", "latin2": "iso8859-2"},
    **{f"windows-{n}": f"cp{n}" for n in (874, *range(1250, 1259))},
    **{f"cp{n}": f"cp{n}" for n in (437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869,
                                    874, *range(1250, 1259))},
    **{f"cp-{n}": f"cp{n}" for n in (850, 866, *range(1250, 1259))},
    **{"koi8-r": "koi8-r", "koi8-u": "koi8-u", "koi8": "koi8-r", "koi8-t": "koi8-t", "tis-620": "tis-620"},
    **{"macintosh": "mac-roman", "mac": "mac-roman", "x-mac-cyrillic": "mac-cyrillic", "viscii": "latin-1"},
    **{"utf-7": "utf-7", "unicode-1-1-utf-7": "utf-7", "utf-16": "utf-16", "utf-16le": "utf-16-le"},
    **{"utf-16be": "utf-16-be", "utf-32": "utf-32", "utf-32le": "utf-32-le", "utf-32be": "utf-32-be"},
}  # fmt: skip
_NOT_ASCII = {codec for codec in _CODECS.values() if codec.startswith(("iso2022", "utf-7", "utf-16", "utf-32", "hz"))}
_REPLACEMENT = "\ufffd"


def known(charset: str) -> bool:
    """Whether text labelled so is decoded as the label says."""
    return charset.strip().lower() in _CODECS


def decode(data: bytes, charset: str = "", hint: str = "") -> str:
    """Never raises: what the charset does not have becomes U+FFFD. Text with an unknown label, or 8-bit text that says
    it is ASCII, is read as UTF-8, else as `hint`, else as windows-1252."""
    codec = _CODECS.get(charset.strip().lower(), "ascii")
    if data.isascii() and codec not in _NOT_ASCII:
        return data.decode("ascii")
    if codec != "ascii":
        return _with(codec, data)
    for guess in ("utf-8", _CODECS.get(hint.strip().lower(), "")):
        if guess and guess != "ascii":
            try:
                return data.decode(guess)
            except (UnicodeError, ValueError):
                continue
    return _with("cp1252", data)


def _with(codec: str, data: bytes) -> str:
    try:
        return data.decode(codec)
    except (UnicodeError, ValueError):
        text = data.decode(codec, "replace")
    if codec == "euc_jis_2004" and _REPLACEMENT in text:
        return data.decode("euc_jp", "replace")
    return text
