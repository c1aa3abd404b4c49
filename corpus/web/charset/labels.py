"""Charset labels: what a page calls its charset, and which one it means.

All labels of the WHATWG Encoding Standard, besides them what pages write for the Japanese charsets
and UTF-8 (the counts of the NWC 2010 crawl, and one slip of the keyboard from those). Codecs that
Python knows and browsers do not (utf-7, idna, unicode_escape, EBCDIC) are no charsets of pages: a
page that names one has named none.
"""

from __future__ import annotations

import functools
import re
import unicodedata

UTF8, CP932, EUCJP, ISO2022JP = "utf-8", "shift_jis", "euc-jp", "iso-2022-jp"

# WHATWG name → (Python codec, labels besides the name). Encoding Standard, section 4.2.
_WHATWG: dict[str, tuple[str, str]] = {
    UTF8: ("utf-8", "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8"),
    "ibm866": ("cp866", "866 cp866 csibm866"),
    "iso-8859-2": ("iso8859-2", "csisolatin2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 "
                   "iso_8859-2:1987 l2 latin2"),
    "iso-8859-3": ("iso8859-3", "csisolatin3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 "
                   "iso_8859-3:1988 l3 latin3"),
    "iso-8859-4": ("iso8859-4", "csisolatin4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 "
                   "iso_8859-4:1988 l4 latin4"),
    "iso-8859-5": ("iso8859-5", "csisolatincyrillic cyrillic iso-ir-144 iso8859-5 iso88595 "
                   "iso_8859-5 iso_8859-5:1988"),
    "iso-8859-6": ("iso8859-6", "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic "
                   "ecma-114 iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 "
                   "iso_8859-6:1987"),
    "iso-8859-7": ("iso8859-7", "csisolatingreek ecma-118 elot_928 greek greek8 iso-ir-126 "
                   "iso8859-7 iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek"),
    "iso-8859-8": ("iso8859-8", "csiso88598e csisolatinhebrew hebrew iso-8859-8-e iso-ir-138 "
                   "iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 visual"),
    "iso-8859-8-i": ("iso8859-8", "csiso88598i logical"),
    "iso-8859-10": ("iso8859-10", "csisolatin6 iso-ir-157 iso8859-10 iso885910 l6 latin6"),
    "iso-8859-13": ("iso8859-13", "iso8859-13 iso885913"),
    "iso-8859-14": ("iso8859-14", "iso8859-14 iso885914"),
    "iso-8859-15": ("iso8859-15", "csisolatin9 iso8859-15 iso885915 iso_8859-15 l9"),
    "iso-8859-16": ("iso8859-16", ""),
    "koi8-r": ("koi8-r", "cskoi8r koi koi8 koi8_r"),
    "koi8-u": ("koi8-u", "koi8-ru"),
    "macintosh": ("mac-roman", "csmacintosh mac x-mac-roman"),
    "windows-874": ("cp874", "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620"),
    "windows-1250": ("cp1250", "cp1250 x-cp1250"),
    "windows-1251": ("cp1251", "cp1251 x-cp1251"),
    "windows-1252": ("cp1252", "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 "
                     "iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 "
                     "us-ascii x-cp1252 x-user-defined"),  # in a <meta>; alone it is no text
    "windows-1253": ("cp1253", "cp1253 x-cp1253"),
    "windows-1254": ("cp1254", "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 "
                     "iso_8859-9 iso_8859-9:1989 l5 latin5 x-cp1254"),
    "windows-1255": ("cp1255", "cp1255 x-cp1255"),
    "windows-1256": ("cp1256", "cp1256 x-cp1256"),
    "windows-1257": ("cp1257", "cp1257 x-cp1257"),
    "windows-1258": ("cp1258", "cp1258 x-cp1258"),
    "x-mac-cyrillic": ("mac-cyrillic", "x-mac-ukrainian"),
    "gbk": ("gb18030", "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 "
            "x-gbk"),
    "gb18030": ("gb18030", ""),
    "big5": ("big5hkscs", "big5-hkscs cn-big5 csbig5 x-x-big5"),
    EUCJP: ("euc_jp", "cseucpkdfmtjapanese x-euc-jp"),
    ISO2022JP: ("iso2022_jp", "csiso2022jp"),
    CP932: ("cp932", "csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis"),
    "euc-kr": ("cp949", "cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 "
               "ksc5601 ksc_5601 windows-949"),
    "utf-16be": ("utf-16-be", "unicodefffe"),
    "utf-16le": ("utf-16-le", "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16"),
}  # fmt: skip
# "replacement" (ISO-2022-KR, ISO-2022-CN, HZ) is left out: browsers show such a page as one U+FFFD.
PYTHON: dict[str, str] = {name: codec for name, (codec, _) in _WHATWG.items()}

