"""For mkdocs: links that leave docs/ lead to the repository; on GitHub they work as they are."""

from __future__ import annotations

import posixpath
import re
from typing import Any

LINK = re.compile(r"(\]\()(\.\./[^)\s#]+)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """The page with links to files outside docs/ made absolute."""
    folder = posixpath.dirname(f"docs/{page.file.src_uri}")

    def absolute(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, found[2]))
        inside = target.startswith("docs/")
        return found[0] if inside else f"{found[1]}{config.extra['repository']}/blob/main/{target}"

    return LINK.sub(absolute, markdown)


def on_post_page(output: str, *, page: Any, **_: Any) -> str:
    """Material's offline search loads its shim from a host: docs/site.js does its work instead."""
    local = "../" * page.url.count("/") + "site.js"
    return output.replace("https://unpkg.com/iframe-worker/shim", local)


def on_post_template(output: str, **_: Any) -> str:
    """The same for pages without a source: 404.html, which only a server shows."""
    return output.replace("https://unpkg.com/iframe-worker/shim", "/site.js")
