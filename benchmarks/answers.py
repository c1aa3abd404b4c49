"""How long `corpus answer` takes for 1,000 addresses and 100 excerpts of a build.

python benchmarks/answers.py FOLDER REQUEST.toml     writes a request: nine tenths stand there
corpus answer FOLDER --request REQUEST.toml -o answer.json
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pyarrow.parquet as pq

URLS, EXCERPTS, CHARACTERS = 1_000, 100, 60


def request(folder: Path, seed: int = 1) -> str:
    """A request as TOML: addresses and excerpts, one in ten of them of nothing in the build."""
    chance = random.Random(seed)
    files = sorted((folder / "documents").glob("*.parquet"))
    urls, excerpts = [], []
    while len(excerpts) < EXCERPTS * 9 // 10:
        with pq.ParquetFile(chance.choice(files)) as file:
            group = chance.randrange(file.num_row_groups)
            rows = file.read_row_group(group, columns=["url", "text"]).to_pylist()
        texts = [row["text"] for row in rows if len(row["text"]) > 3 * CHARACTERS]
        if texts:
            text = chance.choice(texts)
            at = chance.randrange(len(text) - CHARACTERS)
            excerpts.append(text[at : at + CHARACTERS])
        urls += [row["url"] for row in chance.sample(rows, min(len(rows), URLS // EXCERPTS))]
    urls = urls[: URLS * 9 // 10]
    urls += [f"https://absent{n}.example.jp/{n}.html" for n in range(URLS - len(urls))]
    signs = [chr(chance.randrange(0x3041, 0x3094)) for _ in range(EXCERPTS * CHARACTERS)]
    while len(excerpts) < EXCERPTS:
        excerpts.append("".join(chance.sample(signs, CHARACTERS)))
    lists = {"urls": urls, "excerpts": excerpts}
    lines = [f"{key} = {json.dumps(values, ensure_ascii=False)}" for key, values in lists.items()]
    return 'reference = "benchmark"\n' + "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(request(Path(sys.argv[1])), "utf-8")