# Others that pages use, without the marks that `_bare` takes out.
_WILD: dict[str, str] = {
    UTF8: "xutf8 utf8n utf8nbom utf8bom utf8withbom utf8sig utf8mb4 unicodeutf8 cp65001 utf",
    CP932: "shiftjis xsjis xshiftjis xshiftjis2004 windows932 windows31 cswindows31j cp932 xmscp932"
           " ms932 cp943 cp943c ibm943 ibm932 ibm943c sjiswin sjisms sjismac sjisopen "
           "shiftjis2004 shiftjisx0213 shiftjisx0208 sjis2004 sjisx0213 shiftjp shift mskanji "
           "macjapanese xmacjapanese japaneseshiftjis jashiftjis jasjis jpsjis shitjis mssjis",
    EUCJP: "eucjp euc xeuc ujis xeucjp eucjpms eucjpwin eucjpopen eucjpascii eucjp1990 eucjis2004 "
           "eucjisx0213 cp51932 cp20932 xeucjplinux eucjapan eucjapanese japaneseeuc ibmeucjp jaeuc"
           " jpeuc eucja extendedunixcodepackedformatforjapanese",
    ISO2022JP: "iso2022jp jis xjis jis7 jis8 jp7 cp50220 cp50221 cp50222 csiso2022jp2 iso2022 "
               "iso2022jp1 iso2022jp2 iso2022jp3 iso2022jp2004 iso2022jpext iso2022jpms iso2022jpn "
               "iso2022ja jisencoding iso2022jpjis jisx0208",
}  # fmt: skip
_EXACT = {label: name for name, (_, labels) in _WHATWG.items() for label in (name, *labels.split())}
_BARE = {label: name for name, labels in _WILD.items() for label in labels.split()}
_MARKS = re.compile(r"[^a-z0-9]+")
# What a slip may have started from: long labels forgive two edits, short ones a swap or one edit.
_NEAR = (
    ("iso2022jp", ISO2022JP, 2),
    ("shiftjis", CP932, 2),
    ("windows31j", CP932, 1),
    ("eucjp", EUCJP, 1),
    ("xsjis", CP932, 1),
    ("sjis", CP932, 1),
    ("utf8", UTF8, 1),
)
_SQUEEZED = {_MARKS.sub("", label): name for label, name in _EXACT.items()}
# Near, but no slips of those.
_OTHERS = frozenset(("euccn", "euctw", "utf7", "utf32", "iso2022kr", "iso2022cn"))
MAX_LABEL = 40


@functools.lru_cache(4096)
def whatwg_name(label: str) -> str:
    """The charset (name of the Encoding Standard) that a label of a page means, "" for none."""
    if len(label) > 4 * MAX_LABEL:
        return ""
    label = unicodedata.normalize("NFKC", label).strip(" \t\r\n\f\xa0\"'`;,.:<>/").lower()
    if label in _EXACT:
        return _EXACT[label]
    bare = _MARKS.sub("", label.removeprefix("charset="))[:MAX_LABEL]
    known = _BARE.get(bare) or _SQUEEZED.get(bare)
    if known or bare in _OTHERS:
        return known or ""
    for wanted, name, most in _NEAR:
        if abs(len(bare) - len(wanted)) <= most and _edits(bare, wanted) <= most:
            return name
    return ""


def _edits(left: str, right: str) -> int:
    """Edits between two short words: insert, delete, replace, swap neighbours (Damerau 1964)."""
    rows = [list(range(len(right) + 1))]
    for i, c in enumerate(left, 1):
        row = [i]
        for j, d in enumerate(right, 1):
            best = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (c != d))
            if i > 1 and j > 1 and c == right[j - 2] and d == left[i - 2]:
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
