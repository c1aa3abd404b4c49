"""URL lists: what an entry matches, which entry wins, where lists come from, and that the table of
hashes decides as a plain Python reading of the same rules."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.dedup.signatures.hashes import murmur128 as murmur128_of_code_points
from filters.urls.forms import Pattern, host, percent, split
from filters.urls.rules import SWALLOW_CATEGORIES, SWALLOW_HOSTS, Rules, Source, UrlListError, load
from filters.urls.table import murmur128


def rules(*block: str, allow: tuple[str, ...] = ()) -> Rules:
    return load([Source(entries=block), Source(entries=allow, allow=True)])


def entry(loaded: Rules, url: str) -> str | None:
    """The blocking entry by both ways, which must agree."""
    match = loaded.category(url)
    batch = loaded.classify(pa.array([url])).to_pylist()
    assert batch == [match.category if match else None]
    return match.entry if match else None


def ut1(folder: Path, **categories: tuple[str, str]) -> Path:
    for name, (domains, urls) in categories.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "domains").write_text(domains, encoding="utf-8")
        if urls:
            (folder / name / "urls").write_text(urls, encoding="utf-8")
    return folder


def test_an_entry_matches_the_host_and_those_below_it_but_no_other_with_the_same_end() -> None:
    r = rules("example.jp")
    for url in ("http://example.jp", "https://www.example.jp/a?b#c", "http://a.b.example.jp:8080/"):
        assert entry(r, url) == "example.jp"
    for url in (
        "http://myexample.jp/",
        "http://example.jp.evil.com/",
        "http://jp/",
        "http://ample.jp",
    ):
        assert entry(r, url) is None


def test_exact_entry_matches_this_host_alone() -> None:
    r = rules("=example.jp")
    assert entry(r, "http://example.jp/x") == "=example.jp"
    assert entry(r, "http://www.example.jp/x") is None


@pytest.mark.parametrize(
    "form",
    [
        "*.example.jp",
        ".example.jp",
        "EXAMPLE.jp.",
        "0.0.0.0 example.jp",
        "example.jp  # why",
        "http://example.jp/",
        "example.jp:80",
    ],
)
def test_forms_of_host_entries_found_in_public_lists(form: str) -> None:
    assert entry(rules(form), "https://www.example.jp/") == "example.jp"


def test_path_entries_end_at_a_part_of_the_path() -> None:
    r = rules("example.jp/~taro/diary/")
    for url in (
        "http://example.jp/~taro/diary",
        "http://www.example.jp/~taro/diary/1.html",
        "http://example.jp/%7Etaro/diary?p=1",
        "http://example.jp:80/~taro/diary#x",
    ):
        assert entry(r, url) == "example.jp/~taro/diary"
    for url in ("http://example.jp/~taro/diary2", "http://example.jp/~taro/", "http://example.jp"):
        assert entry(r, url) is None


def test_path_patterns_with_star_and_end() -> None:
    r = rules("example.jp/*/print$", "example.jp/tag/*.html")
    assert entry(r, "http://example.jp/a/print") == "example.jp/*/print$"
    assert entry(r, "http://www.example.jp/tag/x/1.html?y") == "example.jp/tag/*.html"
    assert entry(r, "http://example.jp/a/print/") is None
    assert entry(r, "http://example.jp/") is None


def test_japanese_hosts_in_unicode_and_punycode_are_one() -> None:
    for listed in ("日本語.jp", "xn--wgv71a119e.jp", "XN--WGV71A119E.JP"):
        r = rules(listed)
        for url in (
            "http://日本語.jp/",
            "http://www.日本語。ＪＰ/",
            "http://xn--wgv71a119e.jp/",
            "http://%E6%97%A5%E6%9C%AC%E8%AA%9E.jp/",
        ):
            assert entry(r, url) == "xn--wgv71a119e.jp"


def test_japanese_paths_raw_and_percent_encoded_are_one() -> None:
    for listed in ("example.jp/検索/地図", "example.jp/%e6%a4%9c%e7%b4%a2/%E5%9C%B0%E5%9B%B3"):
        r = rules(listed)
        for url in ("http://example.jp/検索/地図/1", "http://example.jp/%E6%A4%9C%e7%b4%a2/地図"):
            assert entry(r, url) == "example.jp/%E6%A4%9C%E7%B4%A2/%E5%9C%B0%E5%9B%B3"
    # Shift_JIS bytes stay what they are: 検 and 索 in another encoding are other addresses
    r = rules("example.jp/%8c%9f")
    assert entry(r, "http://example.jp/%8C%9F") and not entry(r, "http://example.jp/%8C%A0")


def test_the_more_specific_entry_wins_and_at_equal_length_the_allow_list() -> None:
    r = rules(
        "example.jp",
        "ok.jp",
        "deep.ok2.jp/bad",
        allow=("good.example.jp", "example.jp/docs", "ok.jp", "ok2.jp"),
    )
    assert entry(r, "http://www.example.jp/") == "example.jp"
    assert entry(r, "http://good.example.jp/") is None
    assert entry(r, "http://example.jp/docs/a") is None
    assert entry(r, "http://ok.jp/") is None
    assert entry(r, "http://deep.ok2.jp/bad") == "deep.ok2.jp/bad"
    blocked_below = rules("bad.good.jp", "good.jp/*.exe$", allow=("good.jp", "good.jp/x.exe"))
    assert entry(blocked_below, "http://bad.good.jp/") == "bad.good.jp"
    assert entry(blocked_below, "http://good.jp/yy.exe") == "good.jp/*.exe$"
    assert entry(blocked_below, "http://good.jp/x.exe") is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "http:///x",
        "http://[::1",
        "http://a..b/",
        "http://.example.jp/",
        "\0",
        "http://\ud800.jp/",
        "http://" + "a." * 100_000 + "jp/",
        "http://example.jp" + "/x" * 300_000,
        "http://" + "あ" * 5000,
        "javascript:alert(1)",
        "http://xn--\u3042.jp/",
        "http://xn--zzzzzz.jp/",
        "http://a b/",
        "%%%%%",
        "http://ﷺ" * 20,
        "http://user:p@ss@exa\tmple.jp/",
    ],
)
def test_hostile_urls_neither_crash_nor_match(url: str) -> None:
    r = rules("example.org", "example.jp/x/x/y", "*.jp/*a*a*a$")
    assert r.category(url) is None


def test_authority_with_user_port_case_and_backslash() -> None:
    r = rules("example.jp/a")
    for url in (
        "HTTPS://User:Pass@Example.JP:0443/a",
        r"http:\\example.jp\a".replace("\\a", "/a"),
        "example.jp/a",
        "//example.jp/a",
        "  http://example.jp./a\n",
    ):
        assert entry(r, url) == "example.jp/a"


def test_ut1_folder_with_categories_in_order_of_priority(tmp_path: Path) -> None:
    folder = ut1(
        tmp_path / "bl",
        adult=("a.jp\nboth.jp\n", "b.jp/x\n"),
        blog=("blog.jp\n", ""),
        games=("both.jp\ng.jp\r\n", ""),
    )
    urls = pa.array(
        ["http://a.jp", "http://b.jp/x/", "http://both.jp", None, "http://blog.jp", "x"]
    )
    chosen = load([Source(folder, ("games", "adult"))])
    assert chosen.classify(urls).to_pylist() == ["adult", "adult", "games", None, None, None]
    everything = load([Source(folder)])
    assert everything.classify(urls).to_pylist() == ["adult", "adult", "adult", None, "blog", None]
    match = everything.category("http://www.g.jp/")
    assert match and (match.source, match.entry, match.category) == ("bl", "g.jp", "games")


def test_ut1_archives_compressed_files_and_links(tmp_path: Path) -> None:
    folder = ut1(tmp_path / "bl", publicite=("ad.jp\n", ""))
    (folder / "dating").mkdir()
    (folder / "dating" / "domains.gz").write_bytes(gzip.compress(b"date.jp\n"))
    assert load([Source(folder)]).category("http://date.jp") is not None
    archive = tmp_path / "blacklists.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, body in (("adult/domains", b"adult.jp\n"), ("adult/urls", b"x.jp/y\n")):
            info = tarfile.TarInfo("blacklists/" + name)
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
        link = tarfile.TarInfo("blacklists/porn")
        link.type, link.linkname = tarfile.SYMTYPE, "adult"
        tar.addfile(link)
    r = load([Source(archive, ("porn",))], cache=tmp_path / "cache")
    assert r.classify(pa.array(["http://adult.jp", "http://x.jp/y"])).to_pylist() == ["porn"] * 2


def test_plain_file_is_one_category_named_after_it(tmp_path: Path) -> None:
    (tmp_path / "まとめ.txt.gz").write_bytes(gzip.compress("# 集\n\nmatome.jp\n".encode()))
    match = load([Source(tmp_path / "まとめ.txt.gz")]).category("http://matome.jp/")
    assert match and match.category == "まとめ"
    (tmp_path / "mine.txt").write_bytes(b"bad.jp\nnot an entry\n\xff\xfe\n")
    r = load([Source(tmp_path / "mine.txt", ("custom",))])
    assert r.category("http://bad.jp").category == "custom"  # type: ignore[union-attr]
    assert r.skipped >= 1


def test_errors_are_one_line(tmp_path: Path) -> None:
    folder = ut1(tmp_path / "bl", gambling=("a.jp\n", ""))
    (tmp_path / "empty").mkdir()
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"a.jp\n" * 99)[:20])
    for source, said in (
        (Source(tmp_path / "absent"), "no such file or folder"),
        (Source(folder, ("gambing",)), "did you mean gambling?"),
        (Source(folder, ("xyz",)), "there are gambling"),
        (Source(tmp_path / "empty"), "no CATEGORY/domains"),
        (Source(tmp_path / "cut.gz"), "cut.gz"),
    ):
        with pytest.raises(ValueError, match=said.replace("?", r"\?")) as error:
            load([source])
        assert isinstance(error.value, UrlListError) and "\n" not in str(error.value)


def test_cache_is_keyed_by_content_and_a_damaged_one_is_built_anew(tmp_path: Path) -> None:
    folder, cache = ut1(tmp_path / "bl", adult=("a.jp\n", "b.jp/x\nc.jp/*z\n")), tmp_path / "cache"
    urls = pa.array(["http://a.jp", "http://b.jp/x", "http://c.jp/1z", "http://d.jp"])
    first = load([Source(folder)], cache)
    second = load([Source(folder)], cache)
    assert not second.table.low.flags.owndata and len(second) == len(first)
    assert second.classify(urls).to_pylist() == ["adult", "adult", "adult", None]
    (kept,) = cache.iterdir()
    for name, damage in (("low.npy", b""), ("high.npy", b"\x93NUMPY"), ("rules.json", b"[]")):
        (kept / name).write_bytes(damage)
        assert load([Source(folder)], cache).classify(urls).equals(first.classify(urls))
        assert (kept / name).read_bytes() != damage
    assert load([Source(folder)], cache).classify(urls).equals(first.classify(urls))
    (folder / "adult" / "domains").write_text("d.jp\n")
    assert load([Source(folder)], cache).classify(urls).to_pylist() == [
        None,
        "adult",
        "adult",
        "adult",
    ]
    assert len(list(cache.iterdir())) == 2


def test_swallow_preset_blocks_what_ngurl_blocks(tmp_path: Path) -> None:
    folder = ut1(
        tmp_path / "bl", blog=("blog.jp\n", ""), **dict.fromkeys(SWALLOW_CATEGORIES, ("", ""))
    )
    (folder / "gambling" / "domains").write_text("pachinko.jp\n")
    r = load([Source(folder, SWALLOW_CATEGORIES), Source(entries=SWALLOW_HOSTS)])
    urls = [
        "http://pachinko.jp",
        "http://hayabusa.5ch.net/test",
        "http://ja.wikipedia.org/wiki/稲",
        "http://blog.jp",
    ]
    assert r.classify(pa.array(urls)).to_pylist() == ["gambling", "custom", "custom", None]


def test_arrow_forms_sliced_large_empty_and_null() -> None:
    r = rules("a.jp")
    urls = pa.array(["http://b.jp", "http://a.jp", None, "", "http://A.jp/"])
    expected = [None, "custom", None, None, "custom"]
    assert r.classify(urls).to_pylist() == expected
    assert r.classify(urls.slice(1, 3)).to_pylist() == expected[1:4]
    assert r.classify(urls.cast(pa.large_string()).slice(4)).to_pylist() == ["custom"]
    assert r.classify(pa.array([], pa.string())).to_pylist() == []
    assert rules().classify(urls).to_pylist() == [None] * 5


@given(st.binary(max_size=70), st.binary(max_size=5))
def test_murmur128_equals_the_verified_kernel_of_dedup(body: bytes, before: bytes) -> None:
    body = body[: len(body) // 4 * 4]  # that one hashes whole code points
    data = np.frombuffer(before + body, dtype=np.uint8)
    points = np.frombuffer(body, dtype="<u4")
    assert murmur128(data, len(before), len(data)) == murmur128_of_code_points(points, len(points))


LABEL = st.sampled_from(["a", "b", "日本", "xn--wgv71a", "www", "jp", "co"])
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
PATH = st.lists(
    st.sampled_from(["x", "y", "検", "%e6%a4%9c", "%E6%A4%9C", "~t", "%7Et", ""]), max_size=3
)
URL = st.tuples(HOST, PATH).map(lambda p: p[0] + "".join("/" + part for part in p[1]))
LISTED = st.lists(st.tuples(st.booleans(), st.booleans(), URL), max_size=8)


def plain_decision(listed: list[tuple[bool, bool, str]], url: str) -> bool:
    """Whether the URL is blocked, by a loop over the entries as the module's docstring says."""
    name, path = host(url.partition("/")[0]), percent(("/" + url.partition("/")[2]).encode())
    best = (0, 0, False, False)
    for allow, exact, text in listed:
        listed_name = host(text.partition("/")[0])
        listed_path = percent(text[len(text.partition("/")[0]) :].encode()).rstrip(b"/")
        exact = exact and not listed_path
        if name != listed_name and (exact or not name.endswith("." + listed_name)):
            continue
        if listed_path and not (path + b"/").startswith(listed_path + b"/"):
            continue
        best = max(best, (len(listed_name), max(len(listed_path), exact), allow, True))
    return best[3] and not best[2]


