"""A profile for each source: which one decided is said wherever a decision is told."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from corpus import config
from corpus.errors import UsageError
from corpus.folder.layout import Layout
from corpus.stages.select import decide, dropped_rows
from filters.profile import load

INPUTS = ("tests/data/documents.jsonl.gz", "tests/data/html")  # sources web and files


@pytest.fixture(scope="module")
def two(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("two") / "build"
    run_corpus("build", *INPUTS, "--out", out, "--profile", "none,files=web", "-q", "-j", 1)
    return out


@pytest.mark.parametrize(
    ("text", "profile", "profiles"),
    [
        ("law", "law", {}),
        ("web,law=law,aozora=literature", "web", {"law": "law", "aozora": "literature"}),
        ("law=law", "swallow-v1", {"law": "law"}),
        ("my/a=b.toml", "my/a=b.toml", {}),
    ],
)
def test_the_profile_flag_states_who_decides_on_what(
    text: str, profile: str, profiles: dict[str, str]
) -> None:
    before = config.load(None, ["select.profile=swallow-v1", "select.profiles.diet=minutes"])
    select = config.set_profiles(before, text, "--profile").select
    assert (select.profile, select.profiles) == (profile, profiles)


def test_profiles_come_from_toml_and_from_set_and_go_back_to_toml(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(
        '[select]\nprofile = "web"\n[select.profiles]\nlaw = "law"\n"青空 文庫" = "literature"\n'
    )
    settings = config.load(str(file), ["select.profiles.diet=minutes", "select.profiles.law="])
    assert settings.select.profiles == {"青空 文庫": "literature", "diet": "minutes"}
    (tmp_path / "corpus.toml").write_text(config.to_toml(settings, []), "utf-8")
    assert config.of_folder(Layout(tmp_path))[0] == settings
    file.write_text("[select]\nprofiles = { law = 5 }\n")
    with pytest.raises(UsageError, match=r"select.profiles .* is no NAME=VALUE"):
        config.load(str(file))
    with pytest.raises(UsageError, match="cannot both decide"):
        config.set_profiles(settings, "web,law", "--profile")


def test_each_profile_decides_on_its_source_alone(two: Path) -> None:
    kept = {row["source"] for row in pq.read_table(two / "corpus").to_pylist()}
    assert "web" in kept
    funnel = json.loads((two / "funnel.json").read_text())["select"]
    web, files = funnel["sources"]["web"], funnel["sources"]["files"]
    assert web["profile"] == "none" and web["out"] == web["in"] > 0
    assert files["profile"] == "web" and files["out"] < files["in"]
    assert web["in"] + files["in"] == funnel["in"] and web["out"] + files["out"] == funnel["out"]


def test_ledger_explain_card_and_report_name_the_profile_that_decided(
    two: Path,
    run_corpus,
) -> None:
    ledger = [r for r in pq.read_table(two / "ledger").to_pylist() if r["stage"] == "select"]
    assert ledger and all(r["detail"].startswith("profile web wants ") for r in ledger)
    assert "(profile web wants " in run_corpus("explain", two, ledger[0]["id"]).stdout
    rows = pq.read_table(two / "corpus", columns=["id", "source"]).to_pylist()
    web = next(row for row in rows if row["source"] == "web")
    said = run_corpus("explain", two, web["id"]).stdout
    assert "passed every rule of profile none, which decides on the source web," in said
    # The default decides by a model: three signals, for and against, whatever came of the page.
    files = next(row for row in rows if row["source"] == "files")
    judged = next((row["id"] for row in ledger if row["rule"] == "judged"), ledger[0]["id"])
    for name, low, high in ((files["id"], 0.5, 1.0), (judged, 0.0, 0.5)):
        answer = json.loads(run_corpus("explain", two, name, "--json").stdout)[0]
        (told,) = [s for s in answer["sentences"] if s.startswith("The model web-2 gives it ")]
        if answer["ledger"] is None or answer["ledger"]["rule"] == "judged":
            assert low <= float(told.split()[5]) <= high
        assert len(re.findall(r"\([+-]\d+\.\d\d\)", told)) == 3 and "speak" in told
    card = (two / "README.md").read_text()
    assert "`none`, `web` (files)" in card and "| files | `web` | " in card
    assert "<td>files</td><td>web</td>" in (two / "report.html").read_text()
    assert "source files by web" in run_corpus("stats", two).stdout


def test_select_changes_the_profiles_and_names_an_unknown_source_or_profile(
    two: Path,
    run_corpus,
    tmp_path: Path,
) -> None:
    out = tmp_path / "again"
    shutil.copytree(two, out)
    funnel = json.loads(run_corpus("select", out, "--profile", "none", "--json").stdout)
    assert funnel["select"]["out"] == funnel["select"]["in"]
    assert config.of_folder(Layout(out))[0].select.profiles == {}
    for flag, words in (
        ("web,law=law", "source 'law', which this build does not have; its sources are files, web"),
        ("web,files=lwa", "unknown profile 'lwa'; did you mean 'law'?"),
    ):
        failed = run_corpus("select", out, "--profile", flag, check=False)
        assert failed.returncode == 2 and failed.stderr.count("\n") == 1, failed.stderr
        assert words in failed.stderr


def test_an_unknown_source_is_named_before_the_harvest_where_the_input_has_a_name(
    run_corpus,
    tmp_path: Path,
) -> None:
    failed = run_corpus("build", INPUTS[1], "--out", tmp_path / "o", "--set", "input.name=law",
                        "--profile", "web,laws=law", check=False)  # fmt: skip
    assert failed.returncode == 2 and "source 'laws'" in failed.stderr
    assert not (tmp_path / "o" / "documents").exists()


def test_decisions_on_some_rows_are_those_on_all_rows(two: Path) -> None:
    """Stored signals, words measured from the texts, and a column of its own alike."""
    for name in ("web", "fineweb2-ja", "hojichar"):
        whole = decide(load(name), Layout(two), 0)
        rows = np.arange(len(whole.keep))[::3]
        part = decide(load(name), Layout(two), 0, rows=rows)
        assert (part.failures == whole.failures[rows]).all()
        np.testing.assert_array_equal(part.value, whole.value[rows])
    assert pq.read_metadata(Layout(two).documents(0)).num_rows == len(whole.keep)


def test_the_ledger_has_the_first_rule_its_value_and_the_others_of_every_document(
    two: Path,
) -> None:
    profile = load("swallow-v1")
    decisions = decide(profile, Layout(two), 0)
    dropped: Counter[str] = Counter()
    rows = np.arange(len(decisions.keep)) + 100
    found = dropped_rows(profile, decisions, rows, dropped).to_pylist()
    assert len(found) == int((~decisions.keep).sum()) == sum(dropped.values()) > 5
    for entry in found:
        row = entry["row"] - 100
        failing = [r for r, f in zip(profile.rules, decisions.failures[row], strict=True) if f]
        assert entry["rule"] == failing[0].name
        assert entry["value"] == decisions.value[row]
        assert entry["threshold"] in (failing[0].low, failing[0].high)
        others = ", ".join(r.name for r in failing[1:])
        assert entry["detail"] == f"profile swallow-v1 wants {failing[0].bounds()}" + (
            f"; also fails {others}" if others else ""
        )


def test_cluster_size_is_asked_of_dedup_and_has_no_value_before_it(
    run_corpus, tmp_path: Path
) -> None:
    out, profile = tmp_path / "out", tmp_path / "rare.toml"
    profile.write_text('[[rule]]\nname = "rare"\nsignal = "cluster_size"\nmax = 1\n', "utf-8")
    run_corpus("harvest", "tests/data/documents.csv", "--out", out, "-q", "-j", 1)
    sweep = ("sweep", out, "--signal", "cluster_size", "--from", 1, "--to", 2, "--steps", 2)
    for verb in (("compare", out, "--profiles", profile), sweep):
        said = run_corpus(*verb, check=False)
        line = f"error: signal cluster_size comes from dedup, which has not run: corpus dedup {out}"
        assert (said.returncode, said.stderr) == (2, line + "\n")
    run_corpus("select", out, "--profile", profile, "-q", "-j", 1)  # dedup goes before select
    rows = json.loads(run_corpus(*sweep, "--json").stdout)
    assert rows[0]["at_least"] == rows[0]["documents"]


def test_a_profile_may_ask_whether_a_page_is_an_index(two: Path, tmp_path: Path) -> None:
    file = tmp_path / "index.toml"
    file.write_text('[[rule]]\nname = "index"\nsignal = "listing"\nmax = 0.1\n')
    layout = Layout(two)
    for index in range(len(layout.documents_files())):
        stored = pq.read_table(layout.documents(index), columns=["listing"])["listing"].to_numpy()
        kept = decide(load(str(file)), layout, index).keep
        assert np.array_equal(kept, stored <= 0.1)
