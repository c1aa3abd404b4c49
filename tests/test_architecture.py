"""Imports go one way: trainer | corpus → filters, and inside corpus downwards only."""

from __future__ import annotations

import ast
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
# Rooms of `corpus` from the top down; a module imports from lower rooms, or from its own.
ROOMS = (
    ("__main__",),
    ("cli",),
    ("cli_classifier", "cli_compare", "cli_dedup", "cli_explore"),
    ("cli_run",),
    ("cli_reports",),
    ("cli_folder",),
    ("trace",),
    ("explain", "doctor", "compare_report", "remove", "explore"),
    ("build", "compare"),
    ("trim", "decontaminate", "duplicates"),
    ("harvest", "select", "publish", "funnel", "report"),
    ("card", "permissions", "stored", "charts"),
    ("plots", "scores", "hosts", "spreadsheet"),
    ("removals",),
    ("chosen",),
    ("dedup", "engine"),
    ("sources",),
    ("config",),
    ("clean",),
    ("ledger",),
    ("web", "language"),
    ("storage", "normalize", "schema"),
    ("mirror",),
    ("lease",),
    ("objects",),
    ("errors", "__init__"),
)
# config embeds the settings of dedup, which import nothing of corpus themselves.
ALLOWED = {
    ("config", "dedup.settings"),
    ("config", "sources.settings"),
    ("dedup.settings", ""),
}


def imports(path: Path) -> set[str]:
    """Dotted names of the own packages that a module imports, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = [] if not node.level else list(path.relative_to(REPO).parts[: -node.level])
            base += [node.module] if node.module else []
            found |= {".".join([*base, alias.name]) for alias in node.names}
    return {name for name in found if name.split(".")[0] in ("corpus", "filters", "trainer")}


def modules(repo: Path, package: str) -> list[Path]:
    return sorted((repo / package).rglob("*.py"))


def test_packages_import_one_way(repo: Path) -> None:
    allowed = {"trainer": {"trainer"}, "filters": {"filters"}, "corpus": {"corpus", "filters"}}
    for package, may in allowed.items():
        for path in modules(repo, package):
            others = {name.split(".")[0] for name in imports(path)} - may
            assert not others, f"{path} imports {others}"


def level(room: str) -> int:
    return next(i for i, rooms in enumerate(ROOMS) if room in rooms)


def test_corpus_imports_point_downwards(repo: Path) -> None:
    for path in modules(repo, "corpus"):
        dotted = str(path.relative_to(repo / "corpus").with_suffix("")).replace("/", ".")
        room = dotted.split(".")[0]
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != "corpus" or len(parts) < 2 or parts[1] == "__version__":
                continue
            target = parts[1]
            if target == room or (room, ".".join(parts[1:3])) in ALLOWED:
                continue
            assert level(target) > level(room), f"{dotted} imports {name}, which stands above it"


def test_no_cycle_between_modules(repo: Path) -> None:
    graph: dict[str, set[str]] = {}
    names = {}
    for package in ("corpus", "filters", "trainer"):
        for path in modules(repo, package):
            dotted = str(path.relative_to(repo).with_suffix("")).replace("/", ".")
            names[dotted.removesuffix(".__init__")] = path
    for name, path in names.items():
        targets = set()
        for imported in imports(path):
            while imported and imported not in names:
                imported = imported.rpartition(".")[0]
            if imported and imported != name:
                targets.add(imported)
        graph[name] = targets
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_files_stay_readable(repo: Path) -> None:
    for package in ("corpus", "filters", "trainer"):
        for path in modules(repo, package):
            longest = 300 if package == "trainer" else 350
            assert len(path.read_text("utf-8").splitlines()) <= longest, path