@given(LISTED, st.lists(URL, min_size=1, max_size=5))
def test_the_table_decides_as_a_loop_over_the_entries(
    listed: list[tuple[bool, bool, str]], urls: list[str]
) -> None:
    sources = [
        Source(entries=(("=" if exact else "") + text,), allow=allow)
        for allow, exact, text in listed
    ]
    r = load(sources)
    got = r.classify(pa.array(["http://" + url for url in urls])).to_pylist()
    assert [name is not None for name in got] == [plain_decision(listed, url) for url in urls]
    assert [r.category("https://" + url) is not None for url in urls] == [
        n is not None for n in got
    ]


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_as_entry_and_as_url(listed: str, url: str) -> None:
    r = rules(listed, "example.jp/a")
    for form in (
        url,
        "http://" + url,
        "http://example.jp/" + url,
        "http://" + url + ".example.jp/a",
    ):
        match = r.category(form)
        valid = form.encode("utf-8", "replace").decode()
        batch = r.classify(pa.array([valid])).to_pylist()[0]
        assert batch == (match.category if match else None)


@given(st.text(max_size=40), st.binary(max_size=40))
def test_normal_forms_are_fixed_points_in_ascii(text: str, path: bytes) -> None:
    assert host(host(text)) == host(text) and host(text).isascii()
    assert percent(percent(path)) == percent(path) and percent(path).isascii()
    parts = split("http://" + text)
    assert parts is None or split(parts.origin + parts.path.decode()) == parts


@given(st.text("ab/*$", max_size=8), st.text("ab/", max_size=10))
def test_pattern_equals_a_regular_expression(pattern: str, path: str) -> None:
    import re

    body = pattern.removesuffix("$")
    regex = ".*".join(map(re.escape, body.split("*"))) + (r"\Z" if body != pattern else "")
    assert Pattern(pattern.encode()).matches(path.encode()) == bool(re.match(regex, path))
