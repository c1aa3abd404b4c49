"""Character n-gram scoring: how surprised a language model is by every line of a text.

The model is a trie of n-grams (`filters.perplexity` builds its arrays). Order-1 nodes are the
vocabulary; a child continues its parent by one character. The trie is closed: with an n-gram it
holds its first and its last n − 1 characters. So the contexts of a position are a chain of nodes of
growing length, and the first length that has no child for a character ends the search.

Text is read as lines. A line starts after a line break, its last character is the break that ends
it; blank lines and the white space a line begins with are left out.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.characters import PLANE
from filters.kernels.kernel import columns, inlined, kernel
from filters.kernels.spec import Floats, Hashes, Offsets, Points, Scalar, Signal, number, share

ORDER = 5
UNKNOWN, BREAK, SPACE = 0, 1, 2  # ids of the vocabulary with a meaning of their own
ID_BITS = 13  # at most 8,192 characters
NODE_BITS = 21  # at most 2,097,152 n-grams
MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio: multiplicative hashing (Knuth 6.4)
LONG_LINE = 20  # characters; a shorter line says too little to be called the worst
BAD_LINE = 170.0  # perplexity; 1 in 100 characters of clean held-out text stands in such a line
SOURCE = "as KenLM in cc_net and Uzushio, over characters"

SIGNALS: tuple[Signal, ...] = (
    number("perplexity", "per character", "perplexity of the whole text; 0 when empty", SOURCE),
    number(
        "worst_line_perplexity",
        "per character",
        f"of the worst line of {LONG_LINE} characters or more; else of the text",
    ),
    number(
        "median_line_perplexity",
        "per character",
        "half of the characters stand in lines of at most this perplexity",
    ),
    share(
        "high_perplexity_share",
        "of characters",
        f"characters in lines of a perplexity above {BAD_LINE:g}",
    ),
)
N_SIGNALS = len(SIGNALS)
column = columns(s.name for s in SIGNALS)


@inlined
def find(slots: Hashes, parent: Scalar, char: Scalar) -> Scalar:
    """Node of the n-gram `parent` + `char`, or −1."""
    key = np.uint64(parent) << np.uint64(ID_BITS) | np.uint64(char)
    mask = np.uint64(len(slots) - 1)
    at = (key * MIX) >> np.uint64(40) & mask
    while True:
        slot = slots[at]
        if slot == 0:
            return np.int64(-1)
        if slot >> np.uint64(NODE_BITS) == key + np.uint64(1):
            return np.int64(slot & np.uint64((1 << NODE_BITS) - 1))
        at = (at + np.uint64(1)) & mask


@kernel
def index(first: Offsets, chars: Points, slots: Hashes, suffix: Offsets, inner: Scalar) -> Scalar:
    """Fills the hash table and the suffix of every node; returns the first node without one, or −1.

    first: int64[inner + 1], children of node i are first[i] up to first[i + 1]; chars: uint32[n],
    the character a node adds; slots: zeroed, a power of two; suffix: int64[n], the node without
    the first character.
    """
    mask = np.uint64(len(slots) - 1)
    size = first[0]
    for parent in range(inner):
        for node in range(first[parent], first[parent + 1]):
            char = np.int64(chars[node])
            if parent < size:
                suffix[node] = char
            else:
                suffix[node] = find(slots, suffix[parent], char)
                if suffix[node] < 0:
                    return node
            key = np.uint64(parent) << np.uint64(ID_BITS) | np.uint64(char)
            at = (key * MIX) >> np.uint64(40) & mask
            while slots[at] != 0:
                at = (at + np.uint64(1)) & mask
            slots[at] = (key + np.uint64(1)) << np.uint64(NODE_BITS) | np.uint64(node)
    return np.int64(-1)


@kernel
def back_offs(first: Offsets, suffix: Offsets, nodes: Floats, out: Floats) -> None:
    """Back-off weight of every inner node, so that its probabilities add up to 1 (Katz 1987).

    nodes: float32[n], log probability of a node; out: float32[inner], log weight.
    """
    for parent in range(len(out)):
        own = 0.0
        lower = 0.0
        for node in range(first[parent], first[parent + 1]):
            own += np.exp(np.float64(nodes[node]))
            lower += np.exp(np.float64(nodes[suffix[node]]))
        out[parent] = np.log((1 - own) / (1 - lower))


@kernel
def measure_lines(
    points: Points,
    starts: Offsets,
    ids: Points,
    slots: Hashes,
    nodes: Floats,
    weights: Floats,
    unknown: Scalar,
    threshold: Scalar,
    out: Floats,
) -> None:
    """Fills out[n, N_SIGNALS].

    ids: uint32[PLANE], character id of a code point; nodes: float32[n], log probability of a
    node; weights: float32[inner], log back-off weights; unknown: log of the number of
    characters that share the id UNKNOWN; threshold: perplexity above which a line is bad.
    """
    state = np.empty(ORDER, np.int64)
    longest = 0
    for doc in range(len(starts) - 1):
        longest = max(longest, starts[doc + 1] - starts[doc])
    perplexities = np.empty(longest // 2 + 1, np.float64)
    lengths = np.empty(longest // 2 + 1, np.int64)
    for doc in range(len(starts) - 1):
        total, characters, lines = 0.0, 0, 0
        line, length = 0.0, 0
        state[1], depth = BREAK, 1
        for i in range(starts[doc], starts[doc + 1] + 1):
            end = i == starts[doc + 1]
            char = np.int64(BREAK)
            if not end:
                char = np.int64(ids[points[i]]) if points[i] < PLANE else np.int64(UNKNOWN)
            if length == 0 and (char == BREAK or char == SPACE):
                continue
            # The longest n-gram of the model that ends in this character; state[k] is the
            # context of k characters, from which a longer n-gram is sought.
            if not end:
                node, matched = char, 0
                below = state[1]
                state[1] = char
                while matched < depth:
                    longer = find(slots, below, char)
                    if longer < 0:
                        break
                    node = longer
                    matched += 1
                    if matched + 1 < ORDER:
                        below, state[matched + 1] = state[matched + 1], longer
                # Its probability, less the weights of the contexts that were too long.
                score = 0.0
                if matched < depth:
                    score += weights[below]
                    for k in range(matched + 2, depth + 1):
                        score += weights[state[k]]
                score += nodes[node]
                if char == UNKNOWN:
                    score -= unknown
                depth = min(matched + 1, ORDER - 1)
                line += score
                length += 1
            # A line ends: its perplexity, and a fresh state for the next one.
            if end or char == BREAK:
                perplexities[lines] = np.exp(-line / length)
                lengths[lines] = length
                total += line
                characters += length
                lines += 1
                line, length = 0.0, 0
                state[1], depth = BREAK, 1
        _summary(perplexities[:lines], lengths[:lines], total, characters, threshold, out[doc])


@kernel
def _summary(
    perplexities: Floats,
    lengths: Offsets,
    total: Scalar,
    characters: Scalar,
    threshold: Scalar,
    row: Floats,
) -> None:
    """The signals of a document from its lines: zeros where it has none."""
    row[:] = 0.0
    if characters == 0:
        return
    row[column.perplexity] = np.exp(-total / characters)
    worst, bad = 0.0, 0
    for i in range(len(lengths)):
        if lengths[i] >= LONG_LINE:
            worst = max(worst, perplexities[i])
        if perplexities[i] > threshold:
            bad += lengths[i]
    row[column.worst_line_perplexity] = worst if worst > 0 else row[column.perplexity]
    below = 0
    for i in np.argsort(perplexities, kind="mergesort"):
        below += lengths[i]
        if 2 * below >= characters:
            row[column.median_line_perplexity] = perplexities[i]
            break
    row[column.high_perplexity_share] = bad / characters
