"""Likelihood ranking, bits per character of any text, and what tokenizers cost."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from trainer_helpers import launch, run_trainer, texts, torchrun

from trainer.analysis.fertility import report
from trainer.analysis.rates import _window_nats, text_rates
from trainer.config.settings import Config, ConfigError, ModelConfig
from trainer.export.generate import Sampling, tokens
from trainer.folder.load import load_model
from trainer.model.transformer import CausalLM
from trainer.run import parallel
from trainer.run.train import train
from trainer.tasks import ask, published, scores
from trainer.tasks.prompts import TASKS, Item, generation
from trainer.tokens.tokenizer import Tokenizer

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


def items(folder: Path) -> list[Item]:
    return [q for s in published.read(folder) for q in s.examples + s.questions]


def test_the_formats_are_read_and_asked_as_llm_jp_eval_does(tmp_path: Path) -> None:
    rows = [
        {"question": "春の花は？", **dict(zip(CHOICES, "雪桜月海山", strict=True)), "label": 1},
        {"sentence1": "犬が走る。", "sentence2": "動物が動く。", "label": "entailment"},
        {"sentence1": "犬が走る。", "sentence2": "動物が動く。", "label": 3.4},
    ]
    (tmp_path / "a.json").write_text("\n".join(json.dumps(r) for r in rows))
    (tmp_path / "b.csv").write_text("都は？,京都,奈良,東京,大阪,C\n", encoding="utf-8-sig")
    asked = {"question": "都は？", "answers": [{"text": "東京"}, {"text": "江戸"}]}
    whole = {"data": [{"paragraphs": [{"context": "都は東京。", "qas": [asked]}]}]}
    (tmp_path / "c.json").write_text(json.dumps(whole, ensure_ascii=False))
    found = {q.task: q for q in items(tmp_path)}
    assert {n: (q.input, q.output) for n, q in found.items()} == {
        "JCommonsenseQA": ("質問：春の花は？\n選択肢：0.雪,1.桜,2.月,3.海,4.山", "1"),
        "JNLI": ("前提：犬が走る。\n仮説：動物が動く。", "entailment"),
        "JSQuAD": ("文章：都は東京。\n質問：都は？", "東京"),
        "JSTS": ("文1：犬が走る。\n文2：動物が動く。", "3.4"),
        "JMMLU": ("質問：都は？\n選択肢：A.京都,B.奈良,C.東京,D.大阪", "C"),
    }
    ranked = {n: q.choices[q.answer] for n, q in found.items() if q.choices}
    assert ranked == {"JCommonsenseQA": "桜", "JNLI": "含意", "JMMLU": "東京"}
    question = found["JMMLU"]
    assert generation(TASKS["JMMLU"], [question], question) == (
        "以下は、タスクを説明する指示と、文脈のある入力の組み合わせです。要求を適切に満たす応答を"
        "書きなさい。\n\n### 指示:\n与えられた質問と選択肢から、最も適切な回答を選択してください。"
        "なお、回答には選択肢のアルファベット（例：A）のみを含め、他には何も含めないことを厳守して"
        "ください。\n\n### 入力:\n質問：都は？\n選択肢：A.京都,B.奈良,C.東京,D.大阪\n\n### 応答:\nC"
        "\n\n### 入力:\n質問：都は？\n選択肢：A.京都,B.奈良,C.東京,D.大阪\n\n### 応答:\n"
    )
    with pytest.raises(ConfigError, match="no JCommonsenseQA"):
        published.read(tmp_path / "nothing")


def test_examples_are_those_of_the_shuffled_training_file(tmp_path: Path) -> None:
    """Python's generator from 42, as llm-jp-eval seeds it; without the file a note says so."""
    rows = [GOOD | {"question": f"問{i}"} for i in range(40)]
    lines = "\n".join(json.dumps(r) for r in rows)
    (tmp_path / "train-v1.3.json").write_text(lines)
    (tmp_path / "valid-v1.3.json").write_text(json.dumps(GOOD))
    (suite,) = published.read(tmp_path)
    random.seed(42)
    random.shuffle(rows)
    expected = [f"質問：{r['question']}\n回答：" for r in rows[:4]]
    assert [e.plain for e in suite.examples[:4]] == expected and len(suite.questions) == 1
    (tmp_path / "train-v1.3.json").rename(tmp_path / "valid-v1.2.json")
    (suite,) = published.read(tmp_path)
    assert any("do not compare" in n for n in suite.notes)
    assert not {id(q) for q in suite.questions} & {id(e) for e in suite.examples}


