"""The language of a listing, from class names that highlighters and Markdown renderers write."""

from __future__ import annotations

import re

import numpy as np

from corpus.web.html import blocks as b

LEVELS = 3  # elements above the listing that may name it
AHEAD = 300  # bytes behind its tag in which <code class="…"> stands
MAX_NAME = 20  # characters of a language's name
_TAG = re.compile(rb"[^<>]{0,2000}")
_VALUES = re.compile(r'\s(class|data-lang|data-language|language|lang|title)="([^"]*)"')
_NAMED = re.compile(
    r"(?:^|[\s;])(?:language|lang|highlight-source|highlight-text|highlight|source|brush|syntax)"
    r"[-:]\s{0,9}"
    r"([a-z][a-z0-9+#.-]{0,19})"
)
_LANGUAGES = (
    "apache asm awk bash bat c c++ clojure cmake console cpp cs csharp css dart diff dockerfile "
    "elixir erlang fortran fsharp go graphql groovy haskell html http ini java javascript js json "
    "jsx julia kotlin latex less lisp lua makefile markdown matlab md nginx objc objectivec ocaml "
    "perl php plain plaintext powershell properties python python3 r ruby rust sass scala scheme "
    "scss sed sh shell sql swift tex text toml ts tsx typescript vb vim xml yaml yml zsh"
)
# What stands where a language's name would, and is none.
_OTHERS = (
    "area block box code container default example group highlight hljs inline line lines "
    "nohighlight none source-code text toolbar wrap wrapper"
)
_KNOWN, _NONE = frozenset(_LANGUAGES.split()), frozenset(_OTHERS.split())


def language_of(source: bytes, elements: np.ndarray, element: int) -> str:
    """Language of the listing in `element`, lower case; "" where nothing names it.

    source: the serialised page; elements int32 [m, E_WIDTH]. Looked at, in this order: its own tag,
    the `<code>` inside, and up to LEVELS elements around it.
    """
    at = int(elements[element, b.E_SOURCE])
    own = _TAG.match(source, at)
    end = own.end() if own is not None else at
    tags = [source[at:end], *re.findall(rb"<code[^<>]*", source[end : end + AHEAD])[:1]]
    up = int(elements[element, b.E_PARENT])
    for _ in range(LEVELS):
        if up < 0:
            break
        if (over := _TAG.match(source, int(elements[up, b.E_SOURCE]))) is not None:
            tags.append(over.group())
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
            named = attribute.startswith("data-") and value.isascii() and value.isalpha()
            if value in _KNOWN or (named and len(value) <= MAX_NAME):
                return str(value)
            continue
        for name in _NAMED.findall(value):
            if (name := name.removesuffix("-html")) not in _NONE:
                return str(name)
        known = [name for name in value.split() if name in _KNOWN]
        if known and (own or "highlight" in value or "code" in value):
            return str(known[0])
    return ""
