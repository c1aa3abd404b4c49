"""The explorer over HTTP: questions that strangers ask, answered by its pages and their JSON."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from explorer_client import client_of
from selectolax.lexbor import LexborHTMLParser

from corpus.errors import UsageError
from corpus.explorer import sandbox
from corpus.explorer.filter import SHOWN
from corpus.folder.layout import Layout
from corpus.folder.signals import signals_of
from filters.profile import load

BIND = "http://httpd.apache.org/docs/2.4/ja/bind.html"
VIEWS = ("/", "/search", "/clusters", "/thresholds", "/takedown", "/sql", "/search?q=%E8%A8%AD")


def first(client, query: str) -> dict:
    return client.get(f"/search.json?{query}").json()["pages"][0]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_answers_in_both_languages_and_as_json(client, view: str, language: str) -> None:
    mark = "&" if "?" in view else "?"
    html = client.get(f"{view}{mark}lang={language}")
    assert html.status_code == 200 and f'<html lang="{language}">' in html.text
    link = LexborHTMLParser(html.text).css_first(".end a")
    assert link is not None and link.text() == "JSON"
    data = client.get(link.attributes["href"])
    assert data.status_code == 200 and isinstance(data.json(), dict)


def test_is_this_page_in_and_why_not(client) -> None:
    page = first(client, f"url={quote(BIND)}&outcome=dropped")
    assert page["url"] == BIND and page["rule"] == "near" and page["outcome"] == "dropped"
    html = client.get(f"/document/{page['id']}?lang=ja").text
    assert "ほぼ重複" in html and "残した文書は" in html
    kept = client.get(f"/document/{page['kept_id']}.json").json()
    assert kept["page"]["outcome"] == "kept" and "バインド" in kept["text"]


def test_a_page_that_was_never_stored_has_its_reason(client) -> None:
    page = first(client, "rule=noai")
    facts = client.get(f"/document/{page['id']}.json").json()
    assert facts["stages"][0] == ["harvest", "stopped"] and not facts["text"]
    assert any("noai" in sentence for sentence in facts["sentences"])


def test_who_else_has_this_sentence(client, judged: Path) -> None:
    words = "Apache が使用するアドレスとポート"
    found = client.get("/search.json", params={"q": words}).json()
    texts = [
        t for p in (judged / "documents").iterdir() for t in pq.read_table(p)["text"].to_pylist()
    ]
    assert found["total"] == sum(words in text for text in texts) > 1
    assert all(words[:6] in page["snippet"] for page in found["pages"])
    assert sum(count for _, count in found["facets"]["outcome"]) == found["total"]


def test_with_an_index_a_search_finds_the_same(
    client, judged: Path, run_corpus, tmp_path: Path
) -> None:
    """And of what is removed nothing is found or shown, in an explorer that is open."""
    build = Path(shutil.copytree(judged, tmp_path / "corpus"))
    run_corpus("index", build, "--documents", "-q", "-j", 1)
    own = client_of(build)
    for asked in ({"q": "アドレス"}, {"q": "サーバ", "outcome": "kept"}, {"q": "どこにもない"}, {}):
        found = own.get("/search.json", params=asked).json()
        assert found == client.get("/search.json", params=asked).json()
    page = own.get("/search.json", params={"q": "アドレス"}).json()["pages"][0]
    told = own.get(f"/document/{page['id']}.json").json()
    assert told == client.get(f"/document/{page['id']}.json").json() and told["sentences"]
    run_corpus("remove", build, "--id", page["id"], "-q")
    after = own.get("/search.json", params={"q": page["snippet"][40:60]}).json()
    assert page["id"] not in [row["id"] for row in after["pages"]]


def test_filters_narrow_and_facets_add_up(client, judged: Path) -> None:
    every = client.get("/search.json").json()
    assert dict(every["facets"]["outcome"])["kept"] > 300
    for column, values in every["facets"].items():
        for value, count in values:
            assert client.get("/search.json", params={column: value}).json()["total"] >= count
    few = client.get("/search.json?signal=n_chars&least=20000").json()
    assert 0 < few["total"] < every["total"]
    assert all(page["n_chars"] > 15_000 for page in few["pages"])
    stored = pq.read_table(judged / "documents", columns=["quality"])["quality"].combine_chunks()
    values = stored.field("n_sentences").to_numpy()
    asked = {"signal": "n_sentences", "least": "20", "most": "30"}
    within = client.get("/search.json", params=asked).json()
    assert within["total"] == ((values >= 20) & (values <= 30)).sum() > SHOWN
    other = client.get("/search.json", params={**asked, "page": "1"}).json()
    assert other["facets"] == within["facets"] and other["total"] == within["total"]
    assert not {p["id"] for p in other["pages"]} & {p["id"] for p in within["pages"]}
    assert client.get("/search.json?signal=no_such").status_code == 400
    assert client.get("/search.json?signal=n_chars&least=x").status_code == 400


def test_what_would_web_at_another_threshold_keep(client, judged: Path, run_corpus) -> None:
    facts = client.get("/thresholds.json?profile=web&rule=judged&value=0.2").json()
    assert facts["own"] == 0.5 and facts["kept"] > facts["kept_before"] and not facts["leaves"]
    assert all(0.2 <= row["value"] < 0.5 for row in facts["enters"])
    compared = json.loads(run_corpus("compare", judged, "--profiles", "web", "--json").stdout)
    assert facts["kept_before"] == compared["kept"]["web"]["documents"]
    assert facts["documents"] == compared["documents"]
    same = client.get("/thresholds.json?profile=web&rule=judged").json()
    assert same["kept"] == same["kept_before"] and not same["enters"]
    for wrong in (
        "profile=/etc/passwd",
        "profile=web&value=x",
        "profile=x",
        "profile=web&value=nan",
    ):
        assert client.get(f"/thresholds.json?{wrong}").status_code == 400


def test_moved_thresholds_decide_as_the_profile_would(client, judged: Path) -> None:
    """Against deciding on all signals anew; samples are the documents nearest to the bound."""
    table = pq.read_table(judged / "documents")
    profile, wanted = load("web"), [rule.signal for rule in load("web").rules]
    files = range(len(list((judged / "documents").iterdir())))
    parts = [signals_of(Layout(judged), index, wanted) for index in files]
    signals = {name: pa.concat_arrays([part[name] for part in parts]) for name in wanted}
    none = pa.StructArray.from_arrays([pa.array(range(table.num_rows))], ["n"])
    before = profile.decide(none, signals).keep
    for rule, bound in (("too_short", 1500.0), ("judged", 0.9), ("keywords", 0.1)):
        moved = tuple(
            each if each.name != rule else dataclasses.replace(
                each, **{"low" if math.isfinite(each.low) else "high": bound})
            for each in profile.rules
        )  # fmt: skip
        after = dataclasses.replace(profile, rules=moved).decide(none, signals).keep
        told = client.get(f"/thresholds.json?profile=web&rule={rule}&value={bound}").json()
        assert (told["kept"], told["kept_before"]) == (after.sum(), before.sum())
        values = signals[told["signal"]].to_numpy(zero_copy_only=False).astype(float)
        gone = np.flatnonzero(before & ~after)
        nearest = sorted(gone, key=lambda i: (abs(values[i] - bound), i))[:8]
        assert len(gone) > 8
        assert [row["id"] for row in told["leaves"]] == [table["id"][i].as_py() for i in nearest]


def test_every_rule_of_the_default_profile_has_a_slider(client) -> None:
    for rule in load("web").rules:
        html = client.get(f"/thresholds?profile=web&rule={rule.name}").text
        assert LexborHTMLParser(html).css_first("input[type=range]") is not None


def test_a_page_lies_beside_what_became_of_it(client) -> None:
    page = first(client, f"url={quote(BIND)}&outcome=dropped")
    facts = client.get(f"/document/{page['id']}/raw.json").json()
    fates = dict((line, fate) for fate, line in facts["lines"])
    assert facts["there"] and facts["counts"]["kept"] > 20 < facts["counts"]["kept"]
    assert fates["Apache が使用するアドレスとポートの設定をします。"] == "kept"
    assert fates["Apache HTTP サーバ バージョン 2.4"] == "removed"


def test_duplicates_and_their_difference(client) -> None:
    clusters = client.get("/clusters.json").json()["clusters"]
    members = client.get(f"/cluster/{clusters[0]['cluster']}.json").json()["members"]
    assert len(members) == clusters[0]["size"] and members[0]["kind"] == "kept"
    page = first(client, f"url={quote(BIND)}&outcome=dropped")
    told = client.get(f"/difference.json?one={page['kept_id']}&other={page['id']}").json()
    kinds = {kind for kind, _ in told["lines"]}
    assert {"gone", "same"} <= kinds
    assert client.get("/difference?one=x&other=y").status_code == 404


def test_a_takedown_is_previewed_and_nothing_is_written(client, judged: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in judged.rglob("*") if p.is_file()}
    page = first(client, f"url={quote(BIND)}&outcome=dropped")
    facts = client.get("/takedown.json", params={"id": page["kept_id"]}).json()
    assert [row["id"] for row in facts["removed"]] == [page["kept_id"]]
    assert [row["id"] for row in facts["promoted"]] == [page["id"]]
    assert client.get("/takedown.json?id=ffff").status_code == 400
    assert {p: p.stat().st_mtime_ns for p in judged.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_a_selection_is_exported(client, kind: str) -> None:
    wanted = client.get("/search.json?host=httpd.apache.org").json()["total"]
    data = client.get(f"/export?host=httpd.apache.org&as={kind}&text=1").content
    rows = {
        "parquet": lambda: pq.read_table(io.BytesIO(data)).to_pylist(),
        "csv": lambda: data.decode().splitlines(),
        "json": lambda: json.loads(data),
    }[kind]()
    if kind == "csv":
        assert rows[0].startswith("id,url,host,title")
    else:
        assert len(rows) == wanted and all("text" in row for row in rows)


def test_sql_answers(client) -> None:
    sql = "select stage, rule, count(*) as n from ledger group by all order by n desc"
    facts = client.get("/sql.json", params={"q": sql}).json()
    assert facts["columns"] == ["stage", "rule", "n"] and facts["rows"]


# What a reader may not ----------------------------------------------------------------------------


FORBIDDEN = (
    "select * from read_text('/etc/passwd')", "select * from read_csv('/etc/passwd')",
    "select * from '/etc/passwd'", "select * from glob('/*')", "copy (select 1) to 'x.csv'",
    "copy ledger to 'x.parquet'", "attach 'x.db'", "install httpfs", "load httpfs",
    "select * from 'https://example.com/x.parquet'", "create table x as select 1",
    "drop view documents", "set memory_limit = '99GB'", "reset lock_configuration",
    "select 1; select 2", "export database 'x'", "select current_setting('temp_directory')",
    "select * from duckdb_settings()", "select sql from duckdb_views()", "pragma database_list",
    "select * from sniff_csv('/etc/passwd')", "select * from read_blob('.')",
    "call pragma_version()",
    "select getenv('HOME')", "select * from information_schema.tables", "use x", "checkpoint",
    "insert into documents values (1)", "select * from parquet_metadata('/etc/passwd')",
)  # fmt: skip


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_sql_has_no_way_out(built: Path, sql: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as error:
        sandbox.query(Layout(built), sql)
    assert not re.search(r"/root|/home|/tmp|/work", str(error.value))
    assert not list(tmp_path.iterdir())


def test_sql_that_runs_on_ends(built: Path) -> None:
    endless = "select count(*) from range(1000000000) a, range(1000000000) b where a.range % 7 = 1"
    with pytest.raises(UsageError, match=r"longer than 0\.3 seconds"):
        sandbox.query(Layout(built), endless, seconds=0.3)


def test_answers_of_sql_are_bounded(built: Path) -> None:
    names, rows, more = sandbox.query(
        Layout(built), "select repeat('x', 100000) as x from range(5000)"
    )
    assert names == ["x"] and len(rows) == sandbox.ROWS and more and len(rows[0][0]) < 2100


def test_no_path_of_the_server_is_told(client, judged: Path, repo: Path) -> None:
    secret = str(judged.parent)
    page = first(client, f"url={quote(BIND)}&outcome=dropped")
    for view in (
        *VIEWS,
        "/home.json",
        f"/document/{page['id']}",
        f"/document/{page['id']}.json",
        f"/document/{page['id']}/raw.json",
        "/search.json",
        "/sql.json?q=selec",
        "/nope",
    ):
        answer = client.get(view)
        assert secret not in answer.text and str(repo) not in answer.text, view


def test_only_reading_is_answered_and_only_on_this_machine(judged: Path) -> None:
    client = client_of(judged)
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.request(method, "/").status_code == 405
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421
    assert client.get("/", headers={"host": "localhost.evil.example"}).status_code == 421
    assert client.get("/", headers={"host": "127.0.0.1:8000"}).status_code == 200
    assert client.get("/search?q=" + "x" * 20_000).status_code == 414
    for path in ("/..%2f..%2fetc/passwd", "/document/..%2f..%2fcorpus.toml", "/document/%00"):
        assert client.get(path).status_code == 404


def test_others_need_the_token(judged: Path) -> None:
    client = client_of(judged, token="s3cret")
    assert client.get("/").status_code == 403
    assert client.get("/?token=wrong").status_code == 403
    assert client.get("/", headers={"cookie": "inaho_token=wrong"}).status_code == 403
    opened = client.get("/?token=s3cret", follow_redirects=False)
    assert opened.status_code == 303 and "HttpOnly" in opened.headers["set-cookie"]
    assert client.get("/").status_code == 200  # by the cookie


def test_language_links_lead_to_our_own_pages_only(client) -> None:
    for back in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:x"):
        answer = client.get("/language/ja", params={"back": back}, follow_redirects=False)
        assert answer.headers["location"] == "/"
    answer = client.get("/language/ja?back=/sql", follow_redirects=False)
    assert answer.headers["location"] == "/sql"
    client.cookies.clear()


# Hostile pages ------------------------------------------------------------------------------------


def assert_harmless(html: str, policy: str) -> None:
    """A page of ours: scripts by its nonce only, nothing that fetches, nothing unseen."""
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce and "default-src 'none'" in policy and "unsafe" not in policy
    tree = LexborHTMLParser(html)
    for node in tree.css("*"):
        names = {name.lower() for name in node.attributes}
        assert not any(name.startswith("on") for name in names), node.html
        assert not names & {"style", "srcset", "srcdoc", "background", "ping", "formaction"}
        for name in ("href", "src", "action"):
            value = (node.attributes.get(name) or "").strip().lower()
            assert not re.match(r"[\s\x00-\x20]*(javascript|data|vbscript|file):", value), value
            if name == "src" and value:
                assert value.startswith("/document/")
    assert all(node.attributes.get("nonce") == nonce[1] for node in tree.css("script, style"))
    assert not tree.css("img, object, embed, base, link, audio, video, applet, portal")
    assert (
        len(tree.css("main")) == 1 and len(tree.css("body")) == 1 and len(tree.css("header")) == 1
    )
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\u200f\ufeff]", html)


def test_two_hundred_hostile_pages_do_nothing(hostile: Path) -> None:
    client = client_of(hostile)
    ids = [i for p in (hostile / "documents").iterdir() for i in pq.read_table(p)["id"].to_pylist()]
    assert len(ids) > 150
    for number, name in enumerate(ids):
        answer = client.get(f"/document/{name}")
        assert answer.status_code == 200
        assert_harmless(answer.text, answer.headers["content-security-policy"])
        if number % 6:
            continue  # the raw page is read again from the input: a sixth of them here
        raw = client.get(f"/document/{name}/raw")
        assert_harmless(raw.text, raw.headers["content-security-policy"])
        frame = client.get(f"/document/{name}/frame")
        policy = frame.headers["content-security-policy"]
        assert policy.startswith("sandbox; default-src 'none'") and "script" not in policy
        tree = LexborHTMLParser(frame.text)
        assert not tree.css(
            "script, link, meta, base, iframe, object, embed, form, svg, style, img"
        )
        for node in tree.css("*"):
            assert not any(n.lower().startswith("on") for n in node.attributes), node.html
            assert "beacon" not in " ".join(filter(None, node.attributes.values()))


def test_lists_of_hostile_pages_and_searches_for_markup_do_nothing(hostile: Path) -> None:
    client = client_of(hostile)
    strings = ("", "<script>", "\"><svg onload=alert(1)>", "{{7*7}}", "'; drop table pages; --",
               "\u202e", "%", "_", "\\", "\x00", "𠮷")  # fmt: skip
    for string in strings:
        for key in ("q", "url", "host", "source"):
            answer = client.get("/search", params={key: string})
            assert answer.status_code == 200, (key, string)
            assert_harmless(answer.text, answer.headers["content-security-policy"])
            assert "49" not in answer.text or "{{7*7}}" not in string
    sql = "select title, text from documents"
    answer = client.get("/sql", params={"q": sql})
    assert_harmless(answer.text, answer.headers["content-security-policy"])
    rows = client.get("/export?as=csv").text
    assert not re.search(r"(?m)^[=+@-]|,[=+@]", rows)
