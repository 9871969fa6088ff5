"""All recordings of one figure as one small stream: what they have in common is stored once.

A recording (nnlib/widgets/recording.py) is a header and some arrays, and those of one figure have the same arrays in
the same order.  The pack holds column after column: the headers of all recordings, then the first array of each, then
the second.  So what resembles each other lies close together, where deflate finds it.  A column of numbers may also be
stored byte by byte (all lowest bytes, then all second ones), and each frame as the difference to the one before,
whichever is smallest.  ``unpack`` in livepage.js is the reader.
"""

import base64
import json
import zlib
from itertools import zip_longest
from typing import Any

import numpy as np


def pack(recordings: list[bytes]) -> dict[str, Any]:
    """Pack the inflated bytes of a figure's recordings.

    Returns
    -------
    dict
        ``columns``, for each column the bytes of a number (1: as it is) and whether it holds differences;
        ``parts``, for each recording its pairs (bytes, numbers a frame), one for each column it has;
        ``data``, the columns as a zlib stream in base64.
    """
    cut = [_cut(recording) for recording in recordings]
    columns, stored = [], []
    for column in zip_longest(*cut):
        pieces = [piece for piece in column if piece is not None]
        sizes = {size for _, size, _ in pieces}
        ways = [(1, False)]
        if len(sizes) == 1:
            ways += [(*sizes, False), (*sizes, True)]
        smallest = min(ways, key=lambda way: len(_deflated(_written(pieces, *way))))
        columns.append(smallest)
        stored.append(_written(pieces, *smallest))
    return {
        "columns": columns,
        "parts": [[[len(data), frame] for data, _, frame in pieces] for pieces in cut],
        "data": base64.b64encode(_deflated(b"".join(stored))).decode("ascii"),
    }


def _cut(recording: bytes) -> list[tuple[bytes, int, int]]:
    """Return the header and each array of a recording: its bytes, the bytes of a number, the numbers a frame."""
    end = 4 + int.from_bytes(recording[:4], "little")
    header = json.loads(recording[4:end])
    pieces = [(recording[:end], 1, 0)]
    for array in header["arrays"]:
        size = int(array["dtype"][1:])
        count = int(np.prod(array["shape"], dtype=np.int64))
        start, end = end, end - (-size * count // 8) * 8
        frame = count // header["frames"] if array["per_frame"] and header["frames"] else 0
        pieces.append((recording[start:end], size, frame))
    if end != len(recording):
        raise ValueError(f"a recording of {len(recording)} bytes should end after {end}")
    return pieces


def _written(pieces: list[tuple[bytes, int, int]], size: int, differences: bool) -> bytes:
    """Return a column with its numbers of `size` bytes taken apart, as differences between frames or not."""
    column = []
    for data, _, frame in pieces:
        numbers = np.frombuffer(data, f"<u{size}")
        if differences and 0 < frame < len(numbers):
            numbers = np.concatenate([numbers[:frame], numbers[frame:] - numbers[:-frame]])
        column.append(numbers.view(np.uint8).reshape(-1, size).T.tobytes())
    return b"".join(column)


def _deflated(data: bytes) -> bytes:
    return zlib.compress(data, 9)
