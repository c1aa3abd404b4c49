"""Changes made to real pages: another encoding, other declarations, near-duplicates."""

from __future__ import annotations

import re

# Characters that tell CP932 from plain Shift_JIS and break naive tables.
VENDOR = (
    "㈱髙橋商店の受付時間は、①午前９時～正午、②午後１時～５時（№３窓口、℡０３－００００）です。"
)
HALFWIDTH = "ﾊﾝｶｸｶﾅの見出しも残します：ｻｰﾋﾞｽ､ﾃﾞｰﾀ｡"

META = re.compile(r"(?is)<meta\b[^>]*\bcharset\b[^>]*>\s*")
XML = re.compile(r"(?s)\A\s*<\?xml[^>]*\?>\s*")
SENTENCE = re.compile(r">([^<>]*[ぁ-ん][^<>]*?。)")


def undeclared(html: str) -> str:
    """The page without its charset declarations (meta and XML)."""
    return META.sub("", XML.sub("", html))


def in_head(html: str, tag: str) -> str:
    """Put `tag` first in the head."""
    return re.sub(r"(?i)(<head\b[^>]*>)", lambda m: m[1] + tag, html, count=1)


def declared(html: str, label: str | None, style: str = "http-equiv") -> str:
    """The page with exactly one charset declaration, or none. `style` is the form of it."""
    html = undeclared(html)
    if label is None:
        return html
    content = f"text/html; charset={label}"
    if style == "xml":
        return f'<?xml version="1.0" encoding="{label}"?>\n{html}'
    tags = {
        "http-equiv": f'<meta http-equiv="Content-Type" content="{content}">',
        "html5": f'<meta charset="{label}">',
        "unquoted": f"<meta charset={label}>",
        "upper": f"<META CONTENT='{content.upper()}' HTTP-EQUIV=CONTENT-TYPE>",
        "spaced": f'<meta http-equiv = "content-type" content = "text/html;charset = {label}" />',
        "late": f"<!-- {'padding ' * 180}-->" + f'<meta charset="{label}">',
        "comment": '<!-- <meta charset="euc-jp"> -->' + f'<meta charset="{label}">',
    }
    return in_head(html, tags[style])


