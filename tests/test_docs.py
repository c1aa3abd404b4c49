"""The documentation does what it says: commands.md is the programs, tutorials run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

REPO = Path(__file__).resolve().parent.parent
TUTORIALS = sorted((REPO / "docs" / "tutorials").glob("*.md"))
NAMES = [path.name for path in TUTORIALS]
# What a test cannot wait for, or has no end: only parsed. `built` stands for the build.
PARSED_ONLY = ("corpus build", "corpus explore first\n")


def commands(path: Path) -> list[str]:
    """The lines of a page that are typed into a shell."""
    blocks = re.findall(r"```console\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert lines and all(line.startswith("$ ") for line in lines)
    return [line[2:] for line in lines]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("commands", REPO / "docs" / "commands.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_commands_is_what_the_programs_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change of a verb: python docs/commands.py > docs/commands.md"""
    monkeypatch.setenv("COLUMNS", "100")
    page = (REPO / "docs" / "commands.md").read_text("utf-8")
    assert generator().page() == page
    assert "### corpus register export" in page and "### trainer report" in page


def parse(line: str) -> None:
    """Parse a command line of ours as the program would, settings included, and run nothing."""
    from corpus.cli.app import app as corpus
    from trainer.cli.app import app as trainer
    from trainer.config.load import load

    words = shlex.split(line)
    command: Any = typer.main.get_command({"corpus": corpus, "trainer": trainer}[words.pop(0)])
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    context = command.make_context(command.name, words)
    if context.args:
        load(context.params["config"], context.args)
    keys = [entry.partition("=")[0] for entry in context.params.get("set_", ()) or ()]
    page = (REPO / "docs" / "settings.md").read_text("utf-8")
    for section, key in (entry.split(".", 1) for entry in keys):
        assert f"`{section}.{key}`" in page or f"`{key}`" in page, f"{section}.{key}"


@pytest.mark.parametrize("path", TUTORIALS, ids=NAMES)
def test_every_command_line_of_a_tutorial_parses(path: Path) -> None:
    ours = [re.sub(r"^torchrun .*? -m ", "", line) for line in commands(path)]
    ours = [line for line in ours if line.split()[0] in ("corpus", "trainer")]
    assert len(ours) >= 5
    for line in ours:
        parse(line)


def test_the_parser_refuses_a_flag_that_nobody_has() -> None:
    for line in ("corpus find first 文 --fuzzy", "trainer report run --pdf"):
        with pytest.raises(Exception, match="No such option"):
            parse(line)


def test_tutorials_show_the_same_commands_in_both_languages() -> None:
    pairs = [path for path in TUTORIALS if path.name.endswith(".ja.md")]
    assert len(pairs) == 3
    for path in pairs:
        assert commands(path) == commands(path.with_name(path.name.replace(".ja.md", ".md")))


@pytest.mark.parametrize("name", ["first-corpus", "rights-holder", "profile"])
def test_a_tutorial_runs_line_by_line(
    name: str, built: Path, run_corpus, tmp_path: Path
) -> None:  # fmt: skip
    """Each in a folder of its own, on the corpus of the sample that the fixture built."""
    path = REPO / "docs" / "tutorials" / f"{name}.md"
    shutil.copytree(built, tmp_path / "first")
    (tmp_path / "tests").symlink_to(REPO / "tests")
    for file, block in zip(
        ("request.toml", "my-rules.toml")[name == "profile" :],
        re.findall(r"```toml\n(.*?)```", path.read_text("utf-8"), re.DOTALL),
        strict=False,
    ):
        (tmp_path / file).write_text(block, "utf-8")
    site = tmp_path / "robots" / "www.debian.org"
    site.mkdir(parents=True)
    (site / "robots.txt").write_text("User-agent: *\nDisallow: /\n", "utf-8")
    said = {}
    for line in commands(path):
        if not f"{line}\n".startswith(PARSED_ONLY):
            said[line] = run_corpus(*shlex.split(line)[1:], cwd=tmp_path).stdout
    assert len(said) >= 5
    if name == "rights-holder":
        before, after = (
            (tmp_path / f"answer{end}.html").read_text("utf-8") for end in ("", "-after")
        )
        assert before != after and "R-2026-014" in after
        assert "stands 1 time" in next(
            t for line, t in said.items() if line.startswith("corpus find")
        )


@pytest.mark.slow
def test_the_site_is_built_and_asks_no_host_for_anything(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", tmp_path],
        cwd=REPO, capture_output=True, text=True, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 35
    fetched = re.compile(r"<(?:script|img|iframe|link)[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^>]+")
    for page in pages:
        assert not fetched.findall(page.read_text("utf-8")), page
    index = (tmp_path / "search" / "search_index.json").read_text("utf-8")
    titles = {entry["title"] for entry in json.loads(index)["docs"]}
    assert {"権利者への回答", "corpus register export", "trainer report"} <= titles


def test_a_link_out_of_the_docs_leads_to_the_repository() -> None:
    """mkdocs calls docs/site.py for every page."""
    spec = importlib.util.spec_from_file_location("site_hook", REPO / "docs" / "site.py")
    assert spec and spec.loader
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)

    class Made:
        src_uri = "sources/law.md"
        extra = {"repository": "https://example.org/inaho"}  # noqa: RUF012
        file: Any

    made = Made()
    made.file = made
    text = hook.on_page_markdown("[a](../../README.md) [b](../text.md#x)", page=made, config=made)
    assert text == "[a](https://example.org/inaho/blob/main/README.md) [b](../text.md#x)"
    # A line of Japanese ends without a space, of code with a line.
    made.src_uri = "tutorials/x.ja.md"
    lines = "文を\n続け、\n`code` で\nread 。\n\n```console\n文を\n続け\n```\n"
    wanted = "文を続け、`code` で\nread 。\n\n```console\n文を\n続け\n```\n"
    assert hook.on_page_markdown(lines, page=made, config=made) == wanted
