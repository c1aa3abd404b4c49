"""Writes tests/data/dedup_vectors.json: documents → signatures → clusters, for any implementation.

    python tests/corpus/dedup/make_vectors.py

Made by the pure-Python reference and datasketch, not by Inaho's kernels, which the tests then hold
against it. Texts: Constitution of Japan (a law: no copyright), and edits of it.
"""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path

import dedup_reference as reference
from datasketch import MinHash

OUT = Path(__file__).resolve().parents[2] / "data" / "dedup_vectors.json"
NGRAM, NUM_PERM, SEED, BANDS, ROWS, THRESHOLD = 5, 128, 1, 16, 8, 0.8
MASK = (1 << 64) - 1

PREAMBLE = (
    "日本国民は、正当に選挙された国会における代表者を通じて行動し、われらとわれらの子孫のために、"
    "諸国民との協和による成果と、わが国全土にわたつて自由のもたらす恵沢を確保し、政府の行為によつて"
    "再び戦争の惨禍が起ることのないやうにすることを決意し、ここに主権が国民に存することを宣言し、"
    "この憲法を確定する。そもそも国政は、国民の厳粛な信託によるものであつて、その権威は国民に由来し、"
    "その権力は国民の代表者がこれを行使し、その福利は国民がこれを享受する。"
)
ARTICLES = [
    "すべて国民は、健康で文化的な最低限度の生活を営む権利を有する。国は、すべての生活部面について、"
    "社会福祉、社会保障及び公衆衛生の向上及び増進に努めなければならない。",
    "すべて国民は、法律の定めるところにより、その能力に応じて、ひとしく教育を受ける権利を有する。",
    "財産権は、これを侵してはならない。財産権の内容は、公共の福祉に適合するやうに、法律でこれを定める。",
]
WIDE = str.maketrans({chr(0x21 + i): chr(0xFF01 + i) for i in range(94)})

DOCUMENTS = {
    "preamble": PREAMBLE,
    "preamble-spaced": PREAMBLE.replace("、", "， ").replace("。", "．\n"),
    "preamble-modern-kana": PREAMBLE.replace("つて", "って").replace("やうに", "ように"),
    "preamble-cut": PREAMBLE[:150],
    "preamble-and-more": PREAMBLE + ARTICLES[1],
    "preamble-without-dakuten": PREAMBLE.replace("が", "か").replace("で", "て"),
    "article-25": ARTICLES[0],
    "article-26": ARTICLES[1],
    "article-29": ARTICLES[2],
    "article-29-numbered": "第29条　" + ARTICLES[2],
    "article-29-wide": "第２９条 " + ARTICLES[2],
    "latin": "The quick brown fox jumps over the lazy dog. " * 3,
    "latin-wide": ("THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG. " * 3).translate(WIDE),
    "half-width": "ﾊﾝｶｸ ｶﾞｷﾞｸﾞ ﾊﾟﾋﾟﾌﾟ",
    "full-width": "ハンカクガギグパピプ",
    "decomposed": "ハンカクカ\u3099キ\u3099ク\u3099ハ\u309aヒ\u309aフ\u309a",
    "short": "憲法",
    "short-quoted": "「憲法」",
    "shorter": "憲",
    "punctuation": "……！？",
    "empty": "",
}


def band_key(band: int, values: list[int]) -> int:
    golden = 0x9E3779B97F4A7C15
    key = (band + 1) * golden & MASK
    for value in values:
        key = (key ^ value) * golden & MASK
        key ^= key >> 29
    key = key * 0xBF58476D1CE4E5B9 & MASK
    return key ^ key >> 32


def sketch(text: str) -> MinHash:
    minhash = MinHash(NUM_PERM, seed=SEED, hashfunc=reference.murmur32)
    minhash.update_batch(reference.shingles(text, NGRAM))
    return minhash


def vectors() -> dict:
    signatures = {name: sketch(text) for name, text in DOCUMENTS.items()}
    rows, keys = [], {}
    for name, text in DOCUMENTS.items():
        values = [int(v) for v in signatures[name].hashvalues]
        keys[name] = [band_key(b, values[b * ROWS : (b + 1) * ROWS]) for b in range(BANDS)]
        folded = reference.normalise(text)
        high, low = reference.murmur128(folded.encode("utf-32-le"))
        rows.append(
            {
                "id": name,
                "text": text,
                "normalised": folded,
                "exact": f"{high:016x}{low:016x}",
                "signature": values,
                "band_keys": [f"{key:016x}" for key in keys[name]],
            }
        )
    names = [name for name in DOCUMENTS if reference.normalise(DOCUMENTS[name])]
    margin = 3 * math.sqrt(THRESHOLD * (1 - THRESHOLD) / NUM_PERM)
    pairs, edges = [], []
    for a, b in itertools.combinations(names, 2):
        estimate = signatures[a].jaccard(signatures[b])
        exact = reference.jaccard(DOCUMENTS[a], DOCUMENTS[b], NGRAM)
        candidate = any(x == y for x, y in zip(keys[a], keys[b], strict=True))
        same = reference.normalise(DOCUMENTS[a]) == reference.normalise(DOCUMENTS[b])
        decisive = exact if abs(estimate - THRESHOLD) <= margin else estimate
        edge = same or (candidate and decisive >= THRESHOLD)
        if edge:
            edges.append((names.index(a), names.index(b)))
        if exact > 0:
            pair = {"a": a, "b": b, "jaccard": exact, "estimate": estimate}
            pairs.append(pair | {"candidate": candidate, "edge": edge})
    labels = reference.components(len(names), edges)
    groups = [[n for n, root in zip(names, labels, strict=True) if root == r] for r in set(labels)]
    return {
        "about": __doc__.splitlines()[0],
        "normalisation": "corpus/dedup/signatures/normal.py: NFKC, casefold, NFKC; "
        "L, M, N, Co, Cn stay; "
        "a mark composes with the code point before it",
        "shingle_hash": "MurmurHash3_x86_32, seed 0, of the shingle as UTF-32-LE",
        "exact_hash": "MurmurHash3_x64_128, seed 0, of the normalised text as UTF-32-LE",
        "signature": "datasketch 2 MinHash, scheme affine32, with that hash function",
        "settings": {
            "ngram": NGRAM,
            "num_perm": NUM_PERM,
            "seed": SEED,
            "bands": BANDS,
            "rows": ROWS,
            "threshold": THRESHOLD,
        },
        "documents": rows,
        "pairs": pairs,
        "clusters": sorted(sorted(group) for group in groups if len(group) > 1),
    }


if __name__ == "__main__":
    OUT.write_text(json.dumps(vectors(), ensure_ascii=False, indent=1) + "\n", "utf-8")
