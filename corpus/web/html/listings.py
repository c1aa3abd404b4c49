"""The language of a listing, from the class names that highlighters and Markdown renderers write."""

from __future__ import annotations

import re

import numpy as np

from corpus.web.html import blocks as b

LEVELS = 3  # elements above the listing that may name it
AHEAD = 300  # bytes behind its tag in which <code class="…"> stands
_TAG = re.compile(rb"[^<>]*")
_NAMED = re.compile(
    r"(?:\b(?:language|lang|highlight-source|highlight-text|brush|code|syntax)[-:_ ]+"
    r"|\bhighlight-|\bsource-|\bdata-lang(?:uage)?=\")"
    r"([A-Za-z][A-Za-z0-9+#.-]{0,19})"
)
_CLASS = re.compile(r'(?:class|data-lang|data-language|title)="([^"]*)"')
_KNOWN = frozenset(
    "bash sh shell zsh console powershell bat python python3 ruby perl php javascript js typescript "
    "ts jsx tsx json yaml yml toml ini xml html css scss sass less sql c cpp c++ csharp cs java "
    "kotlin swift objc objectivec go rust scala haskell lua r julia matlab fortran vb diff makefile "
    "cmake dockerfile nginx apache vim tex latex lisp scheme clojure elixir erlang ocaml fsharp "
    "dart groovy graphql markdown md text plaintext plain asm awk sed".split()
)
# What stands where a language's name would, and is none.
_NONE = frozenset("none default block wrap wrapper box area group inline highlight code text line "
                  "lines hljs nohighlight source-code container toolbar example".split())  # fmt: skip


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
        if (name := _language(tag.decode("utf-8", "replace"), own=number < 2)):
            return name
    return ""


def _language(tag: str, own: bool) -> str:
    """The language that one start tag names. own: a bare name such as `bash` counts too."""
    for value in _NAMED.findall(tag):
        name = value.lower().removesuffix("-html")
        if name not in _NONE:
            return name
    if own:
        for classes in _CLASS.findall(tag):
            for name in classes.lower().split():
                if name in _KNOWN:
                    return name
    return ""
