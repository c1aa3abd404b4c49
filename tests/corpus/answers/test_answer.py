"""`corpus answer`: what builds have of a rights holder's list; hostile requests are harmless."""

from __future__ import annotations

import hashlib
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from build_folders import rows

from corpus.dedup.signatures.normal import normalise
from corpus.enquiry import request
from corpus.enquiry.passages import PIECE, SIGNED, pieces
from corpus.errors import UsageError
from corpus.text import views

FLAGS = ("--profile", "none", "-q")
INPUTS = ("tests/data/documents.jsonl.gz", "tests/data/sources")


@pytest.fixture(scope="module")
def clean(run_corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("answer") / "corpus"
    run_corpus("build", *INPUTS, "--out", out, *FLAGS)
    return out


def written(path: Path, **lists: list[str]) -> Path:
    """A request as TOML; JSON strings are TOML strings, but for DEL."""
    lines = [f"{key} = {json.dumps(values, ensure_ascii=False)}" for key, values in lists.items()]
    path.write_text("\n".join(lines).replace("\x7f", "\\u007f"), "utf-8")
    return path


def asked(run_corpus, builds: list[Path], tmp_path: Path, **lists: list[str]) -> dict:
    file = written(tmp_path / "request.toml", **lists)
    return json.loads(run_corpus("answer", *builds, "--request", file, "--json").stdout)


def outcomes(facts: dict) -> list[str]:
    return [item["outcome"] for item in facts["items"]]


def test_every_document_of_a_build_has_the_outcome_that_its_files_say(
    run_corpus, clean: Path, tmp_path: Path
) -> None:
    """The oracle: the shards and the ledger, read row by row."""
    published = {row["id"] for row in rows(clean / "corpus", "id")}
    documents = rows(clean / "documents", "id", "url", "text", "title")
    named = [row for row in documents if row["url"]]
    urls = list(dict.fromkeys(row["url"] for row in named))
    facts = asked(run_corpus, [clean], tmp_path, urls=[f"{url}#part" for url in urls])
    items = {item["value"].removesuffix("#part"): item for item in facts["items"]}
    for url in urls:
        ids = {row["id"] for row in named if row["url"] == url}
        told = {row["id"]: row["fate"] for row in items[url]["builds"][0]["listed"]}
        assert told.keys() == ids
        assert {name for name, fate in told.items() if fate == "present"} == ids & published
    # Excerpts: a plain search for the letters of each, in every document.
    texts = {row["id"]: request.letters(row["text"]) for row in documents}
    excerpts = [text[len(text) // 2 :][:30] for text in texts.values() if len(text) > 60]
    excerpts = list(dict.fromkeys(excerpts))
    facts = asked(run_corpus, [clean], tmp_path, excerpts=excerpts)
    for item, excerpt in zip(facts["items"], excerpts, strict=True):
        holders = {name for name, text in texts.items() if excerpt in text}
        assert item["builds"][0]["documents"] >= len(holders) > 0


def test_an_answer_has_every_kind_of_outcome(run_corpus, clean: Path, tmp_path: Path) -> None:
    build = Path(shutil.copytree(clean, tmp_path / "corpus"))
    register = tmp_path / "register.jsonl"
    there = [r for r in rows(build / "corpus", "id", "url", "text") if len(r["text"]) > 800]
    gone, kept = there[0], there[1]
    args = ("--url", gone["url"], "--register", register, "--reason", "権利者の申し出")
    run_corpus("remove", build, *args, "-q")
    article = kept["text"].replace("。", " 。\r\n")
    facts = asked(
        run_corpus, [build, clean], tmp_path,
        urls=[kept["url"], gone["url"], "https://nowhere.example.jp/", "mailto:a@example.jp"],
        hosts=[kept["url"].split("/")[2]],
        titles=["弟子の心"],
        excerpts=[article[100:200], "どこにもない文章を、ここにこうして書いておくことにする。"],
        isbn=["979-10-91414-21-0", "979-10-91414-21-1"],
        texts=[article, kept["text"][: len(kept["text"]) // 2], there[3]["text"][40:] + "追記。"],
    )  # fmt: skip
    by = {(item["kind"], item["number"]): item for item in facts["items"]}
    here = {number: item["builds"][0] for (_, number), item in by.items()}
    assert here[1]["outcome"] == "present" and here[1]["listed"][0]["shard"]
    assert here[2]["outcome"] == "taken_out"
    taken = here[2]["listed"][0]
    assert taken["by"] == "url" and taken["reason"] == "権利者の申し出"
    assert taken["entries"][0]["number"] == 1 and taken["entries"][0]["register"] == register.name
    assert outcomes(facts)[1] == "present"  # of the two builds the other one has it
    assert outcomes(facts)[2:4] == ["not_seen", "unanswerable"]
    assert here[5]["documents"] > 3 and len(here[5]["listed"]) <= 5
    assert [row["how"] for row in here[6]["listed"]] == ["title"]
    assert here[7]["outcome"] == "present" and here[8]["outcome"] == "not_seen"
    assert outcomes(facts)[9] == "unanswerable"
    assert {row["how"] for row in here[11]["listed"]} & {"text"}
    assert here[12]["listed"][0]["how"] in ("text", "near") and here[13]["outcome"] == "present"
    assert gone["text"][:40] not in json.dumps(facts, ensure_ascii=False)


def test_the_same_request_has_the_same_answer_to_the_byte(
    run_corpus, clean: Path, tmp_path: Path
) -> None:
    file = written(tmp_path / "r.toml", titles=["弟子の心"], hosts=["httpd.apache.org"])
    said = []
    for name in ("one", "two"):
        for form in ("md", "html", "json"):
            out = tmp_path / f"{name}.{form}"
            run_corpus("answer", clean, "--request", file, "--out", out)
            said.append(out.read_bytes())
    assert said[:3] == said[3:]
    facts = json.loads(said[2])
    rest = {name: value for name, value in facts.items() if name != "sha256"}
    line = json.dumps(rest, ensure_ascii=False, sort_keys=True).encode()
    assert hashlib.sha256(line).hexdigest() == facts["sha256"]
    assert facts["sha256"].encode() in said[0] and facts["request"]["sha256"].encode() in said[1]
    wrong = run_corpus("answer", clean, "--request", file, "--out", "a.pdf", check=False)
    assert wrong.returncode == 2


PLAIN = set("html head meta title style body section h1 h2 h3 p ul li table tr th td".split())  # noqa: SIM905


class Tags(HTMLParser):
    """The tags of a page, each of which ends where it must."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_hostile_requests_are_harmless(run_corpus, clean: Path, tmp_path: Path) -> None:
    bad = [
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "| a | b |\n# 題 `x` [l](u)",
        "\u202e逆さ\u0007\u0000", "(a+)+$" * 30, "{body} %s {0}", "a" * 5000, "=cmd|' /C calc'!A0",
        "../../etc/passwd", "\ufeff", "']; drop table x; --",
    ]  # fmt: skip
    bad = [text.replace("\u0000", "") for text in bad]
    lists = {name: bad for name in ("urls", "hosts", "titles", "excerpts", "isbn", "doi", "texts")}
    file = written(tmp_path / "bad.toml", reference="<b>R</b>", **lists)  # type: ignore[arg-type]
    for form in ("md", "html", "json"):
        run_corpus("answer", clean, "--request", file, "--out", tmp_path / f"a.{form}")
    tags = Tags((tmp_path / "a.html").read_text("utf-8")).tags
    assert tags <= PLAIN
    for row in (tmp_path / "a.html").read_text("utf-8").split("<tr>")[1:]:
        assert row.count("<td>") + row.count("<th>") in (3, 4)
    text = (tmp_path / "a.md").read_text("utf-8")
    assert "<script" not in text and "<img" not in text and "\u202e" not in text
    assert "\u0007" not in text and not [li for li in text.splitlines() if li.startswith("# 題")]
    facts = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert set(outcomes(facts)) <= {"not_seen", "unanswerable"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "asks about nothing"),
        ("urls = 3", "a list of texts"),
        ("urls = [[" * 50_000, "cannot read the request"),
        ('files = ["/etc/passwd"]', "no key 'files'"),
        ("reference = 1\nurls = ['a.jp']", "short texts"),
        ("excerpts = [" + "'x'," * 10_001 + "]", "at most 10,000"),
        ("\udcff", "cannot read the request"),
    ],
)
def test_what_is_no_request_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "r.toml"
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=words):
        request.read(file)


def test_numbers_of_books_are_checked() -> None:
    isbn = request._isbn
    assert isbn("ISBN 4-00-310101-4")[0] == isbn("978-4-00-310101-8")[0] == "9784003101018"
    assert isbn("９７８－４－００－３１０１０１－８")[0] == "9784003101018"
    assert not isbn("978-4-00-310101-7")[0] and not isbn("4-00-310101-X")[0]
    assert request.ten_of("9784003101018") == "4003101014"
    assert request._doi("https://doi.org/10.1000/182")[0] == request._doi("doi:10.1000/182")[0]


def test_pieces_cover_a_text() -> None:
    text = "".join(chr(0x4E00 + n) for n in range(5000))
    parts = pieces(text)
    assert len(parts) == 40 and text.startswith(parts[0]) and text.endswith(parts[-1])
    assert all(len(part) == PIECE and part in text for part in parts)
    assert pieces("短い文") == ["短い文"]


@pytest.mark.slow
def test_a_million_addresses_are_answered(run_corpus, clean: Path, tmp_path: Path) -> None:
    known = next(row["url"] for row in rows(clean / "corpus", "url") if row["url"])
    urls = [f"https://example{n % 997}.jp/{n}" for n in range(999_999)]
    file = written(tmp_path / "r.toml", urls=[*urls, known])
    run_corpus("answer", clean, "--request", file, "--out", tmp_path / "a.md")
    text = (tmp_path / "a.md").read_text("utf-8")
    assert "999,999" in text and len(text) < 200_000 and "and 999,499 more" in text


def test_only_signed_texts_have_other_letters_for_a_reader(clean: Path) -> None:
    """By the index only they are read a second time, as a reader sees them."""
    columns = ["text", "blocks", "format"]
    files = sorted((clean / "documents").glob("*.parquet"))
    table = pa.concat_tables([pq.read_table(file, columns=columns) for file in files])
    signed = pc.match_substring_regex(table["text"], SIGNED).to_pylist()
    stored = normalise(table["text"]).to_pylist()
    seen = normalise(views.plain_of(table)).to_pylist()
    others = [a != b for a, b in zip(stored, seen, strict=True)]
    assert sum(others) > 5 and sum(signed) < len(signed)
    assert not [k for k, other in enumerate(others) if other and not signed[k]]


def test_with_an_index_texts_are_found_as_by_reading_all(
    run_corpus, clean: Path, tmp_path: Path
) -> None:
    """The oracle: the same request without an index; and a stale index is not asked."""
    build = Path(shutil.copytree(clean, tmp_path / "corpus"))
    long = [row["text"] for row in rows(build / "documents", "text") if len(row["text"]) > 300]
    excerpts = [text[len(text) // 3 :][:80] for text in long[::3]]
    excerpts += ["どこにもない文章を、ここにこうして書いておくことにする。"]
    lists = {"excerpts": excerpts, "texts": [long[0], long[1][: len(long[1]) // 2]]}
    before = asked(run_corpus, [build], tmp_path, **lists)
    run_corpus("index", build, "--documents", "-q")
    after = asked(run_corpus, [build], tmp_path, **lists)
    assert before["builds"][0].pop("texts_by") == "scan"
    assert after["builds"][0].pop("texts_by") == "index"
    assert before["items"] == after["items"] and before["outcomes"]["present"] > 5
    assert before["outcomes"]["not_seen"] == 1
    # Width and line ends do not count; a number is looked for in every text.
    line = next(text for text in long if "。" in text[50:200])[40:200]
    other = line.replace("、", "，\n").replace("。", " ｡ ")
    facts = asked(run_corpus, [build], tmp_path, excerpts=[line, other])
    assert facts["builds"][0]["texts_by"] == "index"
    found = [[row["id"] for row in item["builds"][0]["listed"]] for item in facts["items"]]
    assert found[0] and found[-1] == found[0]
    facts = asked(run_corpus, [build], tmp_path, excerpts=[line], isbn=["979-10-91414-21-0"])
    assert facts["builds"][0]["texts_by"] == "scan"
    (build / next(iter((build / "index" / "documents").glob("*.json")))).unlink()
    facts = asked(run_corpus, [build], tmp_path, excerpts=[line])
    assert facts["builds"][0]["texts_by"] == "scan" and facts["outcomes"] == {"present": 1}


def test_the_sums_of_a_build_add_up_and_its_settings_are_told(
    run_corpus, built: Path, tmp_path: Path
) -> None:
    file = written(tmp_path / "r.toml", titles=["弟子の心", " "], excerpts=["です。"])
    facts = asked(run_corpus, [built], tmp_path, titles=["弟子の心"])
    (about,) = facts["builds"]
    dropped = {stage: sum(rules.values()) for stage, rules in about["dropped"].items()}
    harvest = dropped.pop("harvest")
    assert about["records"] == about["documents"] + about["only_counted"] + harvest
    assert about["published"] == about["documents"] - sum(dropped.values()) and dropped
    assert about["obeyed"]["noai"] and not about["obeyed"]["robots_txt"]
    japanese, english = run_corpus("answer", built, "--request", file).stdout.split("\n# Response")
    assert "従うもの：noai 指定" in japanese and "学習は調べていない" in japanese
    assert "obeyed: noai" in english and "No training run was looked at" in english
    assert f"{sum(about['dropped']['dedup'].values())} left out in dedup" in english
    assert "空欄 |" in japanese and "照合できる形でない" in japanese and "blank |" in english
    assert "（入口検査） (" not in japanese


def test_a_phrase_that_is_not_obeyed_is_said_where_the_page_is_in(
    run_corpus, tmp_path: Path
) -> None:
    words = "稲の刈り取りは、晴れた日の昼に始まり、夕方までに終わった。" * 9
    foot = "<footer>無断転載を禁じます。</footer>"
    page = f"<meta charset=utf-8><title>稲刈りの日</title><p>{words}</p>{foot}"
    (tmp_path / "page.html").write_text(page, "utf-8")
    request = written(tmp_path / "r.toml", titles=["稲刈りの日"])
    obey = ("--set", "rights.drop_reserved=true", "--set", "publish.allow_empty=true")
    for name, flags in (("in", ()), ("out", obey)):
        run_corpus("build", tmp_path / "page.html", "--out", tmp_path / name, *FLAGS, *flags)
    said = run_corpus("answer", tmp_path / "in", "--request", request).stdout
    assert "除外の理由にしていない表示：無断転載を禁じる等の文言" in said
    assert "not obeyed by the settings of this build: a phrase that reserves rights" in said
    said = run_corpus("answer", tmp_path / "out", "--request", request).stdout
    assert "kept out because its use is reserved" in said and "していない表示" not in said


def test_what_an_agency_withdrew_is_said_in_both_languages(
    run_corpus, clean: Path, tmp_path: Path
) -> None:
    gone = [row for path in sorted((clean / "ledger").glob("*.parquet"))
            for row in pq.read_table(path).to_pylist() if row["rule"] == "withdrawn"]  # fmt: skip
    file = written(tmp_path / "r.toml", urls=[row["url"] for row in gone if row["url"]])
    japanese, english = run_corpus("answer", clean, "--request", file).stdout.split("\n# Response")
    assert "(配信元が記事を取り消した)" in japanese and "withdrew" not in japanese
    assert "配信元による取り消し" in japanese and "(its agency withdrew the item)" in english
