"""For mkdocs: what Markdown on GitHub has and a site of its own needs.

Links that leave docs/ lead to the repository. Japanese pages say that they are Japanese, to fonts
and to readers of screens, and the ends of their lines are no spaces.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

LINK = re.compile(r"(\]\()(\.\./[^)\s#]+)")
FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
WIDE = "[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]"
LINE_END = re.compile(rf"(?<={WIDE})\n(?={WIDE}|`\w)")
JAPANESE = ".ja.md"


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """The page with links to files outside docs/ made absolute."""
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")

    def absolute(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, found[2]))
        inside = target.startswith("docs/")
        return found[0] if inside else f"{found[1]}{config.extra['repository']}/blob/main/{target}"

    linked = LINK.sub(absolute, markdown)
    if not page.file.src_uri.endswith(JAPANESE):
        return linked
    parts = FENCED.split(linked)  # every other one is code
    return "".join(part if n % 2 else LINE_END.sub("", part) for n, part in enumerate(parts))


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Material's offline search loads its shim from a host: docs/site.js does its work instead."""
    if page.file.src_uri.endswith(JAPANESE):
        output = output.replace('<html lang="en"', '<html lang="ja"', 1)
    local = "../" * page.url.count("/") + "site.js"
    return output.replace("https://unpkg.com/iframe-worker/shim", local)


def on_post_template(output: str, **_: Any) -> str:
    """The same for pages without a source: 404.html, which only a server shows."""
    return output.replace("https://unpkg.com/iframe-worker/shim", "/site.js")
