"""What `corpus compare` and `corpus sweep` found, as text, CSV, JSON and plots."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corpus.answers import charts
from corpus.answers.compare import BY
from corpus.answers.plots import Drawing, svg
from corpus.answers.spreadsheet import write_csv
from corpus.errors import counted

Write = Callable[[Path, bytes], str]  # commits a file, in a build folder or elsewhere


def text(comparison: dict[str, Any]) -> str:
    """The answer of `compare` for a terminal."""
    all_documents, all_chars = max(comparison["documents"], 1), max(comparison["characters"], 1)
    parts = [f"{counted(comparison['documents'], 'document')} before dedup and selection"]
    rows = [["profile", "kept", "share", "characters", "share"]]
    for name, kept in comparison["kept"].items():
        documents, size = kept["documents"], kept["characters"]
        shares = [f"{documents / all_documents:.1%}", f"{size / all_chars:.1%}"]
        rows.append([name, f"{documents:,}", shares[0], f"{size:,}", shares[1]])
    parts.append(_aligned(rows))
    if len(comparison["sources"]) > 1:
        rows = [["kept of source", "documents", *comparison["kept"]]]
        for row in comparison["sources"]:
            shares = [f"{row[name] / row['documents']:.1%}" for name in comparison["kept"]]
            rows.append([str(row["source"]), f"{row['documents']:,}", *shares])
        parts.append(_aligned(rows))
    # Each pair of profiles once, in the order they were named.
    order = {name: place for place, name in enumerate(comparison["kept"])}
    pairs = [row for row in comparison["matrix"] if order[row["a"]] < order[row["b"]]]
    if pairs:
        rows = [["a", "b", "both keep", "only a", "only b", "neither", "agree", "kappa"]]
        for row in pairs:
            counts = [f"{row[key]:,}" for key in ("both", "only_a", "only_b", "neither")]
            shares = [f"{row['agreement']:.1%}", f"{row['kappa']:.2f}"]
            rows.append([row["a"], row["b"], *counts, *shares])
        parts.append(_aligned(rows, left=2))
    parts += [_rules_text(comparison, name) for name in comparison["rules"]]
    parts.append(
        "alone: taken if it were the only rule; first: it is the reason given; last: only it takes "
        "them,\nwithout the rule they would be kept. Kept and dropped: the documents nearest to a "
        "bound, where no\nother rule drops them."
    )
    return "\n\n".join(parts)


def _rules_text(comparison: dict[str, Any], name: str) -> str:
    """The rules of a profile that take anything, each with the documents at its border."""
    rows = [[name, "alone", "first", "last", "bounds"]]
    below: dict[str, list[str]] = {}
    for row in comparison["borders"]:
        if row["profile"] == name:
            line = f"    {row['side']:7} {row['value']:<10.6g} {row['id']}  {row['start'][:48]}"
            below.setdefault(row["rule"], []).append(line)
    taking = [row for row in comparison["rules"][name] if row["alone"]]
    for row in taking:
        rows.append(
            [row["rule"], *(f"{row[key]:,}" for key in ("alone", "first", "last")), row["bounds"]]
        )
    if not taking:
        return f"{name}: no rule takes a document"
    head, *lines = _aligned(rows, wide=True).split("\n")
    out = [head]
    for row, line in zip(taking, lines, strict=True):
        out += [line, *(below.get(row["rule"], []) if row["last"] else [])]
    return "\n".join(out)


def sweep_text(signal: str, rows: list[dict[str, Any]]) -> str:
    """The answer of `sweep` for a terminal."""
    parts = []
    by = grouped_by(rows)
    for group in dict.fromkeys(row.get(by, "") for row in rows):
        own = [row for row in rows if row.get(by, "") == group]
        n = max(own[0]["documents"], 1)
        where = f"{by} {group or '(none)'}: " if by else ""
        table = [[signal, "at least", "share", "characters", "at most", "share", "characters"]]
        for row in own:
            cells = [f"{row['threshold']:.6g}"]
            for side in ("at_least", "at_most"):
                documents, size = row[side], row[f"{side}_chars"]
                cells += [f"{documents:,}", f"{documents / n:.1%}", f"{size:,}"]
            table.append(cells)
        title = f"{where}{counted(own[0]['documents'], 'document')} before dedup and selection\n"
        parts.append(title + _aligned(table, left=0))
    return "\n\n".join(parts)


def grouped_by(rows: list[dict[str, Any]]) -> str:
    """What the rows of `sweep` are grouped by: source, host or nothing."""
    return next((by for by in BY if by in rows[0]), "")


def _aligned(rows: list[list[str]], left: int = 1, wide: bool = False) -> str:
    """Columns under each other; the first `left` are flush left, and with `wide` the last too."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i < left or (wide and i == len(row) - 1) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _save_tables(
    folder: Path, write: Write, name: str, value: Any, csvs: dict[str, list[dict[str, Any]]]
) -> list[str]:
    """NAME.json and a CSV file for each table."""
    folder.mkdir(parents=True, exist_ok=True)
    listing = json.dumps(value, ensure_ascii=False, indent=1) + "\n"
    write(folder / f"{name}.json", listing.encode("utf-8", "replace"))
    for file, rows in csvs.items():
        write(folder / f"{file}.csv", _csv(rows).encode("utf-8", "replace"))
    return [f"{name}.json", *(f"{file}.csv" for file in csvs)]


