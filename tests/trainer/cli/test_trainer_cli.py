"""The `trainer` command as a user meets it: the whole way, and one line for each mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from trainer_helpers import REPO, run_trainer

from trainer.cli.printing import columns
from trainer.config.load import as_toml, from_dict, load
from trainer.config.settings import ConfigError
from trainer.plan import plan as planner
from trainer.plan.machines import machines as read_machines


def test_python_m_trainer_is_the_command() -> None:
    command = [sys.executable, "-m", "trainer", "train", "--config", "nothing"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stderr.startswith("trainer: no configuration 'nothing'")


def test_verbs_that_only_look_load_no_torch(tokens: Path, corpus: Path) -> None:
    """In a process of its own, since torch is loaded in this one."""
    verbs = [
        ["--help"],
        ["config"],
        ["plan", "--config", "13b", "--model.vocab_size=32000"],
        ["plan", "--corpus", str(tokens)],
        ["fertility", str(corpus), str(tokens / "tokenizer"), "--limit", "3"],
        ["trace", "nothing", "--step", "1"],
        ["replay", "nothing", "--steps", "1:2"],
    ]
    code = f"""
import sys
from trainer.cli.app import main
for verb in {verbs!r}:
    sys.argv = ["trainer", *verb]
    try:
        main()
    except SystemExit as left:
        assert left.code == (2 if "nothing" in verb else 0), verb
    assert "torch" not in sys.modules, verb
    assert verb[0] not in ("--help", "config") or "pyarrow" not in sys.modules, verb
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def test_from_corpus_to_text_with_the_commands_of_the_readme(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def good(*args: object) -> str:
        assert run_trainer(monkeypatch, *args) == 0
        return capsys.readouterr().out

    tok, shards, out = tmp_path / "tok", tmp_path / "tokens", tmp_path / "run"
    assert "1,600 pieces" in good("tokenizer", corpus, "--out", tok, "--vocab-size", 1600)
    text = good("prepare", corpus, "--tokenizer", tok, "--out", shards, "--held-out", 0.15)
    assert "train:" in text and "held:" in text
    overrides = [f"--data.tokens={shards}", f"--out={out}", "--train.steps=6"]
    trained = good("train", "--config", "tiny-cpu", *overrides)
    assert "bits per byte untrained" in trained and "after 6 steps" in trained
    assert good("generate", out, "--prompt", "日本", "--max-tokens", 5).startswith("日本")
    good("export", out, "--out", tmp_path / "hf")
    assert (tmp_path / "hf" / "model.safetensors").is_file()
    traced = json.loads(good("trace", out, "--step", 2, "--json"))
    assert {"id", "url", "source_file", "source_offset", "tokens"} <= set(traced[0])
    steps = json.loads(good("trace", out, "--id", traced[0]["id"], "--json"))
    assert 2 in {r["step"] for r in steps}
    assert all(
        r["agrees"] in (True, None)
        for r in json.loads(good("replay", out, "--steps", "1:6", "--json"))
    )
    assert "bpc" in good("evaluate", out, "--text", corpus, "--limit", 3)
    assert "compute-optimal" in good("plan", "--corpus", shards)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["prepare", "nowhere", "--tokenizer", "x", "--out", "y"], "no Parquet file at nowhere"),
        (["train", "--config", "nothing"], "no configuration 'nothing'"),
        (["train", "--config", "demo", "--train.lrr=1"], "did you mean train.lr?"),
        (["train", "--config", "demo", "--train.lr=fast"], "train.lr must be float"),
        (["train", "--config", "demo", "--data.tokens=none"], "no finished token shards in none"),
        (["generate", "nothing"], "is not a training run"),
        (["trace", "nothing"], "give one of --step, --url, --id, --ids and --model"),
        (["replay", "nothing", "--steps", "x"], "write it as 1:100"),
        (["plan", "--config", "13b", "--machine", "x"], "no machine 'x'"),
        (["evaluate", "nothing"], "give --text, --tasks or both"),
    ],
)
def test_a_mistake_is_one_line_and_status_two(
    args: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_trainer(monkeypatch, *args) == 2
    errors = capsys.readouterr().err
    assert said in errors
    assert errors.count("\n") == 1 and "Traceback" not in errors


def test_settings_survive_toml_and_dictionaries() -> None:
    for name in ("demo", "tiny-cpu", "13b"):
        config = load(name, ['data.weights={a = 0.5, "b c" = 2}'])
        assert from_dict(asdict(config)) == config


def test_toml_round_trip(tmp_path: Path) -> None:
    config = load("demo", ['data.weights={a = 0.5, "日本" = 2}', "out=runs/稲"])
    (tmp_path / "c.toml").write_text(as_toml(config), encoding="utf-8")
    assert load(tmp_path / "c.toml") == config


def test_config_prints_every_setting_with_its_meaning_as_a_file_to_start_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    overrides = ["--train.lr=1e-4", "--data.weights.law=2"]
    assert run_trainer(monkeypatch, "config", "150m", *overrides) == 0
    text = capsys.readouterr().out
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    expected = load("150m", overrides)
    assert load(tmp_path / "c.toml") == expected
    settings = [line for line in text.splitlines() if " = " in line and line[0] != "#"]
    assert len(settings) > 50
    assert not [line for line in settings if "  # " not in line]


def test_the_reference_of_settings_is_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a change of a setting: trainer config --markdown > docs/trainer-settings.md"""
    assert run_trainer(monkeypatch, "config", "--markdown") == 0
    written = (REPO / "docs" / "trainer-settings.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out == written


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.schedule=cosin", "choose one of cosine"),
        ("model.num_attention_heads=3", "must be a multiple"),
        ("data.seq_len=4096", "exceeds model.max_position_embeddings"),
        ("modell.x=1", "did you mean model?"),
        ("train=1", "is a section"),
        ("train.lr", "--section.key=value"),
    ],
)
def test_a_bad_setting_is_explained(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load("demo", [override])


def test_tables_fit_80_columns_and_lose_nothing() -> None:
    narrow = [{"名前": "稲穂", "tokens": 12345}, {"名前": "a", "tokens": 7}]
    assert columns(narrow).splitlines() == ["名前  tokens", "稲穂   12345", "a          7"]
    url = "https://example.jp/" + "a-b/" * 30
    wide = [{"row": i, "url": url, **{f"column {c}": c * 1111 for c in range(9)}} for i in range(2)]
    text = columns(wide)
    assert all(len(line) <= 80 for line in text.splitlines() if url not in line)
    assert text.count(url) == 2 and text.count("column 8 8888") == 2
    machines = [planner.row(n, planner.plan(load("gpt3-175b"), m, 32, 0.4))
                for n, m in read_machines().items()]  # fmt: skip
    assert all(len(line) <= 80 for line in columns(machines).splitlines())
    assert columns([]) == ""
