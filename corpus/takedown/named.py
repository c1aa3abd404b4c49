"""What a takedown names: flags, list files, ids that must be there."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa

from corpus.dedup.named import of_text
from corpus.errors import UsageError, one_line
from corpus.folder import removals
from corpus.folder.folder import Folder
from corpus.folder.removals import Removal
from corpus.register import Request


def requests(
    named: dict[str, list[str]], file: Path | None, reason: str,
    who: str = "", asked: str = "", least: float = 0.8,
) -> list[Request]:  # fmt: skip
    """What flags and a list file name; UsageError for what can name nothing.

    named: kind → names; of `text` and `near` the files with the texts. least: likeness of `near`.
    """
    found = []
    for kind, values in named.items():
        for value in values:
            if kind in removals.BY_CONTENT:
                removal = of_text(kind, _text_of(Path(value)), reason, least)
                value = Path(value).name
            else:
                removal = Removal.of(kind, value, reason)
            found.append(Request(removal, value, who, asked))
    if file is not None:
        found += [Request(removal, value, who, asked) for removal, value in _listed(file, reason)]
    return found


def _text_of(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the text {file}: {one_line(error)}") from error


def _listed(file: Path, reason: str) -> list[tuple[Removal, str]]:
    """What a list names: a removals.json, or lines of URLs."""
    try:
        lines = file.read_text("utf-8")
        if lines.lstrip().startswith(("[", "{")):
            entries = removals.listed(json.loads(lines))
            return [(Removal.read(entry), entry.get("value", "")) for entry in entries]
        urls = [line.strip() for line in lines.splitlines() if line.strip()]
        return [(Removal.of("url", u, reason), u) for u in urls if not u.startswith("#")]
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"cannot read the removal list {file}: {error}") from error


def refuse_unknown_ids(folder: Folder, new: list[Removal], ids: pa.ChunkedArray) -> None:
    """An id that the build does not have is a slip; a URL or host may come later.

    ids: of all documents that `new` names, also of those that are out already.
    """
    wanted = {entry.sha256 for entry in new if entry.kind == "id"}
    number = len(wanted)
    wanted -= {removals.hashed("id", name) for name in ids.to_pylist()}
    if wanted:
        raise UsageError(f"{folder} holds no document of {len(wanted)} of the {number} ids given")
