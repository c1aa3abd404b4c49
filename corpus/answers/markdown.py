"""Values from outside as Markdown text: shown, never acting."""

from __future__ import annotations

import re
from html import escape
from typing import Any

# Signs of Markdown (CommonMark 0.31) and of HTML; names of hosts and sources come from outside.
_SIGNS = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


def escaped(value: Any) -> str:
    """A value as one line of Markdown text that shows it and nothing else."""
    line = " ".join(UNSEEN.sub(" ", str(value)).split())
    return _SIGNS.sub(r"\\\g<0>", escape(line, quote=False))