def _csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    names = list(rows[0]) if rows else []
    write_csv(text, names, ([row[name] for name in names] for row in rows))
    return text.getvalue()


def save(folder: Path, write: Write, comparison: dict[str, Any]) -> list[str]:
    """Tables and plots of `compare`, written into `folder`; the names of the files."""
    rules = [{"profile": name} | row for name, rows in comparison["rules"].items() for row in rows]
    # Tables first, then a drawing of what was kept, of who agrees, and of each profile's rules.
    tables = comparison | {"rules": rules}
    csvs = {name: tables[name] for name in ("matrix", "rules", "borders", "sources")}
    files = _save_tables(folder, write, "compare", comparison, csvs)
    names = list(comparison["kept"])
    n, chars = max(comparison["documents"], 1), max(comparison["characters"], 1)
    agreement = {(row["a"], row["b"]): row["agreement"] for row in comparison["matrix"]}
    kept = [
        (name, (100 * k["documents"] / n, 100 * k["characters"] / chars))
        for name, k in comparison["kept"].items()
    ]
    title, legend = (
        "Kept by each profile, % / プロファイル別の採用率",
        ("documents / 文書", "characters / 文字"),
    )
    cells = [[agreement[row, column] for column in names] for row in names]
    drawings = {
        "kept": charts.bars(title, legend, kept),
        "agreement": charts.matrix("Same decision / 判定の一致率", names, cells),
    }
    for name, rows in comparison["rules"].items():
        taken = [(r["rule"], (r["alone"], r["first"], r["last"])) for r in rows if r["alone"]]
        title = f"{name}: documents each rule takes / 各規則が除外する文書数"
        drawings[f"rules-{_file(name)}"] = charts.bars(
            title, ("alone / 単独", "first / 最初", "last / 最後"), taken
        )
    return files + _draw(folder, write, drawings)


def save_sweep(folder: Path, write: Write, signal: str, rows: list[dict[str, Any]]) -> list[str]:
    """Table and plot of `sweep`, written into `folder`; the names of the files."""
    name = f"sweep-{_file(signal)}"
    files = _save_tables(folder, write, name, rows, {name: rows})
    # A line for documents and one for characters; with several groups only one side of the
    # threshold, or the drawing has four lines a group.
    series = []
    by = grouped_by(rows)
    groups = list(dict.fromkeys(row.get(by, "") for row in rows))
    for i, group in enumerate(groups):
        own = [row for row in rows if row.get(by, "") == group]
        xs = [row["threshold"] for row in own]
        n, chars = max(own[0]["documents"], 1), max(own[0]["characters"], 1)
        label = f"{group or 'all'} ({n:,})"
        for side, word, colour in (("at_least", "≥", 2 * i), ("at_most", "≤", 2 * i + 1)):
            if side == "at_most" and len(groups) > 1:
                continue
            colour = i if len(groups) > 1 else colour
            docs = [row[side] / n for row in own]
            size = [row[f"{side}_chars"] / chars for row in own]
            for unit, ys in (("documents / 文書", docs), ("characters / 文字", size)):
                series.append(charts.Series(f"{label} {word}: {unit}", xs, ys, colour, ys is size))
    title = f"Kept by a threshold on {signal} / 閾値ごとの採用率"
    drawing = charts.lines(title, f"threshold on {signal} / 閾値", "share kept / 採用率", series)
    return files + _draw(folder, write, {name: drawing})


def _draw(folder: Path, write: Write, drawings: dict[str, Drawing]) -> list[str]:
    """NAME.svg for each drawing."""
    for name, drawing in drawings.items():
        write(folder / f"{name}.svg", svg(drawing).encode())
    return [f"{name}.svg" for name in drawings]


def _file(name: str) -> str:
    """The name as a file name."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "profile"
