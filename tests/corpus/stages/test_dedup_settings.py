"""Every setting of [dedup] through `corpus build`: kinds, masks, policies, weights."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from build_folders import rows

DOCUMENTS = "tests/data/documents.jsonl.gz"


def texts(repo: Path) -> list[str]:
    """Real texts of 400 characters and more, all different."""
    with gzip.open(repo / DOCUMENTS, "rt", encoding="utf-8") as lines:
        found = [json.loads(line)["text"] for line in lines]
    long = [text.replace("\n", " ")[:1500] for text in found if len(text) >= 400]
    return list(dict.fromkeys(long))[:12]


NOTICE = "編集部が選んだ今週の三本は、どれも長く読まれている記事です。"
PASSAGE = "この部分はいくつもの記事に引用された一節であり、どの記事でもまったく同じである。" * 3


@pytest.fixture(scope="module")
def build(run_corpus, repo: Path, tmp_path_factory: pytest.TempPathFactory):
    """Build JSON lines {url, text, …} with `--set` flags; returns the folder."""

    def run(documents: list[dict], *sets: str) -> Path:
        folder = tmp_path_factory.mktemp("build")
        lines = [json.dumps(each, ensure_ascii=False) for each in documents]
        (folder / "in.jsonl").write_text("\n".join(lines) + "\n")
        every = ("harvest.site_boilerplate=false", *sets)
        flags = [flag for each in every for flag in ("--set", each)]
        run_corpus("build", folder / "in.jsonl", "--out", folder / "o", "--profile", "none",
                   "-q", *flags)  # fmt: skip
        return folder / "o"

    return run


def page(n: int, text: str, host: str = "a.example.jp", **more: str) -> dict:
    return {"url": f"https://{host}/{n}", "text": text, **more}


def test_paragraphs_frequent_on_a_host_are_cut_and_counts_are_stored(
    build, run_corpus, repo: Path
) -> None:
    body = texts(repo)
    pages = [
        page(n, f"{body[n]}\nこの観測は2024年{n + 1}月{n + 3}日に行われた。\n{NOTICE}")
        for n in range(5)
    ]
    pages.append(page(5, f"{body[5]}\n{NOTICE}", "b.example.jp"))
    pages.append(page(6, NOTICE))
    out = build(pages, "dedup.paragraph=host", "dedup.paragraph_least=4", "dedup.mode=exact")
    found = {row["url"][-1]: row for row in rows(out / "corpus")}
    assert set(found) == set("012345")  # of page 6 nothing is left
    for n in range(5):
        text = found[str(n)]["text"]
        assert NOTICE not in text and "この観測は" not in text
        assert found[str(n)]["n_chars"] == len(text)
        assert found[str(n)]["n_bytes"] == len(text.encode())
    assert NOTICE in found["5"]["text"]  # it is rare on its host
    counts = rows(out / "paragraphs")
    assert counts[0]["exact_host"] == [1, 1, 6] and counts[0]["near_host"] == [1, 5, 6]
    assert counts[0]["exact_corpus"] == [1, 1, 7]
    ledger = [row for row in rows(out / "ledger") if row["stage"] == "trim"]
    assert [row["action"] for row in ledger] == ["alter"] * 5 + ["drop"]
    assert ledger[0]["value"] == 2 and "4 or more documents of its host" in ledger[0]["detail"]
    funnel = json.loads((out / "funnel.json").read_text())["trim"]
    assert funnel == {"in": 7, "out": 6, "dropped": {"paragraph": 1}, "altered": {"cut": 5}}
    told = run_corpus("explain", out, "https://a.example.jp/0").stdout
    assert "In trim the rule paragraph changed it: 2 paragraphs" in told
    assert "trim" in run_corpus("explain", out, "https://a.example.jp/6").stdout
    assert "反復箇所の除去" in (out / "README.ja.md").read_text()


def test_paragraphs_may_weigh_instead(build, repo: Path) -> None:
    body = texts(repo)
    pages = [page(n, f"{body[n]}\n{NOTICE}", f"{n}.example.jp") for n in range(4)]
    pages.append(page(4, body[4]))
    out = build(pages, "dedup.paragraph=corpus", "dedup.paragraph_least=3",
                "dedup.paragraph_match=exact", "dedup.paragraph_rule=weight")  # fmt: skip
    found = rows(out / "corpus", "text", "weight")
    for row in found[:4]:
        size, rest = len(NOTICE), len(row["text"]) - 1 - len(NOTICE)
        assert row["weight"] == pytest.approx((rest + size / 4) / (rest + size))
        assert NOTICE in row["text"]
    assert found[4]["weight"] == 1.0


def test_long_passages_that_an_earlier_document_has_are_cut(build, repo: Path) -> None:
    body = texts(repo)
    pages = [page(n, f"{body[n][:300]}{PASSAGE}{body[n][300:]}") for n in range(3)]
    out = build(pages, "dedup.substring=60", "dedup.mode=none")
    found = [row["text"] for row in rows(out / "corpus", "text")]
    assert PASSAGE in found[0]
    assert all(PASSAGE[10:70] not in text for text in found[1:])
    noted = [row for row in rows(out / "ledger") if row["rule"] == "substring"]
    assert len(noted) == 2 and noted[0]["value"] >= len(PASSAGE) - 4


def test_weights_follow_fineweb2s_table(build, repo: Path) -> None:
    body = texts(repo)
    copies = {0: 1, 1: 2, 2: 3, 3: 6}
    pages = [page(10 * n + k, body[n]) for n, number in copies.items() for k in range(number)]
    out = build(pages, "dedup.rehydrate=fineweb2")
    found = rows(out / "corpus", "cluster_size", "weight")
    assert {row["cluster_size"]: row["weight"] for row in found} == {1: 1, 2: 2, 3: 3, 6: 5}
    own = build(pages, "dedup.rehydrate=1:1,3:7", "dedup.mode=exact")
    found = rows(own / "corpus", "cluster_size", "weight")
    assert {row["cluster_size"]: row["weight"] for row in found} == {1: 1, 2: 1, 3: 7, 6: 7}


def calendar(n: int) -> str:
    """Short pages that differ in date and price alone, but in all their sentences."""
    return "。".join(f"令和{n}年{n + 2}月{k + n}日の特売品{k}番は{n}98{k}円です" for k in range(9))


@pytest.mark.parametrize(
    ("sets", "kept"),
    [
        ((), 2),
        (("dedup.mask_digits=true",), 1),
        (("dedup.mask_dates=true", "dedup.mask_prices=true"), 1),
    ],
)
def test_numbers_can_be_masked(build, sets: tuple[str, ...], kept: int) -> None:
    out = build([page(1, calendar(1)), page(2, calendar(6))], *sets)
    assert len(rows(out / "corpus", "id")) == kept


def test_words_may_be_the_shingles(build, repo: Path) -> None:
    body = texts(repo)
    pages = [page(0, body[0]), page(1, body[0] + "以上です。"), page(2, body[1])]
    out = build(pages, "dedup.shingle=word", "dedup.ngram=3")
    found = {row["url"][-1]: row for row in rows(out / "corpus", "url", "cluster_size")}
    assert {key: row["cluster_size"] for key, row in found.items()} == {"1": 2, "2": 1}


@pytest.mark.parametrize(
    ("sets", "kept"),
    [
        (("dedup.keep=first",), {"0"}),
        (("dedup.keep=longest",), {"2"}),
        (("dedup.keep=newest",), {"1"}),
        (("dedup.keep=best", "dedup.keep_order=order"), {"0"}),
        (("dedup.keep=first", "dedup.keep_n=2"), {"0", "1"}),
    ],
)
def test_the_policy_says_which_copy_stays(
    build, run_corpus, repo: Path, sets: tuple[str, ...], kept: set[str]
) -> None:
    text = texts(repo)[0]
    pages = [
        page(0, text + "以上。", date="2020-01-01"),
        page(1, text + "終わり。", date="2024-01-01"),
        page(2, text + "以上で終わりです。", date="2021-01-01"),
        page(3, text, date="2019-01-01"),
    ]
    out = build(pages, *sets)
    assert {row["url"][-1] for row in rows(out / "corpus", "url")} == kept
    noted = [row for row in rows(out / "ledger") if row["stage"] == "dedup"]
    assert len(noted) == 4 - len(kept) and "kept by: " in noted[0]["detail"]


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("dedup.rehydrate=fineweb", "1:1,2:2,100:8"),
        ("dedup.paragraph=page", "none, host, corpus"),
        ("dedup.substring=5", "at least 20"),
        ("decontaminate.threshold=2", "must be at most 1"),
    ],
)
def test_slips_are_one_line(run_corpus, tmp_path: Path, flag: str, words: str) -> None:
    result = run_corpus("build", DOCUMENTS, "--out", tmp_path / "o", "--set", flag, check=False)
    assert result.returncode == 2 and words in result.stderr and result.stderr.count("\n") == 1
