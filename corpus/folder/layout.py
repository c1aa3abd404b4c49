"""What a build folder looks like: the one place where its paths are spelled.

    DIR/corpus.toml                  the resolved settings, and the inputs
    DIR/removals.json                the register of what was taken out for good: hashes
    DIR/documents/NNNNNNN.parquet    harvest: a file a unit, every Japanese document
    DIR/duplicates/part-00000.parquet  dedup: the documents of clusters
    DIR/paragraphs/NNNNNNN.parquet   trim: how many documents have each paragraph
    DIR/scores/NAME/NNNNNNN.parquet  `corpus classifier score`: row for row as documents/
    DIR/ledger/STAGE-NNNNNNN.parquet everything dropped or altered (of dedup: dedup-00000)
    DIR/corpus/train-00000-of-00004.parquet   publish: the corpus
    DIR/README.md README.ja.md croissant.json report.html funnel.json manifest.json
    DIR/reproducibility.json         what `corpus rebuild` needs
    DIR/plots/                       `corpus compare`, `corpus sweep`
    DIR/index/SIDE/KEY.text .positions .rows .json   `corpus index`: a part of the index of the
                                     shards (SIDE corpus) or the documents files; KEY: of its rows
    DIR/state/plan.json              the units of the input
    DIR/state/STAGE/settings.json    fingerprint of what the stage depends on
    DIR/state/STAGE/NNNNNNN.json     receipt of a unit: its outputs with size and SHA-256, counts
    DIR/state/STAGE/NNNNNNN.parquet  rows of a documents file that the stage hands on
    DIR/state/harvest/sites-NNNNNNN.parquet  robots.txt, ai.txt and tdmrep.json that a unit holds
    DIR/state/harvest/notices-NNNNNNN.parquet  versions of news that a unit holds, by hash
    DIR/state/harvest/moves-NNNNNNN.parquet  redirects that a unit holds, by hash
    DIR/state/dedup/moved.parquet    documents whose page another unit says to be elsewhere
    DIR/state/dedup/signatures/, exchange/   one file a documents file; what workers exchange
    DIR/state/publish/next/          the next publication, a small build folder, until it is whole
    DIR/state/ccindex/, urls/        the records that ccindex takes; URL lists as tables
    DIR/state/.times.jsonl           what stages and units took: of a run, so it is in no manifest
    DIR/.lock                        held while a build writes

NNNNNNN is the number of a unit of the plan, or of a shard.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DOCUMENTS, DUPLICATES, LEDGER, SHARDS = "documents", "duplicates", "ledger", "corpus"
PARAGRAPHS, SCORES, STATE, PLOTS = "paragraphs", "scores", "state", "plots"
INDEX = "index"
PARQUET = "*.parquet"
# Written when a corpus is published, in this order; the manifest, which names them, last.
CARD, CROISSANT, REPORT, FUNNEL = "README.md", "croissant.json", "report.html", "funnel.json"
CARD_JA = "README.ja.md"
MANIFEST, REPRODUCIBILITY = "manifest.json", "reproducibility.json"
# Rewritten by every attempt at clustering, of no use to another machine.
EXCHANGE = f"{STATE}/dedup/exchange"


# Where a publication is made before it takes the place of the one that is there.
NEXT = f"{STATE}/publish/next"


def number(index: int) -> str:
    """The number of a unit as file names have it."""
    return f"{index:07d}"


def is_receipt(key: str) -> bool:
    """Whether a path relative to the folder (POSIX) is written after the files it speaks of."""
    return key.startswith((f"{STATE}/", f"{INDEX}/")) and key.endswith(".json")


@dataclass(frozen=True)
class Layout:
    """The paths of the build folder at `root`; nothing is looked up but where files are listed.

    name: what users call the folder, where that is not its path (`str` gives it).
    """

    root: Path
    name: str = ""

    def __str__(self) -> str:
        return self.name or str(self.root)

    def shown(self, path: Path) -> str:
        """A path in this folder under the name that users know."""
        return f"{self}/{path.relative_to(self.root).as_posix()}"

    # of the whole build

    @property
    def settings(self) -> Path:
        return self.root / "corpus.toml"

    @property
    def removals(self) -> Path:
        return self.root / "removals.json"

    @property
    def lock(self) -> Path:
        return self.root / ".lock"

    @property
    def plan(self) -> Path:
        return self.state / "plan.json"

    @property
    def state(self) -> Path:
        return self.root / STATE

    @property
    def times(self) -> Path:
        return self.state / ".times.jsonl"

    @property
    def plots(self) -> Path:
        return self.root / PLOTS

    @property
    def card(self) -> Path:
        return self.root / CARD

    @property
    def card_ja(self) -> Path:
        return self.root / CARD_JA

    @property
    def croissant(self) -> Path:
        return self.root / CROISSANT

    @property
    def report(self) -> Path:
        return self.root / REPORT

    @property
    def funnel(self) -> Path:
        return self.root / FUNNEL

    @property
    def manifest(self) -> Path:
        return self.root / MANIFEST

    @property
    def reproducibility(self) -> Path:
        """What the corpus was made from and with: `corpus rebuild` reads it."""
        return self.root / REPRODUCIBILITY

    @property
    def selection(self) -> Path:
        """The records that ccindex takes, and beside it what was counted on the way."""
        return self.state / "ccindex" / "selection.parquet"

    def state_files(self) -> list[tuple[str, Path]]:
        """(name relative to the folder, path) of the files of the state that stay and are whole."""
        named = [(p.relative_to(self.root).as_posix(), p) for p in sorted(self.state.rglob("*"))]
        return [
            (name, path)
            for name, path in named
            if path.is_file()
            and not path.name.startswith(".")
            and not name.startswith((f"{NEXT}/", f"{EXCHANGE}/"))
        ]

    # of every stage

    def folder_of(self, receipt: Path) -> Path:
        """What the outputs in a receipt are relative to."""
        staged = self.root / NEXT
        return staged if receipt.is_relative_to(staged) else self.root

    def owned(self, stage: str, owns: tuple[str, ...]) -> list[Path]:
        """The files of a stage: its state, its ledger, and what the names `owns` stand for.

        A name is a folder, of which every file is meant, or a file.
        """
        found = [*(self.state / stage).glob("*"), *(self.root / LEDGER).glob(f"{stage}-*")]
        for name in owns:
            path = self.root / name
            found += path.rglob("*") if path.is_dir() else [path]
        return sorted(path for path in found if path.is_file())

    def make_folders(self, stage: str, owns: tuple[str, ...]) -> None:
        """The folders that a stage writes to."""
        folders = [name for name in owns if "." not in name and name != NEXT]
        for path in (self.state / stage, self.root / LEDGER, *(self.root / n for n in folders)):
            path.mkdir(parents=True, exist_ok=True)

    def fingerprint(self, stage: str) -> Path:
        return self.state / stage / "settings.json"

    def receipt(self, stage: str, index: int = 0) -> Path:
        return self.state / stage / f"{number(index)}.json"

    def receipts(self, stage: str) -> list[Path]:
        """The receipts of a stage in the order of its units."""
        return sorted((self.state / stage).glob("[0-9]*.json"))

    def rows(self, stage: str, index: int) -> Path:
        """The rows of a documents file that a stage hands on."""
        return self.state / stage / f"{number(index)}.parquet"

    def ledger(self, stage: str, index: int = 0) -> Path:
        return self.root / LEDGER / f"{stage}-{number(index)}.parquet"

    def ledgers(self, stage: str = "") -> list[Path]:
        """The ledger files of a stage, or of all."""
        return sorted((self.root / LEDGER).glob(f"{stage}-{PARQUET}" if stage else PARQUET))

    # harvest

    @property
    def documents_folder(self) -> Path:
        return self.root / DOCUMENTS

    def documents(self, index: int) -> Path:
        return self.root / DOCUMENTS / f"{number(index)}.parquet"

    def documents_files(self) -> list[Path]:
        return sorted((self.root / DOCUMENTS).glob(PARQUET))

    def sites(self, index: int) -> Path:
        """robots.txt, ai.txt and tdmrep.json that a unit holds."""
        return self.state / "harvest" / f"sites-{number(index)}.parquet"

    def sites_files(self) -> list[Path]:
        return sorted((self.state / "harvest").glob("sites-*.parquet"))

    def notices(self, index: int) -> Path:
        """Versions and withdrawals of news that a unit holds."""
        return self.state / "harvest" / f"notices-{number(index)}.parquet"

    def notices_files(self) -> list[Path]:
        return sorted((self.state / "harvest").glob("notices-*.parquet"))

    def moves(self, index: int) -> Path:
        """Redirects that a unit holds (corpus.stages.moves.MOVE)."""
        return self.state / "harvest" / f"moves-{number(index)}.parquet"

    def moves_files(self) -> list[Path]:
        return sorted((self.state / "harvest").glob("moves-*.parquet"))

    # remove, dedup

    @property
    def moved(self) -> Path:
        """Documents of all files whose address moved (corpus.stages.moves.MOVED)."""
        return self.state / "dedup" / "moved.parquet"

    @property
    def taken(self) -> Path:
        """Rows of all documents files that were taken out (corpus.folder.removals.TAKEN)."""
        return self.rows("remove", 0)

    @property
    def duplicates(self) -> Path:
        return self.root / DUPLICATES / "part-00000.parquet"

    def duplicates_files(self) -> list[Path]:
        return sorted((self.root / DUPLICATES).glob(PARQUET))

    @property
    def dedup_ledger(self) -> Path:
        return self.root / LEDGER / "dedup-00000.parquet"

    @property
    def signatures_folder(self) -> Path:
        return self.state / "dedup" / "signatures"

    @property
    def signatures_made_from(self) -> Path:
        """Names the harvest and the settings that the signatures are of."""
        return self.signatures_folder / "made_from.json"

    def signatures(self, index: int) -> Path:
        return self.signatures_folder / f"{number(index)}.parquet"

    def piece(self, index: int) -> Path:
        """Rows of documents file `index` on their way into another order (corpus.stages.order)."""
        return self.pieces / f"{number(index)}.parquet"

    @property
    def pieces(self) -> Path:
        return self.exchange / "publish"

    @property
    def exchange(self) -> Path:
        return self.root / EXCHANGE

    # select, trim, decontaminate

    @property
    def url_cache(self) -> Path:
        return self.state / "urls"

    def scores_folder(self, name: str) -> Path:
        return self.root / SCORES / name

    def scores(self, name: str, index: int) -> Path:
        return self.scores_folder(name) / f"{number(index)}.parquet"

    def scores_names(self) -> list[str]:
        return sorted(path.name for path in (self.root / SCORES).glob("*") if path.is_dir())

    def paragraphs(self, index: int) -> Path:
        return self.root / PARAGRAPHS / f"{number(index)}.parquet"

    # Files that trim and decontaminate need while they run; removed when they are done.

    def paragraph_counts(self, index: int) -> Path:
        return self.state / "trim" / f"counts-{number(index)}.parquet"

    @property
    def frequent_paragraphs(self) -> Path:
        return self.state / "trim" / "frequent.parquet"

    def passages(self, index: int) -> Path:
        return self.state / "trim" / f"spans-{number(index)}.parquet"

    def ngram_counts(self, index: int) -> Path:
        return self.state / "decontaminate" / f"df-{number(index)}.npy"

    # index

    def index_folder(self, side: str) -> Path:
        """The index of one side: SHARDS or DOCUMENTS."""
        return self.root / INDEX / side

    def index_part(self, side: str, key: str) -> Path:
        """The receipt of a part of the index; written after the files it speaks of."""
        return self.index_folder(side) / f"{key}.json"

    def index_parts(self, side: str = "*") -> list[Path]:
        """The receipts of the parts of a side, or of both."""
        return sorted((self.root / INDEX).glob(f"{side}/*.json"))

    def index_text(self, part: Path) -> Path:
        """The texts of a part, UTF-16."""
        return part.with_suffix(".text")

    def index_texts(self) -> list[Path]:
        return sorted((self.root / INDEX).glob("*/*.text"))

    def index_positions(self, part: Path) -> Path:
        return part.with_suffix(".positions")

    def index_rows(self, part: Path) -> Path:
        """What the texts of a part are of."""
        return part.with_suffix(".rows")

    # publish

    @property
    def shards_folder(self) -> Path:
        return self.root / SHARDS

    def shard(self, name: str) -> Path:
        return self.root / SHARDS / name

    @property
    def staged(self) -> Layout:
        """The next publication: what publish writes, in the places it will have."""
        return Layout(self.root / NEXT, self.name)

    def shards(self) -> list[Path]:
        return sorted((self.root / SHARDS).glob(PARQUET))


def damaged(layout: Layout, path: Path) -> str:
    """What is said of a file whose bytes are not those that were written."""
    return (
        f"{layout.shown(path)} is damaged: `corpus verify {layout}` says what else is, and with "
        "--repair makes it anew"
    )


def index_of(path: Path) -> int:
    """The number of the unit that a file is of."""
    return int(path.stem)
