"""report.html of a run: its figures, its steps' documents; what strangers wrote stays text."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from trainer_helpers import run_trainer

from trainer.analysis.curves import chart
from trainer.analysis.report import write_report
from trainer.analysis.trace import of_step
from trainer.config.load import as_toml
from trainer.config.settings import Config, ConfigError
from trainer.folder.run import metrics


def test_a_run_ends_with_its_report_and_the_command_makes_it_again(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run, file = Path(config.out), Path(config.out).with_suffix(".toml")
    file.write_text(as_toml(replace(config, train=replace(config.train, steps=6))))
    assert run_trainer(monkeypatch, "train", "--config", file) == 0
    capsys.readouterr()
    first = (run / "report.html").read_text("utf-8")
    assert run_trainer(monkeypatch, "report", run) == 0
    assert capsys.readouterr().out.strip().endswith(f"{run / 'report.html'}")
    assert (run / "report.html").read_text("utf-8") == first
    # The last figures of training and of held-out text stand in it, and all curves.
    rows = metrics(run)
    assert f"{rows[-1]['held_out']['bpc']:,.4g}" in first and "6 / 6" in first
    for name in ("Learning rate", "Gradient norm before clipping", "Tokens per second"):
        assert f"aria-label='{name}'" in first
    assert "trainer trace run --step 1<" in first and "1–6" in first
    assert "<script" not in first and not re.search(r"(src|href)=", first)

    # With the explorer's address: links to the documents that `trace` names.
    ids = {str(row["id"]) for row in of_step(run, 1)}
    write_report(run, "http://127.0.0.1:8000/", lambda step: of_step(run, step))
    linked = set(re.findall(r"href='http://127\.0\.0\.1:8000/document/([^']+)'",
                            (run / "report.html").read_text("utf-8")))  # fmt: skip
    assert linked and linked & ids
    hostile = {"id": "x'><script>", "url": "<img src=x onerror=alert(1)>"}
    write_report(run, "http://127.0.0.1:8000", lambda step: [hostile])
    page = (run / "report.html").read_text("utf-8")
    assert "<img" not in page and "<script" not in page and "&lt;img" in page
    with pytest.raises(ConfigError, match="address"):
        write_report(run, "javascript:alert(1)", lambda step: [])

    # Steps that were passed over: named, marked in every chart, and not offered for tracing.
    (run / "skipped.json").write_text("[0, 3]", "utf-8")
    write_report(run)
    page = (run / "report.html").read_text("utf-8")
    assert "<p>1, 4</p>" in page and "--step 1<" not in page
    assert page.count("class='mark'") == 2 * page.count("<figure")


def test_a_curve_goes_through_its_points_and_leaves_out_what_is_no_number() -> None:
    points = [(0, 1.0), (5, math.nan), (10, 100.0), (20, 10.0), (30, -1.0)]
    drawing = ElementTree.fromstring(chart("norm", {("", False): points}, logarithmic=True))
    line = next(e for e in drawing.iter() if e.tag == "polyline")
    places = [tuple(map(float, p.split(","))) for p in line.attrib["points"].split()]
    (x0, y0), (x1, y1), (x2, y2) = places
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.2)
    assert y0 - y2 == pytest.approx(y2 - y1, abs=0.2) and y1 < y2 < y0
    assert chart("nothing", {("", False): [(1, math.inf)]}) == ""
    assert "<polyline" in chart("one", {("", False): [(1, 0.0)]})


def test_a_long_run_is_thinned_and_keeps_its_last_point() -> None:
    series = {("a<b", False): [(i, float(i)) for i in range(5001)], ("a<b", True): [(9, 1.0)]}
    drawn = chart("long", series, wide=True)
    assert 300 < drawn.count(",") < 700
    assert "a&lt;b" in drawn and "a<b" not in drawn and "5000.000" in drawn


def test_no_figures_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert write_report(tmp_path) is None and not list(tmp_path.iterdir())
    assert run_trainer(monkeypatch, "report", tmp_path) == 2
    assert "not a training run" in capsys.readouterr().err
