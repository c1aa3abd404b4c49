"""Everything that a command says of a document has Japanese words: rules, reasons, stages, errors.

What there is to say is taken from the code, from the profiles and from builds, never from a list.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.answers.explain import explain
from corpus.folder.layout import Layout
from corpus.folder.removals import KINDS as REMOVED_BY
from corpus.folder.removals import UNKNOWN
from corpus.stages import notices
from corpus.stages.table import STAGES
from corpus.text.pdf.page import REASONS as PDF_REASONS
from corpus.web.rights.sites import FILES
from corpus.words import language, messages, names
from filters.personal import KINDS
from filters.profile import load
from filters.profile import names as profiles

REPO = Path(__file__).resolve().parents[3]
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
# What a user reads behind `error:`, or as the reason of a file that is not read.
ERRORS = {"UsageError", "RunError", "UnreadableError", "ProfileError", "UrlListError", "WordError"}


def sources(*packages: str) -> Iterator[tuple[Path, ast.AST]]:
    for package in packages:
        for path in sorted((REPO / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                yield path, node


def template(node: ast.expr) -> str | None:
    """A string of the code with {} for each value; None for what is no string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = (part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
        return "".join(map(str, parts))
    return None


def raised() -> dict[str, Path]:
    """Message of every error that users read → where it is raised."""
    found = {}
    for path, node in sources("corpus", "filters"):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            text = template(node.args[0]) if node.func.id in ERRORS else None
            if text and re.search("[A-Za-z]", text):
                found[text] = path
    return found


def spelled() -> dict[str, Path]:
    """Every rule and reason that harvest's code spells → where."""
    found = {}
    for path, node in sources("corpus/sources", "corpus/stages", "corpus/web"):
        values: list[ast.expr] = []
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name == "Reject" or (name == "add" and "ledger" in ast.unparse(node.func)):
                values += node.args[:1]
            values += [k.value for k in node.keywords if k.arg in ("skip", "problem")]
        elif isinstance(node, ast.Assign):
            targets = [t for target in node.targets for t in getattr(target, "elts", [target])]
            given = getattr(node.value, "elts", [node.value])
            named = [getattr(t, "attr", "") for t in targets]
            values += [v for t, v in zip(named, given, strict=False) if t in ("skip", "problem")]
        for value in values:
            text = template(value)
            if text and text != "{}":
                found[text] = path
    return found


def test_every_error_has_a_japanese_text() -> None:
    known = messages.known()
    missing = {text: str(path.relative_to(REPO)) for text, path in raised().items()
               if text not in known}  # fmt: skip
    assert len(raised()) > 150
    assert not missing, f"corpus/words/messages.toml lacks {missing}"


def test_a_translation_uses_every_value_once_and_no_other() -> None:
    for english, japanese in messages.known().items():
        values = set(re.findall(r"{(\d+)(?::\w+)?}", japanese))
        count = english.count("{}")
        assert values <= {str(i) for i in range(count)}, english
        # Where a value is left out, the sentence says the same without it.
        assert len(values) == count or english.startswith("{} has no report"), english
        assert JAPANESE.search(japanese) or len(japanese) < 60, english


def test_every_rule_and_reason_of_the_code_has_japanese_words() -> None:
    found = spelled()
    assert {"empty", "redirect page", "status {}", "no_http"} <= set(found)
    for text, path in found.items():
        assert names.rule(text.replace("{}", "404")).japanese, f"{path} spells {text!r}"


@pytest.mark.parametrize("profile", profiles())
def test_every_rule_of_a_profile_has_japanese_words(profile: str) -> None:
    for rule in load(profile).rules:
        words = names.rule(rule.name)
        assert words.english and JAPANESE.search(words.meaning), rule.name


def test_stages_removals_and_classes_of_personal_data_have_japanese_words() -> None:
    assert {stage.name for stage in STAGES} == set(names.known()["stages"])
    for stage in STAGES:
        assert names.known()["stages"][stage.name].japanese == stage.japanese
    for name in (*REMOVED_BY, UNKNOWN, *(f"personal_{kind}" for kind in KINDS)):
        assert names.rule(name).japanese, name
    for name in (*PDF_REASONS, notices.OLD, notices.WITHDRAWN, "licence", "pdf_limit"):
        assert names.rule(name).japanese, name
    for file in FILES:
        assert names.rule(file.rpartition("/")[2]).japanese, file


def test_names_in_japanese_are_japanese_and_keep_the_name() -> None:
    assert names.called("status 404", "ja") == "HTTP ステータス 404"
    assert names.called("too_short", "en") == "too_short"
    assert names.called("my_own_rule", "ja") == "my_own_rule"
    assert names.meaning("type image/gif", "ja") == "Content-Type がページではない"


def test_reasons_of_news_and_names_of_languages_are_japanese() -> None:
    for state in ("withheld", "canceled", "usable"):
        for own in ((1, 0), (2, 5)):
            standing = notices.Standing(2, 5, state, state == "canceled")
            if why := notices._refusal(standing, own):
                assert not re.search("[A-Za-z]", messages.said(why[1], "ja")), why
    assert messages.said("the text is ru, not ja", "ja") == "本文の言語はロシア語で、日本語ではない"
    assert messages.said("the text is zz, not ja", "ja") == "本文の言語はzzで、日本語ではない"
    assert names.called("not Japanese (gate)", "ja") == "日本語でない（入口検査）"


def test_every_sentence_of_explain_is_said_in_japanese(built: Path) -> None:
    layout = Layout(built)
    ids: dict[tuple[str, str], str] = {}
    for path in (*layout.ledgers(), *layout.shards()):
        for row in pq.read_table(path).to_pylist():
            ids.setdefault((row.get("stage", ""), row.get("rule", str(row.get("cluster_size")))),
                           row["id"])  # fmt: skip
    assert len(ids) > 8
    for name in ids.values():
        for answer in explain(layout, name):
            for sentence in answer["sentences"]:
                assert JAPANESE.search(messages.said(sentence, "ja")), sentence


def test_values_from_outside_are_put_in_as_they_are() -> None:
    said = messages.said("no such file or folder: {0} {x:>9} %s", "ja")
    assert said == "ファイルもフォルダもありません：{0} {x:>9} %s"
    unknown = "x {} y: " * 400
    assert messages.said(unknown, "ja") == unknown


@pytest.mark.parametrize(
    ("environ", "spoken"),
    [({"LANG": "ja_JP.UTF-8"}, "ja"), ({"LANG": "ja_JP.UTF-8", "LC_ALL": "C"}, "en"), ({}, "en"),
     ({"LC_MESSAGES": "ja"}, "ja"), ({"LC_ALL": "", "LANG": "jam"}, "en")],
)  # fmt: skip
def test_the_locale_chooses_the_language(environ: dict[str, str], spoken: str) -> None:
    assert language.of_locale(environ) == spoken


def test_the_flag_stands_anywhere(run_corpus, built: Path) -> None:
    for arguments in (("--lang", "ja", "stats", built), ("stats", built, "--lang=ja")):
        printed = run_corpus(*arguments).stdout
        assert "抽出 (harvest)" in printed and "日本語でない（入口検査）" in printed
    assert "harvest" in run_corpus("stats", built, "--lang", "en").stdout.split()
    failed = run_corpus("stats", "no-such-folder", "--lang", "ja", check=False)
    assert failed.stderr.startswith("エラー：no-such-folder はビルドフォルダではありません")
    wrong = run_corpus("stats", built, "--lang", "fr", check=False)
    assert wrong.returncode == 2 and "choose en or ja" in wrong.stderr


def test_explain_answers_in_japanese(run_corpus, built: Path) -> None:
    said = run_corpus(
        "explain", built, "http://httpd.apache.org/docs/2.4/ja/bind.html", "--lang", "ja"
    ).stdout
    assert "除外" in said and "重複（ほぼ重複 (near)）" in said
