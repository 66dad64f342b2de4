"""Encoded words, charsets and folding: what a reader would call the same text must compare as the same.

covers: charsets
"""

from __future__ import annotations

from email.header import Header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.protocols.mime.charsets import decode
from postern.protocols.mime.words import decode_words, fold

KOREAN = "안녕하세요 회의록입니다"
JAPANESE = "会議の議事録 テスト"
CHINESE = "会议记录与预算"
TAIWANESE = "會議記錄與預算"


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        (KOREAN, "euc-kr"),
        (KOREAN, "ks_c_5601-1987"),
        ("똠방각하 펲시콜라", "euc-kr"),  # outside KS X 1001: programs label CP949 so
        (KOREAN, "iso-2022-kr"),
        (JAPANESE, "iso-2022-jp"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc-jp"),
        (CHINESE, "gb2312"),
        (CHINESE, "gb18030"),
        ("镕鎔", "gb2312"),  # GBK under GB 2312's label
        (TAIWANESE, "big5"),
        ("naïve café", "iso-8859-1"),
        ("“quoted”", "iso-8859-1"),  # windows-1252 under Latin-1's label
        ("привет", "koi8-r"),
    ],
)
def test_each_charset_reads_as_the_same_text(text: str, charset: str) -> None:
    codec = {"euc-kr": "cp949", "ks_c_5601-1987": "cp949", "gb2312": "gbk", "iso-8859-1": "cp1252"}.get(
        charset, charset
    )
    assert decode(text.encode(codec), charset) == text
    assert decode(text.encode(codec), charset.upper()) == text


def test_unlabelled_text_is_utf8_then_the_hint() -> None:
    assert decode(KOREAN.encode(), "us-ascii") == KOREAN
    assert decode(KOREAN.encode("euc-kr"), "", hint="euc-kr") == KOREAN
    assert decode(KOREAN.encode(), "x-unknown") == KOREAN


def test_codecs_of_python_that_are_no_charsets_are_not_used() -> None:
    assert decode(b"xn--a", "idna") == "xn--a"
    assert decode(b"68656c6c6f", "hex") == "68656c6c6f"


@pytest.mark.parametrize("charset", ["utf-8", "euc-kr"])
@pytest.mark.parametrize("encoding", ["b", "q"])
def test_encoded_words_as_pythons_email_makes_them(charset: str, encoding: str) -> None:
    text = "회의록 2026 " * 12
    header = Header(text.strip(), charset, maxlinelen=60).encode(linesep="\r\n").encode()
    assert decode_words(header) == text.strip()


def test_a_character_split_between_words_is_joined() -> None:
    import base64

    data = "회의".encode()
    first, second = base64.b64encode(data[:4]), base64.b64encode(data[4:])
    assert decode_words(b"=?utf-8?B?%b?=\r\n =?UTF-8?B?%b?=" % (first, second)) == "회의"


def test_space_between_words_goes_and_beside_text_stays() -> None:
    assert decode_words(b"=?utf-8?Q?a_b?= =?utf-8?Q?c?= d =?utf-8?Q?e?=") == "a bc d e"
    assert decode_words(b"x =?utf-8?Q?broken") == "x =?utf-8?Q?broken"
    assert decode_words(b"=?utf-8*ko?B?7ZqM?=") == "회"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Straße", "STRASSE"),
        ("ＡＢＣ１２３", "abc123"),
        ("ﾃｽﾄ", "テスト"),
        ("가", "\u1100\u1161"),
        ("é", "E\u0301"),
        ("ﬁle", "FILE"),
        ("İstanbul", "i\u0307stanbul"),
    ],
)
def test_same_under_folding(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_one_syllable_does_not_find_another() -> None:
    assert fold("가") not in fold("각")


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_folding_is_idempotent(text: str, before: str, after: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "euc-kr", "iso-2022-jp", "utf-7", "hz", "utf-16", "zzz"]))
def test_decoding_never_raises(data: bytes, charset: str) -> None:
    fold(decode(data, charset)).encode("utf-8", "replace")
    decode_words(b"=?%b?B?%b?= =?%b?Q?%b?=" % (charset.encode(), data, charset.encode(), data))
