"""`corpus compare`, `corpus sweep` and `corpus profiles`: tables, plots and border samples."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.answers import charts, plots
from corpus.answers.compare import compare, profiles_of, sweep
from corpus.errors import UsageError
from corpus.folder.layout import Layout
from filters.profile import load
from filters.signals import of_model


def values_of(quality: pa.StructArray, signal: str) -> np.ndarray:
    if signal.startswith("model."):
        columns = dict(zip(quality.type.names, quality.flatten(), strict=True))
        return of_model(signal, columns).to_numpy()
    return quality.field(signal).to_numpy().astype(float)


@pytest.fixture(scope="module")
def found(built: Path) -> dict:
    return compare(Layout(built), profiles_of(["web", "technical", "none"]), samples=2)


def test_matrix_and_rules_are_those_of_the_profiles_on_the_stored_signals(
    built: Path, found: dict
) -> None:
    table = pq.read_table(built / "documents").combine_chunks()
    quality = table["quality"].combine_chunks()
    web, technical = (load(n).decide(quality) for n in ("web", "technical"))
    assert found["documents"] == table.num_rows
    assert found["kept"]["web"]["documents"] == int(web.keep.sum())
    row = next(r for r in found["matrix"] if (r["a"], r["b"]) == ("web", "technical"))
    assert row["both"] == int((web.keep & technical.keep).sum())
    assert row["only_b"] == int((~web.keep & technical.keep).sum())
    a, b = web.keep.mean(), technical.keep.mean()
    chance = a * b + (1 - a) * (1 - b)
    agreement = (web.keep == technical.keep).mean()
    assert row["kappa"] == pytest.approx((agreement - chance) / (1 - chance))
    for index, rule in enumerate(found["rules"]["web"]):
        assert rule["alone"] == int(web.failures[:, index].sum())
        assert rule["first"] == int((web.rule == index).sum())
        others = np.delete(web.failures, index, axis=1).any(axis=1)
        assert rule["last"] == int((web.failures[:, index] & ~others).sum())
    assert found["rules"]["none"] == []


def test_border_samples_are_the_nearest_documents_on_which_the_rule_alone_decides(
    built: Path, found: dict
) -> None:
    table = pq.read_table(built / "documents").combine_chunks()
    rows = {row["id"]: i for i, row in enumerate(table.select(["id"]).to_pylist())}
    quality = table["quality"].combine_chunks()
    profile = load("web")
    failures = profile.decide(quality).failures
    index, rule = next(
        (i, r) for i, r in enumerate(profile.rules) if found["rules"]["web"][i]["last"] > 2
    )
    values = values_of(quality, rule.signal)
    free = ~np.delete(failures, index, axis=1).any(axis=1)
    samples = [b for b in found["borders"] if (b["profile"], b["rule"]) == ("web", rule.name)]
    assert {b["side"] for b in samples} == {"kept", "dropped"}
    for b in samples:
        row = rows[b["id"]]
        assert free[row] and failures[row, index] == (b["side"] == "dropped")
        assert b["value"] == values[row] and b["url"] == table["url"][row].as_py()
        assert b["start"] == " ".join(table["text"][row].as_py()[:160].split())[:80]
    for side, fails in (("kept", False), ("dropped", True)):
        eligible = values[free & (failures[:, index] == fails)]
        own = [b for b in samples if b["side"] == side]
        nearest = abs(eligible - own[0]["threshold"]).min()
        assert abs(own[0]["value"] - own[0]["threshold"]) == nearest
        assert len({b["start"] for b in own}) == len(own) <= 2


def test_compare_prints_and_saves_tables_and_plots(
    built: Path,
    run_corpus,
    tmp_path: Path,
) -> None:
    out = tmp_path / "表"
    result = run_corpus("compare", built, "--profiles", "web,technical", "--out", out)
    assert "kappa" in result.stdout and "alone: taken if it were" in result.stdout
    whole = json.loads((out / "compare.json").read_text("utf-8"))
    for name in ("matrix", "borders", "sources"):
        with open(out / f"{name}.csv", encoding="utf-8", newline="") as file:
            assert len(list(csv.DictReader(file))) == len(whole[name])
    for name in ("kept", "agreement", "rules-web", "rules-technical"):
        ElementTree.parse(out / f"{name}.svg")
        assert f"{name}.svg" in result.stderr
    printed = run_corpus("compare", built, "--profiles", "web,technical", "--out", out, "--json")
    assert json.loads(printed.stdout) == whole


def test_two_profiles_of_one_name_are_told_apart(tmp_path: Path) -> None:
    mine = tmp_path / "web.toml"
    mine.write_text('[[rule]]\nname = "long"\nsignal = "n_chars"\nmin = 1000\n')
    assert [p.name for p in profiles_of(["web", str(mine), "web"])] == ["web", str(mine)]
    with pytest.raises(UsageError, match="no profile to compare"):
        profiles_of(["", " "])


@pytest.mark.parametrize("by", ["source", "host"])
def test_sweep_by_group_adds_up_and_takes_lazy_signals(built: Path, by: str) -> None:
    whole = sweep(Layout(built), "noun_share", 0.2, 0.8, 4)
    parts = sweep(Layout(built), "noun_share", 0.2, 0.8, 4, by=by)
    for row in whole:
        own = [p for p in parts if p["threshold"] == row["threshold"]]
        for key in ("at_least", "at_most", "at_least_chars", "at_most_chars", "documents"):
            assert sum(p[key] for p in own) == row[key]
    assert whole[0]["at_least"] > whole[-1]["at_least"]


def test_sweep_by_host_shows_the_largest_and_the_others_together(
    run_corpus, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corpus.answers.compare.LARGEST", 5)
    args = ("sweep", built, "--signal", "n_chars", "--from", 0, "--to", 5000, "--steps", 2)
    rows = json.loads(run_corpus(*args, "--by", "host", "-o", tmp_path, "--json").stdout)
    hosts = list(dict.fromkeys(row["host"] for row in rows))
    counts = [row["documents"] for row in rows[::2]]
    assert len(hosts) == 6 and hosts[-1] == "3 others"
    assert counts[:-1] == sorted(counts[:-1], reverse=True)
    assert f"host {hosts[0]}: " in run_corpus(*args, "--by", "host", "-o", tmp_path).stdout
    failed = run_corpus(*args, "--by", "language", check=False)
    assert failed.returncode == 2 and "choose source or host" in failed.stderr


def test_sweep_moves_the_threshold_of_a_model(built: Path) -> None:
    quality = pq.read_table(built / "documents")["quality"].combine_chunks()
    rows = sweep(Layout(built), "model.web-2", 0.0, 1.0, 5)
    values = values_of(quality, "model.web-2")
    for row in rows:
        assert row["at_least"] == int((values >= row["threshold"]).sum())
    assert rows[0]["at_least"] == len(values) > rows[2]["at_least"] > rows[-1]["at_least"]
    with pytest.raises(UsageError, match=r"did you mean model\.web-2"):
        sweep(Layout(built), "model.web2", 0.0, 1.0, 5)


def test_sweep_saves_a_plot_and_its_data_beside_the_build(
    built: Path,
    run_corpus,
    tmp_path: Path,
) -> None:
    args = ("sweep", built, "--signal", "hiragana_share_ja", "--from", 0, "--to", 0.8)
    rows = json.loads(run_corpus(*args, "--out", tmp_path, "--json").stdout)
    assert json.loads((tmp_path / "sweep-hiragana_share_ja.json").read_text()) == rows
    drawn = (tmp_path / "sweep-hiragana_share_ja.svg").read_text("utf-8")
    assert "閾値" in drawn and "Noto Sans CJK JP" in drawn and "sans-serif" in drawn
    failed = run_corpus("sweep", built, "--signal", "hiragana", "--from", 0, "--to", 1, check=False)
    assert failed.returncode == 2 and "did you mean hiragana_share" in failed.stderr
    failed = run_corpus(*args[:-1], 0, check=False)
    assert failed.returncode == 2 and "empty range" in failed.stderr
    (tmp_path / "file").write_text("")
    failed = run_corpus(*args, "--out", tmp_path / "file", check=False)
    assert failed.returncode == 2 and "is a file" in failed.stderr


def test_a_build_folder_that_cannot_be_written_is_still_compared(
    built: Path,
    run_corpus,
    tmp_path: Path,
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("corpus.toml", "documents"):
        os.symlink(built / name, copy / name)
    (copy / "plots").symlink_to("/proc/nowhere")
    result = run_corpus("compare", copy, "--profiles", "web")
    assert "Not saved" in result.stderr and "web" in result.stdout


def test_an_svg_is_well_formed_whatever_the_names_hold() -> None:
    series = charts.Series("<源> & \x00\ud800 \"'", [0, 1], [0.0, 1.0])
    drawing = charts.lines("題 <a>", "x", "y", [series])
    text = plots.svg(drawing)
    labels = [e.text for e in ElementTree.fromstring(text.encode()).iter() if e.text]
    assert "<源> & �� \"'" in labels and "題 <a>" in labels
    assert text == plots.svg(drawing)


def test_ticks_are_round_numbers() -> None:
    assert charts.ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert charts.ticks(130, 1870) == [500, 1000, 1500]
    assert len(charts.ticks(-3e-7, 5e-7)) >= 3


def test_a_profile_reads_as_documentation_and_its_json_is_strict(run_corpus) -> None:
    said = run_corpus("profiles", "swallow-v1").stdout
    for part in ("Okazaki et al.", "400 ≤ n_chars", "menus and templates", "% of "):
        assert part in said
    said = run_corpus("profiles", "web").stdout
    for part in ("Model web-2: log odds =", "ngram_logit", "█", "Judged by people", "hosts drawn"):
        assert part in said
    web, about = (
        json.loads(
            run_corpus("profiles", name, "--json").stdout,
            parse_constant=lambda name: pytest.fail(name),
        )
        for name in ("web", "web-v1")
    )
    assert web["rules"][0]["low"] == 80 and web["rules"][0]["high"] is None
    knots, heights = web["models"][0]["curves"]["n_chars"]
    assert len(knots) == len(heights) > 1
    value, low, high = web["judged"]["profile"]["balanced"]
    assert low < value < high and web["judged"]["set"]["keep"] > 400
    assert about["pass_rates"] and {"genre", "documents", "kept"} == set(about["pass_rates"][0])
