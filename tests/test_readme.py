"""The README does what it says: its snippets run, its files exist, its commands parse."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
ENGLISH = (REPO / "README.md").read_text("utf-8")
JAPANESE = (REPO / "README.ja.md").read_text("utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", ENGLISH, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[s.split()[1].split(".")[0] for s in SNIPPETS])
def test_every_reading_snippet_runs(snippet: str, built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "demo" / "corpus")
    result = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip()


def test_both_readmes_show_the_same_commands_and_snippets() -> None:
    for fence in ("console", "python"):
        pattern = rf"```{fence}\n(.*?)```"
        strip = [
            [re.sub(r"\s+#.*", "", line) for line in block.splitlines() if line.strip()]
            for block in re.findall(pattern, ENGLISH, re.DOTALL)
        ]
        other = [
            [re.sub(r"\s+#.*", "", line) for line in block.splitlines() if line.strip()]
            for block in re.findall(pattern, JAPANESE, re.DOTALL)
        ]
        assert strip == other


@pytest.mark.parametrize("text", [ENGLISH, JAPANESE], ids=["en", "ja"])
def test_linked_files_exist(text: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (REPO / target).exists(), target


def test_the_tree_names_files_that_exist() -> None:
    tree = ENGLISH.split("## The tree")[1].split("```")[1]
    package = ""
    for line in tree.splitlines():
        if line and not line.startswith(" "):
            package = line.split("/")[0]
        for name in re.findall(r"\b[a-z_]+\.py\b", line):
            assert list((REPO / package).rglob(name)), name


def test_every_flag_the_readme_names_exists(run_corpus) -> None:
    said = run_corpus("build", "--help").stdout
    for flag in ("--workers", "--profile", "--dedup", "--config", "--set", "--ledger", "--json"):
        assert flag in said


CARDS = {"pages": ("sample.warc.gz", "technical", "Inaho demo corpus"),
         "sources": ("sources", "auto", "Inaho sources demo")}  # fmt: skip


@pytest.mark.parametrize("card", ["pages", pytest.param("sources", marks=pytest.mark.slow)])
def test_the_cards_are_those_a_build_writes(card: str, run_corpus, tmp_path: Path) -> None:
    path, profile, name = CARDS[card]
    run_corpus("build", f"tests/data/{path}", "--out", tmp_path / "out", "--profile", profile,
               "-q", "--set", f"publish.name={name}")  # fmt: skip
    for file in ("README.md", "README.ja.md"):
        stored = (REPO / "data_cards" / card / file).read_text("utf-8")
        assert (tmp_path / "out" / file).read_text("utf-8") == stored, f"data_cards/{card}/{file}"
