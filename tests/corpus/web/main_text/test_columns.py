"""Column i of a table of features is name i: in the kernels, in the shipped model, in the walk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from corpus.web.html import blocks as b
from corpus.web.html import tags as t
from corpus.web.html.document import Document, parse
from corpus.web.main_text import containers, features, listing
from corpus.web.main_text.extract import MODEL
from corpus.web.main_text.forest import load_forest
from filters.kernels.kernel import columns

PARAGRAPH = "稲穂は秋に実る。田の水を落とし、刈り取りを待つ。"
PAGE = f"""<html><body>
<nav class="gnav"><ul><li><a href="/">ホーム</a></li><li><a href="/b">一覧</a></li></ul></nav>
<main><article class="entry"><h1>稲の話</h1><p>{PARAGRAPH * 2}</p><p><b>{PARAGRAPH}</b></p>
<table><tr><td>刈入れ</td><td>2024年10月1日</td></tr></table></article></main>
<footer id="copyright">© 2024 稲の会</footer></body></html>"""


@pytest.mark.parametrize(
    ("forest", "names"),
    [("block", features.NAMES), ("container", containers.NAMES), ("listing", listing.NAMES)],
)
def test_name_i_is_column_i_of_the_shipped_model(forest: str, names: tuple[str, ...]) -> None:
    with np.load(MODEL, allow_pickle=False) as arrays:
        assert tuple(arrays[f"{forest}_names"].tolist()) == names
        assert arrays[f"{forest}_feature"].min() >= 0
        assert arrays[f"{forest}_feature"].max() < len(names)


def test_a_model_of_other_columns_is_refused(tmp_path: Path) -> None:
    with np.load(MODEL, allow_pickle=False) as arrays:
        swapped = dict(arrays) | {"block_names": np.array(features.NAMES[::-1])}
    np.savez(tmp_path / "other.npz", **swapped)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="other columns \\(their order\\)"):
        load_forest(tmp_path / "other.npz", "block", features.NAMES)
    with pytest.raises(ValueError, match="other columns \\(new\\)"):
        load_forest(MODEL, "container", (*containers.NAMES, "new"))


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="one name: a, a"):
        columns(["a", "a"])


def test_word_kinds_name_the_bits_of_class_words() -> None:
    assert [getattr(t, kind.upper()) for kind in t.WORD_KINDS] == [
        1 << i for i in range(len(t.WORD_KINDS))
    ]
    names = [name.upper().replace("-", "_") for name in t.NAMED]  # TABLE and PRE are properties
    tags = [vars(t).get(f"{name}_TAG", vars(t)[name]) for name in names]
    assert tags == [*range(1, len(t.NAMED) + 1)]


@pytest.fixture(scope="module")
def document() -> Document:
    return parse(PAGE)


def named(document: Document) -> list[dict[str, float]]:
    """Features of every block by name."""
    rows = features.block_features(document.blocks, document.elements)
    return [dict(zip(features.NAMES, row, strict=True)) for row in rows.tolist()]


def test_a_block_has_in_each_column_what_its_name_says(document: Document) -> None:
    texts = document.block_texts()
    blocks = dict(zip(texts, named(document), strict=True))
    n = len(texts)
    home, title, body = blocks["ホーム"], blocks["稲の話"], blocks[PARAGRAPH * 2]
    bold, cell = blocks[PARAGRAPH], blocks["2024年10月1日"]
    foot = blocks["© 2024 稲の会"]
    assert (home["link_share"], body["link_share"]) == (1, 0)
    assert (home["aside"], body["aside"], foot["aside"]) == (1, 0, 1)
    assert (home["over_nav"], body["over_nav"], body["over_content"]) == (1, 0, 1)
    assert (home["is_item"], body["is_p"], cell["is_cell"], title["is_heading"]) == (1, 1, 1, 1)
    assert (home["lists"], cell["tables"], body["lists"]) == (1, 1, 0)
    assert (body["article"], body["in_main"], body["only_article"]) == (1, 1, 1)
    assert (home["article"], home["in_main"], home["only_article"]) == (0, 0, 0)
    assert (body["stops"], body["last"], foot["copyright"]) == (4, 1, 1)
    assert (bold["bold_share"], body["bold_share"], cell["dates"]) == (1, 0, 3)
    assert body["log_weight"] == pytest.approx(np.log1p(10 * len(PARAGRAPH * 2)))
    assert body["block_place"] == pytest.approx(texts.index(PARAGRAPH * 2) / n)
    assert (title["after_h1"], home["after_h1"], body["from_h1"]) == (1, 0, 1)
    assert (body["length_at-1"], bold["length_at-1"]) == (title["log_weight"], body["log_weight"])
    assert (body["same_element_at1"], home["same_element_at1"], home["length_at-2"]) == (1, 1, -1)
    assert (body["links_within1"], home["text_within1"]) == (0, 0)
    assert (body["in90"], home["in90"], body["place70"] > 0) == (1, 0, True)
    assert body["articles"] == body["page_main"] == 1
    assert body["page_blocks"] == pytest.approx(np.log1p(n))
    assert body["own_bad"] == body["own_good"] == 0 and foot["own_bad"] == 1
    assert body["in_best"] == body["best_ratio"] == 1 and home["best_ratio"] < 1
    assert (title["section_place"], body["section_place"], bold["section_place"]) == (0, 1, 2)
    assert (home["section_link_blocks"], body["section_link_blocks"]) == (1, 0)
    assert body["section_share_after"] == 0 < home["section_share_after"]


def test_an_option_has_in_each_column_what_its_name_says(document: Document) -> None:
    blocks, elements = document.blocks, document.elements
    p = np.array([0.9 if row["in_main"] else 0.02 for row in named(document)])
    dropped = containers.waste(blocks, elements)
    chosen, thresholds, rows = containers.options(blocks, elements, p, dropped)
    for e, threshold, values in zip(chosen, thresholds, rows.tolist(), strict=True):
        option = dict(zip(containers.NAMES, values, strict=True))
        first, end = elements[e, b.E_FIRST], elements[e, b.E_END]
        weights = blocks[:, b.B_WEIGHT].astype(float)
        assert option["threshold"] == pytest.approx(threshold)
        assert option["weight"] == pytest.approx(np.log1p(weights[first:end].sum()))
        assert option["share"] == pytest.approx(weights[first:end].sum() / weights.sum())
        assert option["before"] == pytest.approx(first / len(blocks))
        assert option["depth"] == elements[e, b.E_DEPTH]
        assert option["own_content"] == bool(elements[e, b.E_FLAGS] & t.CONTENT)
        assert option["paragraph"] == (elements[e, b.E_TAG] == t.P)
        assert option["is_main"] == bool(elements[e, b.E_OWN_LANDMARK] & b.L_MAIN)
        assert option["in_main"] == bool(elements[e, b.E_LANDMARK] & b.L_MAIN)
        assert option["has_h1"] == (first <= 2 < end)
        assert option["children"] == elements[e, b.E_CHILDREN]
        assert option["kept_blocks"] == pytest.approx(
            ((p >= threshold) & ~dropped)[first:end].mean()
        )
        assert option["page_main"] == option["articles"] == 1
        assert option["first"] == pytest.approx(p[first : min(first + 3, end)].mean())


def test_the_page_has_in_each_column_what_its_name_says(document: Document) -> None:
    blocks, elements = document.blocks, document.elements
    keep = np.array([bool(row["in_main"]) for row in named(document)])
    p = np.where(keep, 0.9, 0.1)
    (values,) = listing.page_features(blocks, elements, p, keep).tolist()
    row = dict(zip(listing.NAMES, values, strict=True))
    weights, linked = blocks[:, b.B_WEIGHT].astype(float), blocks[:, b.B_LINKED]
    assert row["page_weight"] == pytest.approx(np.log1p(weights.sum()))
    assert row["page_links"] == pytest.approx(linked.sum() / weights.sum())
    assert row["share"] == pytest.approx(weights[keep].sum() / weights.sum())
    assert row["largest"] == pytest.approx(weights[keep].max() / weights[keep].sum())
    assert row["mean_p"] == pytest.approx(0.9)
    assert row["links"] == row["link_blocks"] == row["cards"] == 0
    assert row["has_h1"] == row["articles"] == 1
    assert row["headings"] == pytest.approx(1 / keep.sum())
    assert row["cells"] == pytest.approx(2 / keep.sum())
