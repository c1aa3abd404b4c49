"""Signatures and bands: datasketch's values, for every text."""

from __future__ import annotations

import dedup_reference as reference
import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash, MinHashLSH
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.dedup.signatures import minhash
from corpus.dedup.signatures.hashes import murmur128, premix, shingle_hashes
from corpus.settings import DedupSettings

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=80), max_size=6)


def oracle(text: str, options: DedupSettings) -> np.ndarray:
    sketch = MinHash(options.num_perm, seed=options.seed, hashfunc=reference.murmur32)
    sketch.update_batch(reference.shingles(text, options.ngram, options.mask_digits))
    return sketch.hashvalues


def test_murmur32_of_known_vectors() -> None:
    # Values of the reference implementation (smhasher), seed 0.
    for text, value in [("", 0), ("test", 0xBA6BD213), ("abcd", 0x43ED676A)]:
        assert reference.murmur32(text.encode()) == value


def test_murmur128_of_a_known_vector() -> None:
    # mmh3.hash64(b"foo", signed=False), the example of its documentation, seed 0.
    assert reference.murmur128(b"foo") == (16316970633193145697, 9128664383759220103)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_hash_kernels_equal_the_references(text: str) -> None:
    points = np.array([ord(c) for c in text], np.uint32)
    data = text.encode("utf-32-le")
    assert tuple(map(int, murmur128(points, len(points)))) == reference.murmur128(data)
    if text:
        out = np.empty(1, np.uint32)
        premix(points, len(points))
        shingle_hashes(points, 0, 1, len(points), out)
        assert int(out[0]) == reference.murmur32(data)


@settings(max_examples=60)
@given(
    TEXTS,
    st.integers(1, 9),
    st.sampled_from([2, 16, 37, 128]),
    st.integers(0, 2**32 - 1),
    st.booleans(),
)
def test_signatures_equal_datasketch_bit_for_bit(
    texts: list[str], ngram: int, num_perm: int, seed: int, mask: bool
) -> None:
    options = DedupSettings(ngram=ngram, num_perm=num_perm, seed=seed, mask_digits=mask)
    got = minhash.signatures(pa.array(texts, pa.string()), options)
    assert got.dtype == np.uint32 and got.shape == (len(texts), num_perm)
    for text, signature in zip(texts, got, strict=True):
        assert (signature == oracle(text, options)).all()


def test_long_text_crosses_chunks_as_datasketch_does() -> None:
    text = "".join(chr(0x4E00 + i * 7 % 5000) for i in range(3 * minhash.CHUNK + 17))
    options = DedupSettings()
    assert (minhash.signatures(pa.array([text]), options)[0] == oracle(text, options)).all()


def test_text_shorter_than_a_shingle_is_one_shingle() -> None:
    options = DedupSettings(ngram=5)
    got = minhash.signatures(pa.array(["日本", "日　本。", "日本語"]), options)
    assert (got[0] == oracle("日本", options)).all()
    assert (got[0] == got[1]).all()
    assert (got[0] != got[2]).any()


def test_empty_text_has_no_shingle() -> None:
    got, _, lengths = minhash.sign_texts(pa.array(["", None, "。！？ \n"]), DedupSettings())
    assert (got == 0xFFFFFFFF).all()
    assert lengths.tolist() == [0, 0, 0]


@pytest.mark.parametrize(("threshold", "num_perm"), [(0.5, 64), (0.8, 128), (0.9, 100)])
def test_bands_and_rows_are_datasketchs_optimum(threshold: float, num_perm: int) -> None:
    index = MinHashLSH(threshold, num_perm)
    assert minhash.params(threshold, num_perm) == (index.b, index.r)
    weighted = MinHashLSH(threshold, num_perm, weights=(0.25, 0.75))
    assert minhash.params(threshold, num_perm, 0.75) == (weighted.b, weighted.r)


def test_s_curve_of_datatroves_bands() -> None:
    curve = minhash.s_curve(14, 8, np.array([0.7, 0.8, 0.9]))
    assert np.round(curve[:, 1], 3).tolist() == [0.565, 0.924, 1.0]


def test_band_keys_are_equal_exactly_where_bands_are() -> None:
    rng = np.random.default_rng(0)
    signatures = rng.integers(0, 3, (400, 12), dtype=np.uint32)
    for band in range(4):
        keys = minhash.band_keys(signatures, band, 3)
        part = signatures[:, band * 3 : band * 3 + 3]
        same = (part[:, None, :] == part[None, :, :]).all(axis=2)
        assert ((keys[:, None] == keys[None, :]) == same).all()
    assert (minhash.band_keys(signatures, 0, 3) != minhash.band_keys(signatures, 1, 3)).all()


def test_band_key_formula_is_the_documented_one() -> None:
    mask = (1 << 64) - 1
    values = [7, 0xFFFFFFFF, 12345]
    key = 3 * 0x9E3779B97F4A7C15 & mask
    for value in values:
        key = (key ^ value) * 0x9E3779B97F4A7C15 & mask
        key ^= key >> 29
    key = key * 0xBF58476D1CE4E5B9 & mask
    key ^= key >> 32
    signature = np.array([[0] * 6 + values], np.uint32)
    assert int(minhash.band_keys(signature, 2, 3)[0]) == key


def test_estimated_jaccard_is_close_to_the_exact_one() -> None:
    base = "".join(chr(0x4E00 + i * 37 % 3001) for i in range(1500))
    texts = [base, base[:1200] + base[300:600][::-1]]
    options = DedupSettings(num_perm=1024)
    signatures = minhash.signatures(pa.array(texts), options)
    got = minhash.pair_similarity(signatures, np.array([0]), np.array([1]))[0]
    exact = reference.jaccard(*texts, 5)
    assert abs(got - exact) < 4 * np.sqrt(exact * (1 - exact) / 1024)


def test_word_shingles_are_n_grams_of_short_unit_words() -> None:
    options = DedupSettings(shingle="word", ngram=2)
    texts = ["東京は日本の首都である。", "東京は、日本の首都である", "", "首都"]
    got = minhash.signatures(pa.array(texts), options)
    words = ["東京", "は", "日本", "の", "首都", "で", "ある"]
    symbols = [reference.murmur32(w.encode("utf-32-le")).to_bytes(4, "little") for w in words]
    sketch = MinHash(options.num_perm, seed=1, hashfunc=reference.murmur32)
    sketch.update_batch([symbols[i] + symbols[i + 1] for i in range(len(symbols) - 1)])
    assert (got[0] == sketch.hashvalues).all()
    assert (got[1] == got[0]).all()
    assert (got[2] == 0xFFFFFFFF).all()
    assert (got[3] != 0xFFFFFFFF).any()
