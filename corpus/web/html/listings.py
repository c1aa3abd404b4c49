"""The language of a listing, from the class names that highlighters and Markdown renderers write."""

from __future__ import annotations

import re

import numpy as np

from corpus.web.html import blocks as b

LEVELS = 3  # elements above the listing that may name it
AHEAD = 300  # bytes behind its tag in which <code class="…"> stands
_TAG = re.compile(rb"[^<>]*")
_VALUES = re.compile(r'\s(class|data-lang|data-language|language|lang|title)="([^"]*)"')
_NAMED = re.compile(
    r"(?:^|[\s;])(?:language|lang|highlight-source|highlight-text|highlight|source|brush|syntax)[-:]\s*"
    r"([a-z][a-z0-9+#.-]{0,19})"
)
_KNOWN = frozenset(
    [
        "bash",
        "sh",
        "shell",
        "zsh",
        "console",
        "powershell",
        "bat",
        "python",
        "python3",
        "ruby",
        "perl",
        "php",
        "javascript",
        "js",
        "typescript",
        "ts",
        "jsx",
        "tsx",
        "json",
        "yaml",
        "yml",
        "toml",
        "ini",
        "xml",
        "html",
        "css",
        "scss",
        "sass",
        "less",
        "sql",
        "c",
        "cpp",
        "c++",
        "csharp",
        "cs",
        "java",
        "kotlin",
        "swift",
        "objc",
        "objectivec",
        "go",
        "rust",
        "scala",
        "haskell",
        "lua",
        "r",
        "julia",
        "matlab",
        "fortran",
        "vb",
        "diff",
        "makefile",
        "cmake",
        "dockerfile",
        "nginx",
        "apache",
        "vim",
        "tex",
        "latex",
        "lisp",
        "scheme",
        "clojure",
        "elixir",
        "erlang",
        "ocaml",
        "fsharp",
        "dart",
        "groovy",
        "graphql",
        "http",
        "properties",
        "markdown",
        "md",
        "text",
        "plaintext",
        "plain",
        "asm",
        "awk",
        "sed",
    ]
)
# What stands where a language's name would, and is none.
_NONE = frozenset(["none", "default", "block", "wrap", "wrapper", "box", "area", "group", "inline", "highlight", "code", "text", "line", "lines", "hljs", "nohighlight", "source-code", "container", "toolbar", "example"])  # fmt: skip


def language_of(source: bytes, elements: np.ndarray, element: int) -> str:
    """Language of the listing in `element`, lower case; "" where nothing names it.

    source: the serialised page; elements int32 [m, E_WIDTH]. Looked at, in this order: its own tag,
    the `<code>` inside, and up to LEVELS elements around it.
    """
    at = int(elements[element, b.E_SOURCE])
    end = source.find(b">", at)
    tags = [source[at:end], *re.findall(rb"<code[^<>]*", source[end : end + AHEAD])[:1]]
    up = int(elements[element, b.E_PARENT])
    for _ in range(LEVELS):
        if up < 0:
            break
        tags.append(_TAG.match(source, int(elements[up, b.E_SOURCE])).group())  # type: ignore[union-attr]
        up = int(elements[up, b.E_PARENT])
    for number, tag in enumerate(tags):
        if name := _language(tag.decode("utf-8", "replace"), own=number < 2):
            return name
    return ""


def _language(tag: str, own: bool) -> str:
    """The language that one start tag names. own: a bare name such as `bash` counts too."""
    for attribute, value in _VALUES.findall(tag):
        value = value.lower().strip()
        if attribute != "class":
            if value in _KNOWN or (attribute in ("data-lang", "data-language") and value.isalpha()):
                return str(value)
            continue
        for name in _NAMED.findall(value):
            if (name := name.removesuffix("-html")) not in _NONE:
                return str(name)
        known = [name for name in value.split() if name in _KNOWN]
        if known and (own or "highlight" in value or "code" in value):
            return str(known[0])
    return ""
