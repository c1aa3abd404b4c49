"""Perplexity under a character n-gram model: the lazy group `perplexity`.

    model = load(path)                       # filters/models/ja-char.npz comes with Inaho
    model.probabilities("吾輩は")             # of every character that may follow

What KenLM is to cc_net and Uzushio, for Japanese and without a word splitter: interpolated modified
Kneser-Ney or absolute discounting (Chen & Goodman 1999), pruned and in eight bits. `python -m
benchmarks.training.train_perplexity` makes a model; filters/models/README.md says of what.

A character is folded before it is looked up: digits are 0, full-width ASCII is ASCII, Latin is
lower case, white space is one blank. Perplexity is e to the mean surprise (nats) of a character.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from filters.kernels import perplexity as trie
from filters.kernels.characters import PLANE, TO_LOWER, WIDE
from filters.kernels.perplexity import BAD_LINE, ID_BITS, NODE_BITS, ORDER, UNKNOWN
from filters.kernels.spec import Bytes, Floats, Hashes, Offsets, Points

Floats32 = NDArray[np.float32]

MODEL = Path(__file__).parent / "models" / "ja-char.npz"
FORMAT = "inaho-char-ngram-1"
# Characters that no training text has share one probability. Unicode 16 assigns 155,000; the model
# knows some 5,000 of them.
UNKNOWN_KINDS = 150_000
# Nats of surprise for each of 256 codes: fine where characters are likely, 22 at the coarse end.
LEVELS: Floats = -22.0 * (np.arange(256) / 255) ** 2


class ModelError(ValueError):
    """A model file that cannot be used: one line that says which and why."""


@dataclass(frozen=True, eq=False)
class Model:
    """A trie of n-grams, ready for the trie.

    ids uint32[PLANE]: character id of each code point; first int64[inner + 1]: where the children
    of a node begin; chars uint32[n], nodes float32[n]: the character a node adds and the log of its
    probability; weights float32[inner]: log back-off weights; slots: hash table of children.
    """

    ids: Points
    first: Offsets
    chars: Points
    nodes: Floats32
    weights: Floats32
    slots: Hashes

    def measure(self, points: Points, starts: Offsets, out: Floats) -> None:
        """Fills out[n, len(SIGNALS)] for the documents points[starts[i]:starts[i + 1]]."""
        unknown = float(np.log(UNKNOWN_KINDS))
        tables = (self.ids, self.slots, self.nodes, self.weights)
        trie.measure_lines(points, starts, *tables, unknown, BAD_LINE, out)

    def probabilities(self, context: str) -> Floats:
        """float64[size]: probability of each character id after `context`, a piece of a line.

        They add up to 1; the one of UNKNOWN is shared by UNKNOWN_KINDS characters.
        """
        size = int(self.first[0])
        out = np.exp(self.nodes[:size].astype(np.float64))
        history = [int(self.ids[ord(c)]) if ord(c) < PLANE else UNKNOWN for c in context]
        for length in range(1, ORDER):
            if length > len(history):
                break
            node = history[-length]
            for char in history[len(history) - length + 1 :]:
                node = int(trie.find(self.slots, node, char)) if node >= 0 else -1
            if node < 0:
                break
            children = slice(int(self.first[node]), int(self.first[node + 1]))
            out *= np.exp(float(self.weights[node]))
            out[self.chars[children]] = np.exp(self.nodes[children].astype(np.float64))
        return out


def measure_perplexity(points: Points, starts: Offsets, out: Floats) -> None:
    """Fills out[n, len(SIGNALS)] under the model that comes with Inaho."""
    shipped().measure(points, starts, out)


@cache
def shipped() -> Model:
    """The model that comes with Inaho, read once a process."""
    return load(MODEL)


def fold() -> Points:
    """uint32[PLANE]: the code point that stands for each code point in the model."""
    table = np.arange(PLANE, dtype=np.uint32)
    for ascii_ in range(ord("!"), ord("~") + 1):
        table[ascii_ + WIDE] = ascii_
    for capital in range(ord("A"), ord("Z") + 1):
        table[table == capital] = capital + TO_LOWER
    table[np.isin(table, np.arange(ord("0"), ord("9") + 1))] = ord("0")
    table[ord("，")], table[ord("．")] = ord("、"), ord("。")
    blanks = [p for p in range(PLANE) if chr(p).isspace() and chr(p) != "\n"]
    table[blanks] = ord(" ")
    return table


def build(vocabulary: Points, children: Offsets, chars: Points, codes: Bytes) -> Model:
    """A model from what its file holds. Raises ModelError where that is no closed trie.

    vocabulary uint32[size]: code point of each id; children int64[inner]: how many children each
    node has; chars, codes: of every node, in the order of the trie's levels.
    """
    size, inner, n = len(vocabulary), len(children), len(codes)
    if not 3 <= size <= 1 << ID_BITS or not size <= inner <= n or n > 1 << NODE_BITS:
        raise ModelError("wrong numbers of characters or n-grams")
    if len(chars) != n or int(children.sum()) != n - size or (children < 0).any():
        raise ModelError("the n-grams are not all there")
    if (
        (chars >= size).any()
        or (chars[:size] != np.arange(size)).any()
        or (codes[size:] == 0).any()
    ):
        raise ModelError("an n-gram of an unknown character or without surprise")
    if list(vocabulary[:3]) != [0, ord("\n"), ord(" ")] or (vocabulary >= PLANE).any():
        raise ModelError("the vocabulary does not begin as it must")
    folded = np.full(PLANE, UNKNOWN, np.uint32)
    folded[vocabulary[1:]] = np.arange(1, size)
    first = np.concatenate([[size], size + np.cumsum(children)]).astype(np.int64)
    if (first[:-1] <= np.arange(inner)).any():
        raise ModelError("an n-gram that is its own context")
    slots = np.zeros(1 << max(int(n * 1.6).bit_length(), 4), np.uint64)
    suffix = np.full(n, -1, np.int64)
    if (node := trie.index(first, chars, slots, suffix, inner)) >= 0:
        raise ModelError(f"n-gram {node} without its own end")
    logs = LEVELS[codes]
    logs[:size] -= np.log(np.exp(logs[:size]).sum())
    nodes = logs.astype(np.float32)
    weights = np.empty(inner, np.float32)
    trie.back_offs(first, suffix, nodes, weights)
    if not np.isfinite(weights).all():
        raise ModelError("probabilities above 1")
    return Model(folded[fold()], first, chars, nodes, weights, slots)


def load(path: Path) -> Model:
    """The model of a file by benchmarks.training.train_perplexity; nothing in it is executed.

    Raises ModelError, one line, for a file that is missing, damaged or of another kind.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if str(file["format"]) != FORMAT:
                raise ModelError(f"not of the format {FORMAT}")
            low, high = file["chars_low"], file["chars_high"]
            chars = low.astype(np.uint32) | high.astype(np.uint32) << np.uint32(8)
            return build(
                file["vocabulary"].astype(np.uint32),
                file["children"].astype(np.int64),
                chars,
                file["codes"].astype(np.uint8),
            )
    except OSError as error:
        raise ModelError(f"perplexity model {path}: {error.strerror or error}") from None
    except KeyError as error:
        raise ModelError(f"perplexity model {path}: {error.args[0]}") from None
    except (ModelError, ValueError, zipfile.BadZipFile, EOFError, zlib.error) as error:
        raise ModelError(f"perplexity model {path}: {' '.join(str(error).split())}") from None