def with_paragraph(html: str, text: str) -> str:
    """Insert `<p>text</p>` after the middle paragraph of the page."""
    ends = [m.end() for m in re.finditer(r"</p>", html)]
    cut = ends[len(ends) // 2]
    return f"{html[:cut]}\n<p>{text}</p>{html[cut:]}"


def jis_cells() -> dict[str, tuple[int, int]]:
    """Character -> row and cell of JIS X 0208 with NEC rows 13 and 89-92 (WHATWG jis0208)."""
    cells: dict[str, tuple[int, int]] = {}
    for row in range(1, 95):
        for cell in range(1, 95):
            lead = (row - 1) // 2
            lead += 0x81 if lead < 31 else 0xC1
            trail = cell - 1 + (0 if row % 2 else 94)
            trail += 0x40 if trail < 63 else 0x41
            try:
                char = bytes((lead, trail)).decode("cp932")
            except UnicodeDecodeError:
                continue
            if len(char) == 1 and not "\ue000" <= char <= "\uf8ff":
                cells.setdefault(char, (row, cell))
    return cells


CELLS = jis_cells()


def representable(html: str) -> str:
    """Replace what CP932 lacks by decimal references, as an author's tool would."""
    return html.encode("cp932", "xmlcharrefreplace").decode("cp932")


def euc_jp(text: str, ms: bool = False) -> bytes:
    """EUC-JP as browsers read it; with `ms`, 髙 in its eucJP-ms place in code set 3."""
    out = bytearray()
    for char in text:
        if char < "\x80":
            out += char.encode()
        elif "｡" <= char <= "ﾟ":
            out += bytes((0x8E, ord(char) - 0xFF61 + 0xA1))
        elif ms and char == "髙":
            out += b"\x8f\xf4\xfb"
        elif char in CELLS:
            row, cell = CELLS[char]
            out += bytes((row + 0xA0, cell + 0xA0))
        else:
            out += char.encode("euc_jp")  # JIS X 0212 in code set 3
    return bytes(out)


def iso_2022_jp(text: str, ascii_escape: bytes = b"\x1b(B") -> bytes:
    """ISO-2022-JP with NEC and IBM characters; half-width katakana through ESC ( I."""
    out, state = bytearray(), b"\x1b(B"
    for char in text:
        if char < "\x80":
            # A line ends in ASCII (RFC 1468); ESC ( J elsewhere where no backslash or tilde is.
            escape = b"\x1b(B" if char in "\\~\r\n" else ascii_escape
            data, want = char.encode(), (state if state in (b"\x1b(B", escape) else escape)
            if char in "\\~\r\n":
                want = b"\x1b(B"
        elif "｡" <= char <= "ﾟ":
            data, want = bytes((ord(char) - 0xFF61 + 0x21,)), b"\x1b(I"
        else:
            row, cell = CELLS[char]
            data, want = bytes((row + 0x20, cell + 0x20)), b"\x1b$B"
        if want != state:
            out += want
            state = want
        out += data
    if state != b"\x1b(B":
        out += b"\x1b(B"
    return bytes(out)


def encode(text: str, encoding: str) -> bytes:
    """Encode a `representable` page; `encoding` is a WHATWG name or one of the variants here."""
    if encoding == "shift_jis":
        return text.encode("cp932")
    if encoding == "euc-jp":
        return euc_jp(text)
    if encoding == "eucjp-ms":
        return euc_jp(text, ms=True)
    if encoding == "iso-2022-jp":
        return iso_2022_jp(text)
    if encoding == "iso-2022-jp/roman":
        return iso_2022_jp(text, b"\x1b(J")
    if encoding in ("utf-8", "utf-16le", "utf-16be"):
        return text.encode(encoding)
    codec = {"gb2312": "gbk", "big5": "cp950", "euc-kr": "cp949"}.get(encoding, encoding)
    return text.encode(codec, "xmlcharrefreplace")


def references(text: str, decimal: bool) -> str:
    """Every non-ASCII character as a numeric reference."""
    form = "&#{};" if decimal else "&#x{:X};"
    return "".join(c if c < "\x80" else form.format(ord(c)) for c in text)


def with_header(html: str, number: int) -> str:
    """Another site header: what a mirror with its own navigation does."""
    bar = (
        f'<div id="mirror-header-{number}"><p>文書ミラー第{number}号</p><ul><li><a href="/">トップ'
        '</a></li><li><a href="/new/">新着情報</a></li><li><a href="/about/">このサイトについて'
        "</a></li></ul></div>"
    )
    return re.sub(r"(?i)(<body\b[^>]*>)", lambda m: m[1] + bar, html, count=1)


def with_footer(html: str, number: int) -> str:
    """Another footer before the end of the body."""
    bar = (
        f'<div class="footer"><p>この写しは第{number}回の取得によるものです。最新の版は配布元の'
        "ページをご覧ください。</p><address>文書ミラー運営係</address></div>"
    )
    head, _, tail = html.rpartition("</body>")
    return f"{head}{bar}</body>{tail}"


def with_edits(html: str, count: int) -> str:
    """Drop one sentence and append a remark to `count` others, spread evenly over the page."""
    spots = list(SENTENCE.finditer(html))
    step = max(1, len(spots) // (count + 1))
    chosen = spots[::step][1 : count + 2]
    for order, spot in reversed(list(enumerate(chosen))):
        new = "" if order == 0 else spot[1] + f"（第{order + 1}版で見直した箇所です。）"
        html = html[: spot.start(1)] + new + html[spot.end(1) :]
    return html
