"""Likelihood ranking, bits per character of any text, and what tokenizers cost."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from trainer_helpers import texts

from trainer.analysis import tasks
from trainer.analysis.fertility import report
from trainer.config.settings import Config, ConfigError, ModelConfig
from trainer.data.tokenizer import Tokenizer
from trainer.model.transformer import CausalLM
from trainer.run import parallel
from trainer.run.checkpoint import load_model
from trainer.run.train import train

CHOICES = [f"choice{i}" for i in range(5)]


@pytest.fixture
def tokenizer(tokenizer_dir: Path) -> Tokenizer:
    return Tokenizer.load(tokenizer_dir)


def net(context: int = 64) -> CausalLM:
    config = ModelConfig(
        vocab_size=1600,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=context,
    )
    made = CausalLM(config).eval()
    parallel.initialise(made, config, 1)
    return made


def test_the_three_formats_are_read(tmp_path: Path) -> None:
    rows = [
        {"question": "春の花は？", **dict(zip(CHOICES, "雪桜月海山", strict=True)), "label": 1},
        {"sentence1": "犬が走る。", "sentence2": "動物が動く。", "label": "entailment"},
    ]
    (tmp_path / "a.json").write_text("\n".join(json.dumps(r) for r in rows))
    (tmp_path / "b.csv").write_text("都は？,京都,奈良,東京,大阪,C\n", encoding="utf-8-sig")
    found = tasks.read(tmp_path)
    assert [(q.task, q.choices[q.answer]) for q in found] == [
        ("JCommonsenseQA", "桜"),
        ("JNLI", "含意"),
        ("JMMLU", "東京"),
    ]
    with pytest.raises(ConfigError, match="no JCommonsenseQA"):
        tasks.read(tmp_path / "nothing")


def test_a_score_is_the_log_probability_of_the_choice(tokenizer: Tokenizer) -> None:
    model = net()
    question = tasks.Question("t", "花見は", ("春です。", "冬の夜の海です。"), 0)
    got = tasks.scores(model, tokenizer, question)
    for choice, score in zip(question.choices, got, strict=True):
        ids = [tokenizer.bos, *tokenizer.encode("花見は" + choice)]
        start = len(ids) - len(tokenizer.encode(choice))
        if tokenizer.encode("花見は") + tokenizer.encode(choice) != ids[1:]:
            continue  # the border merged: the shared prefix decides, checked by the other choice
        log_p = model(torch.tensor([ids]))[0].detach().log_softmax(-1)
        expected = sum(float(log_p[i - 1, ids[i]]) for i in range(start, len(ids)))
        assert score == pytest.approx(expected, rel=1e-4)


def test_a_prompt_longer_than_the_context_is_cut_on_the_left(tokenizer: Tokenizer) -> None:
    question = tasks.Question("t", texts()[0], ("春です。", "冬です。"), 0)
    got = tasks.scores(net(32), tokenizer, question)
    assert all(math.isfinite(s) and s < 0 for s in got)


def test_real_task_files_score_near_chance_for_an_untrained_model(
    tokenizer: Tokenizer, shared_data: Path
) -> None:
    questions = tasks.read(shared_data / "evaluation")
    result = tasks.evaluate(net(512), tokenizer, questions, limit=40)
    assert set(result) == {"JCommonsenseQA", "JNLI", "JMMLU"}
    for row in result.values():
        assert row["questions"] == 40
        assert abs(row["accuracy"] - row["chance"]) < 0.35


def test_text_rates_equal_the_sum_over_documents(
    config: Config, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """Documents shorter than the context: no window, so the definition is one forward pass."""
    train(replace(config, train=replace(config.train, steps=4)))
    model, _, tokenizer, _ = load_model(config.out)
    short = [t[:60] for t in texts()[:6]]
    table = pa.table({"text": short, "source": ["a", "b"] * 3})
    pq.write_table(table, tmp_path / "x.parquet")
    result = tasks.text_rates(model, tokenizer, str(tmp_path / "x.parquet"))
    nats = 0.0
    for text in short:
        ids = torch.tensor([[tokenizer.bos, *tokenizer.encode(text), tokenizer.eos]])
        with torch.no_grad():
            nats += float(model(ids[:, :-1], ids[:, 1:]).sum())
    n_bytes = sum(len(t.encode()) for t in short)
    assert result["bpb"] == pytest.approx(nats / math.log(2) / n_bytes, rel=1e-5)
    assert result["bpc"] == pytest.approx(nats / math.log(2) / sum(map(len, short)), rel=1e-5)
    assert set(result["sources"]) == {"a", "b"}


def test_every_token_of_a_long_document_is_scored_once(tokenizer: Tokenizer) -> None:
    """A model with equal logits gives log(vocabulary) for each token, whatever the windows."""
    model = net(32)
    torch.nn.init.zeros_(model.model.norm.weight)  # type: ignore[arg-type]
    row = [tokenizer.bos, *tokenizer.encode(texts()[0])[:500], tokenizer.eos]
    with torch.no_grad():
        nats = sum(tasks._window_nats(model, row, 32))
    assert nats == pytest.approx((len(row) - 1) * math.log(1600), rel=1e-5)


def test_fertility_is_counted_by_source_and_beside_another_tokenizer(
    corpus: Path, tokenizer_dir: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    other = tmp_path / "hf"
    other.mkdir()
    (other / "tokenizer.json").write_bytes((tokenizer_dir / "tokenizer.json").read_bytes())
    marks = {"eos_token": tokenizer.piece(tokenizer.eos)}
    (other / "tokenizer_config.json").write_text(json.dumps(marks), "utf-8")
    rows = report(str(corpus), [str(tokenizer_dir), str(other)])
    assert [r["source"] for r in rows] == ["even", "odd", "all"] * 2
    for ours, theirs in zip(rows[:3], rows[3:], strict=True):
        assert {k: v for k, v in ours.items() if k != "tokenizer"} == {
            k: v for k, v in theirs.items() if k != "tokenizer"
        }
    tokens = sum(len(i) for i in tokenizer.encode_batch(texts()))
    chars = sum(map(len, texts()))
    assert rows[2]["characters/token"] == pytest.approx(chars / tokens, abs=1e-3)
    with pytest.raises(ConfigError, match=r"no tokenizer\.model or tokenizer\.json in"):
        report(str(corpus), [str(tmp_path)])


GOOD = {"question": "春の花は？", **dict(zip(CHOICES, "雪桜月海山", strict=True)), "label": 1}
NESTED = "[" * 100_000


@pytest.mark.parametrize(
    "second",
    [
        '{"question": "切れた',
        NESTED,
        json.dumps({k: v for k, v in GOOD.items() if k != "label"}),
        json.dumps(GOOD | {"label": "1"}),
        json.dumps(GOOD | {"label": 5}),
        json.dumps(GOOD | {"label": -1}),
        json.dumps(GOOD | {"label": True}),
        json.dumps(GOOD | {"label": None}),
        json.dumps(GOOD | {"choice3": ""}),
        json.dumps({k: v for k, v in GOOD.items() if k != "choice3"}),
        json.dumps({k: v for k, v in GOOD.items() if k != "question"}),
        json.dumps(GOOD | {"question": "\ud800"}),
        json.dumps({"sentence1": "犬が走る。", "label": "entailment"}),
        json.dumps({"sentence1": "犬が走る。", "sentence2": "犬。", "label": ["neutral"]}),
    ],
    ids=str.__len__,
)
def test_a_line_that_is_no_question_is_named_with_its_file(tmp_path: Path, second: str) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps(GOOD) + "\n" + second + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"q\.jsonl: line 2: ") as caught:
        tasks.read(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_files_of_other_formats_beside_the_questions_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps(GOOD), encoding="utf-8")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "info.json").write_text(json.dumps({"homepage": "x"}, indent=1))
    (tmp_path / "jsts.json").write_text(
        json.dumps({"sentence1": "a", "sentence2": "b", "label": 2.4})
    )
    (tmp_path / "table.csv").write_text("a,b,c\n1,2,3\n")
    assert [q.task for q in tasks.read(tmp_path)] == ["JCommonsenseQA"]


def test_a_line_separator_in_a_question_is_text(tmp_path: Path) -> None:
    odd = GOOD | {"question": "一行目\u2028二行目\u0085三"}
    lines = "\n".join(json.dumps(r, ensure_ascii=False) for r in (odd, GOOD))
    (tmp_path / "q.jsonl").write_text(lines, encoding="utf-8")
    found = tasks.read(tmp_path)
    assert [q.prompt for q in found] == [f"質問：{r['question']}\n回答：" for r in (odd, GOOD)]


@pytest.mark.parametrize("name", ["q.jsonl", "q.csv"])
def test_a_file_in_another_encoding_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes("都は？,京都,奈良,東京,大阪,C\n".encode("cp932"))
    with pytest.raises(ConfigError, match=rf"{name}: cannot read: ") as caught:
        tasks.read(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"gone\.jsonl: cannot read"):
        tasks.read(tmp_path / "gone.jsonl")


def test_a_huge_field_is_read_and_a_quote_that_never_closes_is_named(tmp_path: Path) -> None:
    """Python's csv has a limit of 131,072 characters, and an open quote takes all that follows."""
    long = "長" * 200_000
    file = tmp_path / "q.csv"
    file.write_text(f'"{long}",京都,奈良,東京,大阪,C\n', encoding="utf-8")
    (found,) = tasks.read(file)
    assert found.prompt == f"質問：{long}\n回答："
    rest = "都は？,京都,奈良,東京,大阪,C\n" * 3
    file.write_text('都は？,京都,奈良,東京,大阪,C\n"都は？,京都,奈良,東京,大阪,C\n' + rest)
    with pytest.raises(ConfigError, match=r"q\.csv: line 5: ") as caught:
        tasks.read(file)
    assert "\n" not in str(caught.value)


def test_what_always_giving_one_answer_scores_stands_beside_the_accuracy(
    tokenizer: Tokenizer,
) -> None:
    choices = ("春です。", "冬です。", "夏です。")
    questions = [tasks.Question("t", "花見は", choices, a) for a in (0, 2, 2, 1, 2)]
    result = tasks.evaluate(net(), tokenizer, questions)["t"]
    assert result["most_frequent"] == 0.6
    assert result["chance"] == pytest.approx(1 / 3)
    assert tasks.evaluate(net(), tokenizer, questions, limit=1)["t"]["most_frequent"] == 1.0
