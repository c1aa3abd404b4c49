"""Takedown registers: a chain that shows every change, obeyed by every build that names it."""

from __future__ import annotations

import gzip
import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from build_folders import rows, tree

from corpus import register
from corpus.dedup.named import of_text
from corpus.errors import RunError, UsageError
from corpus.folder.removals import AddressPattern, Matcher, Removal
from corpus.index import Index
from corpus.register import Request

INPUT = "tests/data/documents.jsonl.gz"
FLAGS = ("--profile", "none", "-q")


@pytest.fixture(scope="module")
def clean(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("clean") / "corpus"
    run_corpus("build", INPUT, "--out", out, *FLAGS)
    return out


@pytest.fixture
def build(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "corpus"))


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A register of five entries."""
    path = tmp_path / "register.jsonl"
    for number in range(5):
        removal = Removal.of("url", f"https://example.jp/{number}", f"理由 {number}")
        register.append(path, [Request(removal, f"https://example.jp/{number}", f"T-{number}")])
    return path


# the chain ----------------------------------------------------------------------------------------


def test_any_changed_dropped_or_reordered_entry_is_found(chain: Path) -> None:
    assert register.verify(chain)["whole"]
    lines = chain.read_text("utf-8").splitlines()
    head = register.head_of(register.read(chain))

    def broken(changed: list[str]) -> bool:
        chain.write_text("".join(line + "\n" for line in changed), "utf-8")
        return not register.verify(chain)["whole"]

    for place in range(5):
        if place < 4:  # what is cut off at the end needs a known head: see below
            assert broken(lines[:place] + lines[place + 1 :])
        for other in range(place):
            swapped = list(lines)
            swapped[place], swapped[other] = swapped[other], swapped[place]
            assert broken(swapped)
        entry = json.loads(lines[place])
        for name in entry:
            changed = {**entry, name: {"value": "x"} if name == "private" else "x"}
            assert broken([*lines[:place], json.dumps(changed), *lines[place + 1 :]]), name
        if place:  # a private part that is left out is an export, anything else that is missing not
            less = {k: v for k, v in entry.items() if k != "sealed"}
            assert broken([*lines[:place], json.dumps(less), *lines[place + 1 :]])
        assert broken([*lines[: place + 1], *lines[place:]])  # twice
    assert not broken(lines[:4]) and not register.verify(chain, head)["whole"]
    assert not broken(lines) and register.verify(chain, head)["whole"]
    assert broken([*lines, "["]) and broken([*lines, "[1]"]) and broken(["[" * 100_000])


def test_an_export_says_no_name_and_stays_a_chain(chain: Path, tmp_path: Path) -> None:
    out = tmp_path / "public.jsonl"
    assert register.export(chain, out) == 5
    said = out.read_text("utf-8")
    assert "example" not in said and "理由" not in said and "T-1" not in said
    assert register.verify(out)["whole"]
    assert register.head_of(register.read(out)) == register.head_of(register.read(chain))
    names = [(r.kind, r.sha256) for r in register.removals_of(out)]
    assert names == [(r.kind, r.sha256) for r in register.removals_of(chain)]


def test_signatures_are_of_the_operator_alone(run_corpus, tmp_path: Path) -> None:
    keys = {}
    for name in ("ours", "theirs"):
        keys[name], public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub"
        made = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", keys[name]]
        subprocess.run(made, check=True, capture_output=True)
        subprocess.run(
            ["openssl", "pkey", "-in", keys[name], "-pubout", "-out", public], check=True
        )
    file = tmp_path / "register.jsonl"
    run_corpus("register", "add", file, "--host", "example.jp", "--key", keys["ours"])
    args = ("register", "verify", file, "--public-key")
    assert "whole" in run_corpus(*args, tmp_path / "ours.pub").stdout
    assert (
        "not signed by this key" in run_corpus(*args, tmp_path / "theirs.pub", check=False).stdout
    )
    run_corpus("register", "add", file, "--host", "example.com")  # without the key
    assert "entry 2 is not signed" in run_corpus(*args, tmp_path / "ours.pub", check=False).stdout
    wrong = run_corpus("register", "add", file, "--host", "a.jp", "--key", INPUT, check=False)
    assert wrong.returncode == 2 and "cannot read the key" in wrong.stderr


# what is named ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "url", "fits"),
    [
        ("example.jp/news/", "https://www.example.jp/news/1?x=2", True),
        ("example.jp/news/", "http://example.jp/newsletter", False),
        ("example.jp/news/", "http://a.example.jp/news/1", False),
        ("*.example.jp/news/", "http://a.example.jp/news/1", True),
        ("*.example.jp/", "http://notexample.jp/", False),
        ("https://example.jp/*.html$", "https://example.jp/a/b.html", True),
        ("example.jp/*.html$", "https://example.jp/a/b.html?c", False),
        ("example.jp/記事/", "https://example.jp/%E8%A8%98%E4%BA%8B/1", True),
        ("example.jp", "https://example.jp/", True),
    ],
)
def test_patterns_name_addresses(pattern: str, url: str, fits: bool) -> None:
    import pyarrow as pa

    host = url.split("/")[2]
    table = pa.table({"id": ["x"], "url": [url], "host": [host]})
    found = Matcher([Removal.of("pattern", pattern)]).match(table)
    assert (found[0] == 0) == fits


def test_a_pattern_cannot_name_every_host_nor_be_slow() -> None:
    for wrong in ("*", "*/x", "*.*/x", "/x", "", "a\nb/", "*."):
        with pytest.raises(UsageError):
            Removal.of("pattern", wrong)
    rule = AddressPattern.of("example.jp/" + "*a" * 2000 + "$")
    assert not rule.matches("example.jp", b"/" + b"a" * 1999 + b"b" * 10_000)


def test_texts_and_their_near_copies_go_as_if_they_had_never_been(
    run_corpus, build: Path, tmp_path: Path
) -> None:
    there = [r for r in rows(build / "corpus", "id", "url", "text") if len(r["text"]) > 1000]
    one, other = there[0], there[3]
    whole, part, file = tmp_path / "whole.txt", tmp_path / "part.txt", tmp_path / "r.jsonl"
    whole.write_text(one["text"].replace("\n", "\r\n\r\n").replace("。", " 。"), "utf-8")
    part.write_text(other["text"][30:] + "その後の一文。", "utf-8")
    args = ("--register", file, "--text", whole, "--near", part, "--who", "T-9", "--json")
    said = json.loads(run_corpus("remove", build, *args, "--dry-run").stdout)
    assert not file.exists() and len(said["removed"]) >= 2
    said = json.loads(run_corpus("remove", build, *args).stdout)
    by = {row["id"]: row["by"] for row in said["removed"]}
    assert by[one["id"]] == "text" and by[other["id"]] == "near"
    said = json.loads(run_corpus("remove", build, "--verify", "--json").stdout)
    assert said["verified"]["absent"]
    # A build that names the register from the start is the same, byte for byte.
    fresh = tmp_path / "fresh"
    run_corpus("build", INPUT, "--out", fresh, "--register", file, *FLAGS)
    assert tree(fresh) == tree(build)
    # A later build of the folder goes on obeying it, also where it does not name it.
    run_corpus("build", INPUT, "--out", build, *FLAGS)
    assert tree(fresh) == tree(build) and run_corpus("verify", build)


def test_a_register_that_was_cut_or_is_gone_stops_the_build(
    run_corpus, build: Path, tmp_path: Path
) -> None:
    file = tmp_path / "register.jsonl"
    urls = [row["url"] for row in rows(build / "corpus", "url")]
    run_corpus("remove", build, "--register", file, "--url", urls[0], "--url", urls[1], "-q")
    whole = file.read_text("utf-8")
    file.write_text(whole.splitlines()[0] + "\n", "utf-8")
    assert register.verify(file)["whole"]  # by itself it is a chain
    with pytest.raises(AssertionError, match="another or was cut"):
        run_corpus("publish", build, "-q")
    file.unlink()
    with pytest.raises(AssertionError, match="cannot be read"):
        run_corpus("publish", build, "-q")
    file.write_text(whole, "utf-8")
    run_corpus("publish", build, "-q")
    with pytest.raises(RunError, match="damaged"):
        file.write_text(whole.replace("url", "uri"), "utf-8")
        register.read(file)


def test_of_a_thousand_takedowns_none_survives_a_rebuild(run_corpus, tmp_path: Path) -> None:
    """By every kind of name; what stays is every document that was not named, and no other."""
    with gzip.open(INPUT) as lines:
        texts = [row["text"] for row in map(json.loads, lines)]
    sentences = sorted({s + "。" for t in texts for s in t.split("。") if 30 < len(s) < 200})
    documents = [
        {
            "url": f"https://site{n % 40}.example.jp/{'news' if n % 2 else 'blog'}/{n}",
            "text": f"第{n}号の記事。" + "".join(random.Random(n).sample(sentences, 5)),
        }
        for n in range(1200)
    ]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(d) + "\n" for d in documents), "utf-8")
    out, file = tmp_path / "out", tmp_path / "register.jsonl"
    flags = ("--dedup", "none", *FLAGS)  # else the next copy of what goes would be kept
    run_corpus("build", source, "--out", out, *flags)
    before = {row["url"]: row["text"] for row in rows(out / "corpus", "url", "text")}
    # 400 addresses, 10 hosts (300 documents), 10 patterns (150), and texts up to a thousand.
    urls = list(before)
    named = set(urls[:400])
    hosts = [f"site{n}.example.jp" for n in range(10)]
    patterns = [f"site{n}.example.jp/news/" for n in range(11, 31, 2)]
    named |= {u for u in urls if u.split("/")[2] in hosts}
    named |= {u for u in urls if any(u.partition("//")[2].startswith(p) for p in patterns)}
    by_text = [url for url in urls if url not in named][: 1000 - len(named)]
    requests = [Request(Removal.of("url", u)) for u in urls[:400]]
    requests += [Request(Removal.of("host", h)) for h in hosts]
    requests += [Request(Removal.of("pattern", p)) for p in patterns]
    requests += [Request(of_text("text", before[u])) for u in by_text[::2]]
    requests += [Request(of_text("near", before[u][8:])) for u in by_text[1::2]]
    named |= set(by_text)
    assert len(named) == 1000 and register.append(file, requests) == len(requests)
    for side in ((), ("--documents",)):
        run_corpus("index", out, *side, "-q")
    run_corpus("build", source, "--out", out, "--register", file, *flags)
    left = {row["url"]: row["text"] for row in rows(out / "corpus", "url", "text")}
    assert left.keys() == before.keys() - named
    said = json.loads(run_corpus("remove", out, "--verify", "--json").stdout)["verified"]
    assert said["removed"] == 1000 and said["absent"]
    everything = "\n".join(left.values())
    assert not [url for url in named if before[url][:60] in everything]
    # The index of before is not asked; the one of now finds what stays, and nothing that went.
    head = before[next(iter(named))][:40]
    assert run_corpus("find", out, head, check=False).returncode == 2
    for documents in (False, True):
        run_corpus("index", out, *(["--documents"] if documents else []), "-q")
        index = Index(out, documents)
        assert not [url for url in named if index.count(before[url][:60])]
        assert all(index.count(text[:60]) == 1 for text in left.values())


# robots.txt of today ------------------------------------------------------------------------------


def test_robots_txt_of_today_takes_out_pages_of_yesterday_after_saying_the_loss(
    run_corpus, build: Path, tmp_path: Path
) -> None:
    pages = rows(build / "documents", "id", "url", "host", "n_chars")
    host = max((p["host"] for p in pages), key=[p["host"] for p in pages].count)
    path = next(p["url"] for p in pages if p["host"] == host).partition(host)[2]
    robots = tmp_path / "robots" / host
    robots.mkdir(parents=True)
    (robots / "robots.txt").write_text(f"User-agent: GPTBot\nDisallow: {path}$\n")
    before = tree(build)
    args = ("optout", build, "--robots", tmp_path / "robots")
    said = json.loads(run_corpus(*args, "--json").stdout)
    gone = [p for p in pages if p["host"] == host and p["url"].partition(host)[2] == path]
    assert [p["id"] for p in said["pages"]] == [p["id"] for p in gone]
    assert said["refused"]["refused_characters"] == sum(p["n_chars"] for p in gone)
    assert said["hosts_silent"] == len({p["host"] for p in pages}) - 1
    assert tree(build) == before and "Nothing was changed" in run_corpus(*args).stdout
    run_corpus(*args, "--apply", "--register", tmp_path / "r.jsonl", "-q")
    assert not {p["id"] for p in gone} & {r["id"] for r in rows(build / "corpus", "id")}
    assert {r["reason"][:10] for r in rows(build / "state" / "remove" / "0000000.parquet")} == {
        "robots_txt"
    }
    assert run_corpus("optout", build, "--robots", tmp_path, check=False).returncode == 2


def test_a_copy_under_another_name_that_stays_is_named(run_corpus, tmp_path: Path) -> None:
    text = "この法律は、行政運営における公正の確保と透明性の向上を図ることを目的とする。" * 6
    twins = [{"text": text, "url": "https://laws.example.jp/1"}, {"text": text + "以上。"},
             {"text": text[::-1], "url": "https://laws.example.jp/2"}]  # fmt: skip
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in twins)
    (tmp_path / "in.jsonl").write_text(lines, "utf-8")
    robots = tmp_path / "robots" / "laws.example.jp"
    robots.mkdir(parents=True)
    (robots / "robots.txt").write_text("User-agent: GPTBot\nDisallow: /\n")
    out = tmp_path / "out"
    flags = ("--profile", "none", "-j", 1, "-q")
    run_corpus("build", tmp_path / "in.jsonl", "--out", out, *flags)
    args = ("optout", out, "--robots", tmp_path / "robots")
    facts, said = json.loads(run_corpus(*args, "--json").stdout), run_corpus(*args).stdout
    (copy,) = facts["copies"]
    (other,) = (r["id"] for r in rows(out / "documents", "id", "url") if not r["url"])
    assert copy["id"] == other and copy["of"] in {page["id"] for page in facts["pages"]}
    assert "1 copy under another name stays: remove it as well?\n" in said and other in said
    run_corpus(*args, "--apply", "-q")
    assert [row["id"] for row in rows(out / "corpus", "id")] == [other]
