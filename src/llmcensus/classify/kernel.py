"""
Bytes → scores in one pass: split into tokens, hash, add up rows of weights. Compiled by Numba, the GIL released.

Tokens are runs of letters, of digits, and of one same sign; characters of scripts written without spaces stand alone.
A field's features are its tokens, its pairs of neighbours and the beginnings of its long words. Each adds the row of
weights that it hashes to, and the field's sum is divided by the root of its number of features, so that long texts do
not shout. All sums are of integers: neither the order nor the size of a batch can change a result.

Importing this imports Numba, which takes a second and much memory. Training does; scoring goes through `machine`, which
only does where there is no machine code yet.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import carray, njit, types
from numpy.typing import NDArray

from llmcensus.classify.machine import FEATURES_PER_BYTE, OUTPUTS

PREFIX = 5
RAISED = 128
LANE_HOLDS = 256
BYTE = np.uint64(8)
EVEN = np.uint64(0x00FF00FF00FF00FF)
SIGNS = np.uint64(0x8080808080808080)


Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles a function when it is first called, and keeps the result for the next process."""
    try:
        return cast(Function, njit(nogil=True, cache=True)(function))
    except RuntimeError:
        # Nowhere to keep it: a read-only installation and no home. NUMBA_CACHE_DIR may name a place.
        return cast(Function, njit(nogil=True)(function))


@compiled
def _mix(value: np.uint32) -> np.uint32:
    """Spreads a sum of hashes over all bits (the finaliser of MurmurHash3)."""
    value ^= value >> np.uint32(16)
    value *= np.uint32(0x85EBCA6B)
    value ^= value >> np.uint32(13)
    value *= np.uint32(0xC2B2AE35)
    value ^= value >> np.uint32(16)
    return value


@compiled
def _kind(byte: int) -> int:
    """Returns 0 for blanks, 1 for letters, 2 for digits, 3 for signs, 4 for a character that stands alone."""
    if byte <= 32:
        return 0
    if 48 <= byte <= 57:
        return 2
    if 97 <= byte <= 122 or 65 <= byte <= 90:
        return 1
    if byte < 128:
        return 3
    # UTF-8: 0xE3 to 0xED begin Chinese, Japanese and Korean characters, 0xF0 emoji; others are letters.
    if 0xE3 <= byte <= 0xED or byte >= 0xF0:
        return 4
    return 1


@compiled
def hash_features(
    text: NDArray[np.uint8], start: int, stop: int, field: int, mask: np.uint32, out: NDArray[np.uint32]
) -> int:
    """Writes the features of one field into `out` and returns how many there are."""
    salt = np.uint32((field + 1) * 0x9E3779B1 & 0xFFFFFFFF)
    count = 0
    before = np.uint32(0)
    at = start
    while at < stop:
        byte = text[at]
        kind = _kind(byte)
        if kind == 0:
            at += 1
            continue
        token = np.uint32(2166136261)
        length = 0
        prefix = np.uint32(0)
        if kind == 4:
            size = 4 if byte >= 0xF0 else 3
            while length < size and at < stop:
                token = (token ^ np.uint32(text[at])) * np.uint32(16777619)
                at += 1
                length += 1
        else:
            first = byte
            while at < stop:
                byte = text[at]
                now = _kind(byte)
                if now != kind or (kind == 3 and byte != first):
                    break
                if 65 <= byte <= 90:
                    byte += 32
                elif kind == 2:
                    byte = 48
                token = (token ^ np.uint32(byte)) * np.uint32(16777619)
                at += 1
                length += 1
                if length == PREFIX:
                    prefix = token
        out[count] = _mix(token ^ salt) & mask
        count += 1
        if before != 0:
            out[count] = _mix(token + before * np.uint32(0x27D4EB2F) + salt) & mask
            count += 1
        if kind == 1 and length > PREFIX:
            out[count] = _mix(prefix ^ salt ^ np.uint32(0x5BD1E995)) & mask
            count += 1
        before = token
    return count


