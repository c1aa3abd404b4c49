"""The language of a listing, from class names that highlighters and Markdown renderers write."""

from __future__ import annotations

import re

import numpy as np

from corpus.web.html import blocks as b
from corpus.web.html.tags import CODE, TABLE_TAG, TD, TR

LEVELS = 3  # elements above the listing that may name it, those of a table not counted …
CLIMB = 12  # … up to so many
AHEAD = 300  # bytes behind its tag in which <code class="…"> stands
MAX_NAME = 20  # characters of a language's name
_TAG = re.compile(rb"[^<>]{0,2000}")
_VALUES = re.compile(r'\s(class|data-lang|data-language|language|lang|title)="([^"]*)"')
_NAMED = re.compile(
    r"(?:^|[\s;])(language|lang|highlight-source|highlight-text|highlight|source|brush|syntax)"
    r"[-:]\s{0,9}"
    r"([a-z][a-z0-9+#.-]{0,19})"
)
_LANGUAGES = (
    "agda apache applescript asm astro awk bash bat batch bibtex c c++ clojure cmake cobol coq "
    "console cpp crystal cs csharp css cuda dart diff dockerfile elisp elixir elm erlang fish "
    "fortran fsharp glsl go graphql groovy haml handlebars haskell hcl hlsl html http idris ini "
    "java javascript js json json5 jsonc jsx julia kotlin latex lean lean4 less lisp llvm lua "
    "makefile markdown matlab md mermaid mysql nginx nim nix objc objectivec ocaml pascal perl "
    "pgsql php plain plaintext powershell prolog properties protobuf ps1 puppet purescript py "
    "pycon python python3 r racket rb rst ruby rust sass scala scheme scss sed sh shell "
    "shellscript smalltalk solidity sql stylus svelte swift systemverilog tcl terraform tex text "
    "toml ts tsx typescript vala vb vbnet verilog vhdl vim vue wasm xml xquery yaml yml zig zsh"
)
# What stands where a language's name would, and is none.
_OTHERS = (
    "area block box code container default example group highlight hljs inline line lines "
    "nohighlight none source-code text toolbar wrap wrapper"
)
_OF_TABLES = frozenset((TABLE_TAG, TR, TD, CODE))
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
    up, levels = int(elements[element, b.E_PARENT]), 0
    for _ in range(CLIMB):
        if up < 0 or levels == LEVELS:
            break
        if (over := _TAG.match(source, int(elements[up, b.E_SOURCE]))) is not None:
            tags.append(over.group())
        levels += int(elements[up, b.E_TAG]) not in _OF_TABLES
        up = int(elements[up, b.E_PARENT])
    for number, tag in enumerate(tags):
        if name := _language(tag.decode("utf-8", "replace"), own=number < 2):
            return name
    return ""


def label_of(text: np.ndarray, blocks: np.ndarray) -> str:
    """The language that stands over a listing in a head of its own; "" if none does.

    text uint8: of the page; blocks int32 [n, B_WIDTH] of the listing. A head is one name of a
    language before one block of several lines: lines in elements of their own have no head.
    """
    if len(blocks) != 2 or blocks[0, b.B_ELEMENT] == blocks[1, b.B_ELEMENT]:
        return ""
    name, code = (text[row[b.B_START] : row[b.B_END]].tobytes() for row in blocks)
    said = name.decode("utf-8", "replace").strip().lower()
    return said if said in _KNOWN and b"\n" in code.strip() else ""


def _language(tag: str, own: bool) -> str:
    """The language that one start tag names. own: a bare name such as `bash` counts too."""
    for attribute, value in _VALUES.findall(tag):
        value = value.lower().strip()
        if attribute != "class":
            named = attribute.startswith("data-") and value.isascii() and value.isalpha()
            if value in _KNOWN or (named and len(value) <= MAX_NAME):
                return str(value)
            continue
        for said, name in _NAMED.findall(value):
            name = name.removesuffix("-html")
            if name not in _NONE or (name == "text" and said.startswith("lang")):
                return str(name)
        known = [name for name in value.split() if name in _KNOWN]
        if known and (own or "highlight" in value or "code" in value):
            return str(known[0])
    return ""
