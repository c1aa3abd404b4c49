"""News: versions, corrections, embargoes and withdrawals, over all that a build reads."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from corpus.settings import InputSettings, RightsSettings, Settings
from corpus.sources import news
from corpus.sources.item import Unit
from corpus.sources.kinds import kind_of
from corpus.stages.rights import allows
from tests.corpus.sources.test_institutions import items, kinds

BEFORE = Settings(input=InputSettings(as_of="2026-05-11T12:00:00+09:00"))
AFTER = Settings(input=InputSettings(as_of="2026-06-01T00:00:00+09:00"))


@pytest.fixture(scope="module")
def sources(data: Path) -> Path:
    return data / "sources"


def test_newsml_g2_gives_stories_with_facts_and_blocks(sources: Path) -> None:
    file = sources / "news-g2.xml"
    assert kind_of(str(file)) == "news"
    first, second, budget, package = items(news, file, settings=BEFORE)
    assert second.text == (
        "# 田植え、例年より五日遅れ\n\n稲穂市の水田で十日、田植えが始まった。例年より五日遅い。\n\n"
        "### 水温が低く\n\n市農業委員会の高橋一郎会長は「水温が低かったためだ」と話す。\n\n"
        "苗を植える農家の人たち\n\n| 地区 | 面積 |\n| --- | --- |\n| 東 | 10ヘクタール |"
    )
    assert kinds(second) == {"heading", "paragraph", "caption", "table"}
    assert (second.author, second.licence) == ("稲田花子", "contract")
    assert second.date == "2026-05-10T15:30:00+09:00"
    assert second.metadata == {
        "item": "tag:inaho.example,2026:taue", "version": "2", "provider": "稲穂通信",
        "dateline": "稲穂市", "subjects": "農業", "signals": "sig:correction",
        "first_created": "2026-05-10T10:00:00+09:00", "copyright": "稲穂通信社",
        "usage": "契約先に限る",
    }  # fmt: skip
    assert first.metadata["version"] == "1"
    assert (budget.problem, budget.notice) == ("embargo", None)
    assert "2026-05-12T05:00:00+09:00" in budget.detail
    assert package.skip == "no article"
    *_, budget, _ = items(news, file, settings=AFTER)
    assert (budget.text or "").endswith(
        "# 補正予算案の全容\n\n市の補正予算案の全容が十一日、分かった。\n\n"
        "用水路の改修に三億円を充てる。"
    )


def test_newsml_1_in_shift_jis_with_lines_broken_by_hand(sources: Path) -> None:
    file = sources / "newsml1.xml"
    assert kind_of(str(file)) == "news"
    rice, prize = items(news, file, settings=BEFORE)
    assert rice.text == (
        "# ㈱稲穂、新型炊飯器を発表\n\n## 蒸気を三割減\n\n"
        "㈱稲穂は十一日、蒸気を三割減らした炊飯器を七月に発売すると発表した。\n\n"
        "価格は三万円前後で、年間①十万台の販売を目指す。\n\n▽担当　経済部"
    )
    assert rice.metadata["item"] == "urn:newsml:inaho.example:20260511:0001"
    assert rice.date == "2026-05-11T11:30:00+09:00"
    assert rice.metadata["first_created"] == "2026-05-11T11:30:00+09:00"
    assert prize.problem == "embargo"
    assert [item.problem for item in items(news, file, settings=AFTER)] == ["", ""]


def test_nitf_with_ruby_and_lists(sources: Path) -> None:
    (item,) = items(news, sources / "news.nitf")
    assert item.text == (
        "# 稲穂岳で初雪\n\n## 平年より三日早く\n\n"
        "稲穂岳で一日朝、初雪が観測された。平年より三日早い。\n\n"
        "気象台によると、山頂の気温は氷点下五度だった。\n\n- 防寒着を用意する\n- 早めに下山する"
    )
    assert item.metadata["dateline"] == "稲穂市 11月1日"
    assert item.notice == ("hatsuyuki", (1 << 40) + 2, "2026-11-01T07:30:00+09:00", "usable")


def test_feeds_give_their_full_text_and_their_licence(sources: Path, tmp_path: Path) -> None:
    water, library, gone = items(news, sources / "feed.atom")
    assert water.text == (
        "# 水道料金の改定\n\n七月から水道料金が変わります。\n\n"
        "一般の家庭では月に二百円ほど上がる見込みです。"
    )
    assert (water.url, water.licence) == ("https://inaho.example/suido", "CC-BY-4.0")
    assert library.text == "# 図書館の休館\n\n図書館は十五日に休館します。"
    assert (gone.skip, gone.notice and gone.notice[3]) == ("withdrawal notice", "canceled")
    rss = tmp_path / "feed.xml"
    rss.write_text(
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>'
        "<title>山の新聞</title><item><title>題</title><link>https://a.example/1</link>"
        "<pubDate>Mon, 11 May 2026 08:00:00 +0900</pubDate><description>短い…</description>"
        "<content:encoded><![CDATA[<p>全文はここにあります。</p>]]></content:encoded></item>"
        "</channel></rss>",
        "utf-8",
    )
    assert kind_of(str(rss)) == "news"
    (item,) = items(news, rss)
    assert item.text == "# 題\n\n全文はここにあります。"
    assert (item.licence, item.date) == ("contract", "2026-05-11T08:00:00+09:00")


def test_times_as_news_write_them() -> None:
    for words in (
        "2026-05-11T08:00:00+09:00", "20260511T080000+0900", "20260511T0800", "20260510T230000Z",
        "Mon, 11 May 2026 08:00:00 +0900",
    ):  # fmt: skip
        found = news.moment(words)
        assert found is not None
        assert found.timestamp() == 1778454000
    assert news.moment("20260511").utcoffset() == timedelta(hours=9)  # type: ignore[union-attr]
    for words in ("", "昨日", "20261399T000000", "9" * 400, "+" * 30, None):
        assert news.moment(words) is None


def g2(version: int, status: str, words: str, guid: str = "tag:a,2026:1") -> str:
    return (
        f'<newsItem xmlns="http://iptc.org/std/nar/2006-10-01/" guid="{guid}" version="{version}">'
        f"<itemMeta><versionCreated>2026-05-0{version}T00:00:00Z</versionCreated>"
        f'<pubStatus qcode="stat:{status}"/></itemMeta><contentMeta><headline>題</headline>'
        f"</contentMeta><contentSet><inlineData>{words}</inlineData></contentSet></newsItem>"
    )


OLD = "田植えが始まったと市が発表した。雨が多く水が足りている。" * 3
NEW = "発表は誤りで、稲刈りが終わったというのが正しい。天気は晴れであった。" * 3
OTHER = "鉄道の新しい駅が開業し、町の人々が祝った。多くの客が訪れている。" * 3


def test_over_the_units_of_a_build_the_newest_version_stays_and_nothing_withdrawn(
    run_corpus, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # type: ignore[no-untyped-def]
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    stories = [
        g2(1, "usable", OLD), g2(2, "usable", NEW), g2(1, "usable", OTHER, "tag:a,2026:2"),
        g2(2, "canceled", "", "tag:a,2026:2"),
        g2(1, "usable", "港に大きな船が着き、多くの荷が降ろされた。" * 3, "tag:a,2026:3"),
        g2(2, "withheld", "", "tag:a,2026:3"),
    ]  # fmt: skip
    # Each in a unit of its own: JSON lines would be cut, so are bundles of files.
    monkeypatch.setattr("corpus.sources.plan.FILES_PER_UNIT", 1)
    for k, words in enumerate(stories):
        (folder / f"{k}.xml").write_text(words, "utf-8")
    shutil.copy(sources / "feed.atom", folder)
    from corpus.build import Build
    from corpus.engine.local import LocalEngine
    from corpus.folder.folder import Folder

    Build(Folder(out), AFTER, (str(folder),), LocalEngine(1, quiet=True)).run("harvest")
    assert len(list((out / "state" / "harvest").glob("notices-*"))) == len(stories) + 1
    run_corpus("publish", out, "--profile", "none", "-q")
    rows = {row["licence"]: row for row in pq.read_table(out / "corpus").to_pylist()}
    assert json.loads(rows["contract"]["metadata"])["version"] == "2"
    assert "発表は誤りで" in rows["contract"]["text"]
    ledger = pq.read_table(out / "ledger").to_pylist()
    assert {(r["rule"], r["detail"]) for r in ledger if r["stage"] == "select"} == {
        ("old_version", "version 1; version 2 is in the input"),
        ("withdrawn", "its agency withdrew the item"),
        ("withdrawn", "withheld since version 2"),
    }
    # what is lent is never published to the public, and the card of that corpus does not name it
    assert "contract: 1" in (out / "croissant.json").read_text("utf-8")
    run_corpus("publish", out, "--licence", "public", "-q")
    (row,) = pq.read_table(out / "corpus").to_pylist()
    assert row["licence"] == "CC-BY-4.0"
    for name in ("README.md", "croissant.json"):
        words = (out / name).read_text("utf-8")
        assert "CC-BY-4.0" in words
        assert "contract" not in words, name


def test_licences_that_a_user_asks_for() -> None:
    assert allows("contract", ())
    assert not allows("contract", ("public",))
    assert allows("", ("public",))
    open_ = ("CC-BY-4.0", "CC-BY-SA-3.0", "PDM", "CC0-1.0", "PDL-1.0", "Art-13")
    assert all(allows(name, ("open",)) for name in open_)
    assert not any(allows(name, ("open",)) for name in ("", "contract", "CC-BY-NC-4.0"))
    assert allows("contract", ("open", "contract"))
    assert allows("CC-BY-NC-4.0", ("CC-BY-*",))
    assert RightsSettings(licence=("public",)).licence == ("public",)


def test_a_story_without_a_name_leaves_no_notice(tmp_path: Path) -> None:
    from corpus.stages import notices

    file = tmp_path / "a.xml"
    file.write_text(g2(1, "usable", NEW, guid=""), "utf-8")
    (item,) = news.read(Unit(0, "news", (str(file),)), AFTER)
    assert item.text
    assert notices.of_item(item) is None