@compiled
def add_rows(
    words: NDArray[np.uint64],
    found: NDArray[np.uint32],
    count: int,
    lanes: NDArray[np.uint64],
    halves: NDArray[np.uint16],
    sums: NDArray[np.int64],
) -> None:
    """
    Writes the sums of `count` rows of 32 signed bytes, 4 words each, into `sums`.

    Eight weights are added at once: turning the sign bit over raises them by 128, so that none is negative; the even
    bytes of a word are four 16-bit lanes of one sum, the odd bytes those of another. A lane holds 256 bytes before it
    could overflow, so it is emptied as often, from `halves`: the memory of `lanes`, read by 16 bits.
    """
    for output in range(OUTPUTS):
        sums[output] = -RAISED * count
    at = 0
    while at < count:
        even0 = odd0 = even1 = odd1 = even2 = odd2 = even3 = odd3 = np.uint64(0)
        stop = min(count, at + LANE_HOLDS)
        while at < stop:
            row = found[at]
            word0, word1 = words[row, 0] ^ SIGNS, words[row, 1] ^ SIGNS
            word2, word3 = words[row, 2] ^ SIGNS, words[row, 3] ^ SIGNS
            even0 += word0 & EVEN
            odd0 += (word0 >> BYTE) & EVEN
            even1 += word1 & EVEN
            odd1 += (word1 >> BYTE) & EVEN
            even2 += word2 & EVEN
            odd2 += (word2 >> BYTE) & EVEN
            even3 += word3 & EVEN
            odd3 += (word3 >> BYTE) & EVEN
            at += 1
        lanes[0], lanes[1], lanes[2], lanes[3] = even0, odd0, even1, odd1
        lanes[4], lanes[5], lanes[6], lanes[7] = even2, odd2, even3, odd3
        for word in range(4):
            for lane in range(4):
                sums[8 * word + 2 * lane] += np.int64(halves[8 * word + lane])
                sums[8 * word + 2 * lane + 1] += np.int64(halves[8 * word + 4 + lane])


@compiled
def score(
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    field: NDArray[np.int64],
    first: NDArray[np.int64],
    words: NDArray[np.uint64],
    scale: float,
    bias: NDArray[np.float32],
    found: NDArray[np.uint32],
    lanes: NDArray[np.uint64],
    halves: NDArray[np.uint16],
    sums: NDArray[np.int64],
    scores: NDArray[np.float32],
) -> None:
    """
    Writes the scores of every request into `scores`, shape (requests, OUTPUTS).

    `found` has room for the features of the longest segment; it, `lanes`, `halves` and `sums` are written over.
    """
    mask = np.uint32(len(words) - 1)
    for request in range(len(first) - 1):
        for output in range(OUTPUTS):
            scores[request, output] = bias[output]
        for segment in range(first[request], first[request + 1]):
            count = hash_features(text, start[segment], start[segment + 1], field[segment], mask, found)
            add_rows(words, found, count, lanes, halves, sums)
            factor = np.float32(scale / np.sqrt(max(count, 1)))
            for output in range(OUTPUTS):
                scores[request, output] += factor * sums[output]


def entry(
    text: Any,
    start: Any,
    field: Any,
    first: Any,
    size: int,
    segments: int,
    requests: int,
    words: Any,
    buckets: int,
    scale: float,
    bias: Any,
    found: Any,
    room: int,
    lanes: Any,
    halves: Any,
    sums: Any,
    scores: Any,
) -> None:
    """Calls `score` on arrays given as pointers and sizes, as `machine` does."""
    score(
        carray(text, size),
        carray(start, segments + 1),
        carray(field, segments),
        carray(first, requests + 1),
        carray(words, (buckets, 4)),
        scale,
        carray(bias, OUTPUTS),
        carray(found, room),
        carray(lanes, 8),
        carray(halves, 32),
        carray(sums, OUTPUTS),
        carray(scores, (requests, OUTPUTS)),
    )


def source() -> str:
    """Returns `entry` in LLVM's language, optimised."""
    pointers = {"b": types.uint8, "q": types.int64, "w": types.uint64, "f": types.float32, "i": types.uint32}
    pointers = {letter: types.CPointer(kind) for letter, kind in (pointers | {"h": types.uint16}).items()}
    values = {"n": types.int64, "d": types.float64}
    takes = types.void(*((pointers | values)[letter] for letter in "bqqqnnnwndfinwhqf"))
    # The wrappers are for calls from Python by Numba, and cannot do without it. What is kept is the same for every
    # process, so it is not checked, even where one asked Numba to.
    compiled_entry = njit(
        takes, no_cpython_wrapper=True, no_cfunc_wrapper=True, error_model="numpy", boundscheck=False
    )(entry)
    (text,) = compiled_entry.inspect_llvm().values()
    return str(text)


@compiled
def extract(
    text: NDArray[np.uint8],
    start: NDArray[np.int64],
    field: NDArray[np.int64],
    first: NDArray[np.int64],
    buckets: int,
) -> tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.int64]]:
    """
    Returns what `score` adds up, for training: features, the factor of each, and where each request's begin.

    The same hashing serves both, so what is learned is what is scored.
    """
    requests = len(first) - 1
    mask = np.uint32(buckets - 1)
    room = (len(text) + 8) * FEATURES_PER_BYTE
    features = np.empty(room, np.uint32)
    factors = np.empty(room, np.float32)
    begins = np.zeros(requests + 1, np.int64)
    used = 0
    for request in range(requests):
        for segment in range(first[request], first[request + 1]):
            count = hash_features(text, start[segment], start[segment + 1], field[segment], mask, features[used:])
            factors[used : used + count] = 1 / np.sqrt(max(count, 1))
            used += count
        begins[request + 1] = used
    return features[:used].copy(), factors[:used].copy(), begins
