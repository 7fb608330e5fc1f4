"""
Bytes → scores in one pass: split into tokens, hash, add up rows of weights. Compiled by Numba, the GIL released.

Tokens are runs of letters, of digits, and of one same sign; characters of scripts written without spaces stand alone.
A field's features are its tokens, its pairs of neighbours and the beginnings of its long words. Each adds the row of
weights that it hashes to, and the field's sum is divided by the root of its number of features, so that long texts do
not shout. All sums are of integers: neither the order nor the size of a batch can change a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

OUTPUTS = 32
FEATURES_PER_BYTE = 3
PREFIX = 5
RAISED = 128
LANE_HOLDS = 256
BYTE = np.uint64(8)
EVEN = np.uint64(0x00FF00FF00FF00FF)


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


def pack(weights: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Returns rows of 32 weights as 4 words of 8 bytes, each weight raised by `RAISED` so that none is negative."""
    raised = (weights.astype(np.int16) + RAISED).astype(np.uint8)
    return np.ascontiguousarray(raised).view(np.uint64)


@compiled
def add_rows(
    packed: NDArray[np.uint64],
    found: NDArray[np.uint32],
    count: int,
    lanes: NDArray[np.uint64],
    sums: NDArray[np.int64],
) -> None:
    """
    Writes the sums of `count` rows into `sums`.

    Eight weights are added at once: the even bytes of a word as four 16-bit lanes of one sum, the odd bytes as those of
    another. A lane holds 256 bytes before it could overflow, so it is emptied as often.
    """
    halves = lanes.view(np.uint16)
    sums[:] = -RAISED * count
    at = 0
    while at < count:
        even0 = odd0 = even1 = odd1 = even2 = odd2 = even3 = odd3 = np.uint64(0)
        stop = min(count, at + LANE_HOLDS)
        while at < stop:
            row = packed[found[at]]
            even0 += row[0] & EVEN
            odd0 += (row[0] >> BYTE) & EVEN
            even1 += row[1] & EVEN
            odd1 += (row[1] >> BYTE) & EVEN
            even2 += row[2] & EVEN
            odd2 += (row[2] >> BYTE) & EVEN
            even3 += row[3] & EVEN
            odd3 += (row[3] >> BYTE) & EVEN
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
    packed: NDArray[np.uint64],
    scale: float,
    bias: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Returns the scores of every request, shape (requests, OUTPUTS), under weights from `pack`."""
    requests = len(first) - 1
    scores = np.empty((requests, OUTPUTS), np.float32)
    mask = np.uint32(packed.shape[0] - 1)
    found = np.empty(_longest(start) * FEATURES_PER_BYTE + 8, np.uint32)
    lanes = np.zeros(8, np.uint64)
    sums = np.zeros(OUTPUTS, np.int64)
    for request in range(requests):
        row = scores[request]
        row[:] = bias
        for segment in range(first[request], first[request + 1]):
            count = hash_features(text, start[segment], start[segment + 1], field[segment], mask, found)
            add_rows(packed, found, count, lanes, sums)
            factor = np.float32(scale / np.sqrt(max(count, 1)))
            for output in range(OUTPUTS):
                row[output] += factor * sums[output]
    return scores


@compiled
def _longest(start: NDArray[np.int64]) -> int:
    longest = 0
    for segment in range(len(start) - 1):
        longest = max(longest, start[segment + 1] - start[segment])
    return longest


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