def test_jmmlu_is_halved_and_shuffled_as_llm_jp_eval_does(shared_data: Path) -> None:
    """Its procedure written out: 7,536 questions, half of them asked, the first examples."""
    folder = shared_data / "evaluation" / "JMMLU"
    (suite,) = published.read(folder)
    random.seed(42)
    dev: list[str] = []
    test: list[str] = []
    for name in published.SUBJECTS:
        text = (folder / f"{name}.csv").read_text("utf-8-sig")
        rows = [r[0] for r in csv.reader(io.StringIO(text, newline=""), quoting=csv.QUOTE_ALL)]
        random.shuffle(rows)
        dev += rows[: len(rows) // 2]
        test += rows[len(rows) // 2 :]
    random.shuffle(dev)
    random.shuffle(test)
    asked = [f"質問：{t}\n回答：" for t in test[16:]]
    assert [q.plain for q in suite.questions] == asked and not suite.notes
    assert [e.plain for e in suite.examples] == [f"質問：{t}\n回答：" for t in dev[:16] + test[:16]]


def test_a_score_is_the_log_probability_of_the_choice(tokenizer: Tokenizer) -> None:
    model = net()
    choices = ("春です。", "冬の夜の海です。")
    parts = [ask.continuation("花見は", c, tokenizer, 64) for c in choices]
    got = ask.log_probabilities(model, parts, tokenizer)
    for choice, score in zip(choices, got, strict=True):
        ids = [tokenizer.bos, *tokenizer.encode("花見は" + choice)]
        start = len(ids) - len(tokenizer.encode(choice))
        if tokenizer.encode("花見は") + tokenizer.encode(choice) != ids[1:]:
            continue  # the border merged: the shared prefix decides, checked by the other choice
        log_p = model(torch.tensor([ids]))[0].detach().log_softmax(-1)
        expected = sum(float(log_p[i - 1, ids[i]]) for i in range(start, len(ids)))
        assert score == pytest.approx(expected, rel=1e-4)


def test_a_prompt_longer_than_the_context_is_cut_on_the_left(tokenizer: Tokenizer) -> None:
    parts = [ask.continuation(texts()[0], c, tokenizer, 32) for c in ("春です。", "冬です。")]
    assert all(len(ids) == 32 and ids[0] == tokenizer.bos for ids, _ in parts)
    got = ask.log_probabilities(net(32), parts, tokenizer)
    assert all(math.isfinite(s) and s < 0 for s in got)


@pytest.mark.parametrize("family", ["llama", "gpt3", "palm"])
def test_answers_written_in_batches_are_those_written_alone(
    tokenizer: Tokenizer, family: str
) -> None:
    """Against the generator of `trainer generate`, greedy, row by row."""
    config = replace(net(256).config, family=family, num_hidden_layers=2)
    model = CausalLM(config).eval()
    parallel.initialise(model, config, 3)
    for p in model.parameters():
        if p.dim() == 2:
            torch.nn.init.normal_(p, 0, 0.3, generator=torch.Generator().manual_seed(len(p)))
    prompts = [[tokenizer.bos, *tokenizer.encode(t[: 5 * i])] for i, t in enumerate(texts()[1:7])]
    got = ask.greedy(model, prompts, 9, tokenizer)
    alone = []
    for row in prompts:
        new = list(tokens(model, row, Sampling(9, temperature=0), tokenizer.stops))
        alone.append(tokenizer.decode(new))
    assert got == alone and len(set(got)) > 3


class Two:
    """One of two processes; what the other one has is given."""

    size = 2

    def __init__(self, rank: int, all_: list[Any]) -> None:
        self.rank, self.all = rank, all_

    def gather(self, value: Any) -> list[Any]:
        self.all[self.rank] = value
        return self.all


@pytest.mark.parametrize("count", [1, 5, 12])
def test_two_processes_make_equally_many_passes_and_the_answers_of_one(count: int) -> None:
    rows = [[i] * (7 * i % 5 + 1) for i in range(count)]
    passes: list[int] = []

    def work(part: list[list[int]]) -> list[str]:
        passes.append(len(part))
        return [str(row) for row in part]

    parts: list[Any] = [[], []]
    calls = []
    for rank in (0, 1):
        passes.clear()
        result = ask.shared(rows, 2, work, Two(rank, parts))
        calls.append(len(passes))
    assert result == [str(row) for row in rows] and calls[0] == calls[1]


def test_real_task_files_score_near_chance_for_an_untrained_model(
    tokenizer: Tokenizer, shared_data: Path
) -> None:
    suites = published.read(shared_data / "evaluation")
    answers: list[dict[str, Any]] = []
    result = ask.ask(net(1024), tokenizer, suites, shots=1, limit=12, answers=answers)
    found = {(r["task"], r["how"]): r for r in result}
    ranked = {"JCommonsenseQA", "JNLI", "JMMLU"}
    assert set(found) == {(t, "generation") for t in TASKS} | {(t, "likelihood") for t in ranked}
    for (_, how), row in found.items():
        assert row["questions"] == 12 and 0 <= row["standard_error"] <= 0.4
        if how == "likelihood":
            assert abs(row["score"] - row["chance"]) < 0.5
    assert len(answers) == 12 * len(TASKS)
    assert any("training file" in n for n in found["JNLI", "generation"]["notes"])


def test_characters_are_scored_as_fuzzywuzzy_does_over_levenshtein() -> None:
    """By hand: 2 · 2 common of 2 + 5; and the package itself where it is."""
    assert scores.characters("東京", "東京都です") == 0.57
    assert scores.characters("", "東京") == 0.0 and scores.characters("東京。", "東京") == 1.0
    assert scores.characters("Tokyo 23区", "23区 tokyo") == 1.0
    words = [t[i : i + 9] for t in texts()[:9] for i in range(0, 60, 7)]
    fuzz = pytest.importorskip("fuzzywuzzy.fuzz")
    pytest.importorskip("Levenshtein")
    for a, b in itertools.pairwise(words):
        assert scores.characters(a, b) == fuzz.token_sort_ratio(a, b) / 100


def test_scores_of_written_answers() -> None:
    assert scores.said(" ２\n\n### 入力") == "2"
    assert scores.score("exact match", ["1", "2", "x", "3"], ["1", "２", "3", "3"])[0] == 0.75
    a, b = [1.0, 2.0, 2.0, 5.0], [0.5, 3.0, 2.0, 4.0]
    assert scores.correlation(a, b) == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert scores.ranks(a) == [1, 2.5, 2.5, 4]
    assert [scores.number(t) for t in ("3.5点", "類似度：4", "なし", "1.2.3")] == [3.5, 4, -2, -2]
    assert scores.correlation([2, 2], [0, 1]) == 0


def test_text_rates_equal_the_sum_over_documents(
    config: Config, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """Documents shorter than the context: no window, so the definition is one forward pass."""
    train(replace(config, train=replace(config.train, steps=4)))
    model, _, tokenizer, _ = load_model(config.out)
    short = [t[:60] for t in texts()[:6]]
    table = pa.table({"text": short, "source": ["a", "b"] * 3})
    pq.write_table(table, tmp_path / "x.parquet")
    result = text_rates(model, tokenizer, str(tmp_path / "x.parquet"))
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
        nats = sum(_window_nats(model, row, 32))
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
        published.read(tmp_path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_files_of_other_formats_beside_the_questions_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(json.dumps(GOOD), encoding="utf-8")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "info.json").write_text(json.dumps({"homepage": "x"}, indent=1))
    (tmp_path / "jsts.json").write_text(
        json.dumps({"sentence1": "a", "sentence2": "b", "label": "unknown"})
    )
    (tmp_path / "table.csv").write_text("a,b,c\n1,2,3\n")
    assert [q.task for q in items(tmp_path)] == ["JCommonsenseQA"]


def test_a_line_separator_in_a_question_is_text(tmp_path: Path) -> None:
    odd = GOOD | {"question": "一行目\u2028二行目\u0085三"}
    lines = "\n".join(json.dumps(r, ensure_ascii=False) for r in (odd, GOOD))
    (tmp_path / "q.jsonl").write_text(lines, encoding="utf-8")
    found = items(tmp_path)
    assert {q.plain for q in found} == {f"質問：{r['question']}\n回答：" for r in (odd, GOOD)}


@pytest.mark.parametrize("name", ["q.jsonl", "q.csv"])
def test_a_file_in_another_encoding_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes("都は？,京都,奈良,東京,大阪,C\n".encode("cp932"))
    with pytest.raises(ConfigError, match=rf"{name}: cannot read: ") as caught:
        published.read(tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match=r"gone\.jsonl: cannot read"):
        published.read(tmp_path / "gone.jsonl")


def test_a_huge_field_is_read_and_a_quote_that_never_closes_is_named(tmp_path: Path) -> None:
    """Python's csv has a limit of 131,072 characters, and an open quote takes all that follows."""
    long = "長" * 200_000
    file = tmp_path / "q.csv"
    file.write_text(f'"{long}",京都,奈良,東京,大阪,C\n', encoding="utf-8")
    (found,) = items(file)
    assert found.plain == f"質問：{long}\n回答："
    rest = "都は？,京都,奈良,東京,大阪,C\n" * 3
    file.write_text('都は？,京都,奈良,東京,大阪,C\n"都は？,京都,奈良,東京,大阪,C\n' + rest)
    with pytest.raises(ConfigError, match=r"q\.csv: line 5: ") as caught:
        published.read(file)
    assert "\n" not in str(caught.value)


def test_what_always_giving_one_answer_scores_stands_beside_the_accuracy(
    tokenizer: Tokenizer,
) -> None:
    choices = ("春です。", "冬です。", "夏です。")
    asked = [Item("JNLI", "", "", "花見は", choices, a) for a in (0, 2, 2, 1, 2)]
    suite = published.Suite("JNLI", asked, [])
    (result,) = ask.ask(net(), tokenizer, [suite], ["likelihood"])
    assert result["most_frequent"] == 0.6
    assert result["chance"] == pytest.approx(1 / 3)
    (first,) = ask.ask(net(), tokenizer, [suite], ["likelihood"], limit=1)
    assert first["most_frequent"] == 1.0 and first["notes"] == ["not all questions"]


def write_questions(folder: Path, count: int = 7) -> Path:
    folder.mkdir()
    rows = [GOOD | {"question": f"問{i}は？", "label": i % 5} for i in range(count)]
    (folder / "train.json").write_text("\n".join(json.dumps(r) for r in rows), encoding="utf-8")
    (folder / "valid.json").write_text("\n".join(json.dumps(r) for r in rows), encoding="utf-8")
    return folder


def test_a_run_asks_tasks_wherever_it_is_evaluated_and_the_command_asks_the_same(
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The model in training, sharded, and the one read from its last checkpoint."""
    folder = write_questions(tmp_path / "tasks")
    model = replace(config.model, max_position_embeddings=512)
    asked = replace(config.eval, tasks=str(folder), every=6, rows=2)
    train(replace(config, eval=asked, model=model))
    lines = (Path(config.out) / "metrics.jsonl").read_text().splitlines()
    found = {r["step"]: r["tasks"] for r in map(json.loads, lines) if "tasks" in r}
    assert list(found) == [0, 6, 12]
    capsys.readouterr()
    said = tmp_path / "said.jsonl"
    command = ["evaluate", config.out, "--tasks", folder, "--answers", said, "--rows", 3]
    assert run_trainer(monkeypatch, *command, "--json") == 0
    rows = json.loads(capsys.readouterr().out)["tasks"]
    scored = {f"{r['task']}, {r['how']}": round(r["score"], 4) for r in rows}
    assert scored == found[12] and len(said.read_text().splitlines()) == 7
    assert run_trainer(monkeypatch, *command, "--how", "generation", "--shots", 1) == 0
    out = capsys.readouterr().out
    assert "JCommonsenseQA" in out and "swallow-evaluation gives 4 examples" in out
    for wrong in (["--how", "guess"], ["--shots", 99], ["--rows", 0]):
        assert run_trainer(monkeypatch, *command, *wrong) == 2


@pytest.mark.slow
def test_two_processes_score_as_one_sharded_and_whole(config: Config, tmp_path: Path) -> None:
    folder = write_questions(tmp_path / "tasks")
    model = replace(config.model, max_position_embeddings=512)
    asked = replace(config.eval, tasks=str(folder), every=0, rows=2, micro_rows=2)
    found = []
    for n in (1, 2):
        mine = replace(config, eval=asked, model=model, out=str(tmp_path / f"run{n}"))
        assert launch(mine, n, tmp_path).returncode == 0
        lines = (Path(mine.out) / "metrics.jsonl").read_text().splitlines()
        found.append([r["tasks"] for r in map(json.loads, lines) if "tasks" in r])
        command = ["-m", "trainer", "evaluate", mine.out, "--tasks", folder, "--json"]
        rows = json.loads(torchrun(n, *command).stdout)["tasks"]
        found[-1].append({f"{r['task']}, {r['how']}": round(r["score"], 4) for r in rows})
    assert found[0] == found[1] and len(found[0]) == 3
