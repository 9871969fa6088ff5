"""A recording: the frames of an interactive figure as arrays, and the bytes that carry them to the page.

There is one writer, :func:`pack`, and one reader in JavaScript, ``readRecording`` in ``stepper.js``.
:func:`unpack` is the same reader in Python.  This module needs numpy alone.

The bytes are ``NNR1`` followed by a zlib stream.  Inflated, it holds

- the length of the header, an unsigned 32-bit integer (everything is little-endian);
- the header, JSON padded with spaces to a multiple of 8 bytes after the length:
  ``{"frames": F, "meta": {...}, "arrays": [{"name", "per_frame", "dtype", "shape", "quantised"?,
  "delta"?}]}``;
- the bytes of each array in the header's order, each padded with zeros to a multiple of 8.

``shape`` is the shape of the whole array; the first axis of a per-frame array counts frames.  A quantised
array holds unsigned integers ``q`` that stand for ``lo + q (hi - lo) / (largest unsigned integer of the
type)``. In a delta array each frame after the first holds the difference to the frame before, taken on its
bits as unsigned integers (modulo 2^8, 2^16 or 2^32): what changes slowly becomes runs of zeros, which
compress to almost nothing.
"""

import json
import zlib
from dataclasses import dataclass, field

import numpy as np

from nnlib.errors import SettingError

MAGIC = b"NNR1"
INFLATED = b"NNR0"
_DTYPES = ("u1", "u2", "i4", "f4", "f8")


@dataclass
class Recording:
    """The frames of one run of an instrument.

    Parameters
    ----------
    frames : dict of str to ndarray
        What changes: each array has shape (F, ...), one entry a frame.
    static : dict of str to ndarray
        What stays the same over the run.
    meta : dict
        JSON: at least ``settings``, ``sentences`` (one a frame), ``code`` and ``columns``; ``stopped`` if the
        run ended early.
    """

    frames: dict[str, np.ndarray]
    static: dict[str, np.ndarray] = field(default_factory=dict)
    meta: dict = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of frames F."""
        return len(next(iter(self.frames.values()))) if self.frames else 0


@dataclass(frozen=True)
class Encoding:
    """How one array is stored.

    Parameters
    ----------
    dtype : {"u1", "u2", "i4", "f4", "f8"}
        The stored type.  ``u1`` and ``u2`` quantise linearly between ``lo`` and ``hi``.
    lo, hi : float, optional
        The range of a quantised array; by default the smallest and largest value that occur.
    levels : int, optional
        How many different values a quantised array keeps, by default all that the type holds. Maps of 33 levels
        take a third of the bytes of 256, and an odd number keeps the middle of the range exact.
    bits : int, optional
        How many bits an f4 or f8 array keeps after the leading one, by default all; 9 are about three digits.
    delta : bool
        Store each frame as the difference to the one before.

    Examples
    --------
    >>> maps = Recording({"map": np.array([[-1.0, 0.0, 0.3], [-1.0, 0.1, 0.5]])})
    >>> unpack(pack(maps, {"map": Encoding("u1", lo=-1, hi=1, levels=21, delta=True)})).frames["map"].round(3)
    array([[-1. ,  0. ,  0.3],
           [-1. ,  0.1,  0.5]])
    """

    dtype: str
    lo: float | None = None
    hi: float | None = None
    levels: int | None = None
    bits: int | None = None
    delta: bool = False

    def __post_init__(self) -> None:
        if self.dtype not in _DTYPES:
            raise SettingError(f"dtype must be one of {', '.join(_DTYPES)}; got {self.dtype!r}")
        if self.delta and self.dtype == "f8":
            raise SettingError("an f8 array cannot be stored as differences; use f4, u2 or u1, or delta=False")


def _default_encoding(array: np.ndarray, per_frame: bool) -> Encoding:
    """Whole numbers as i4; one real number a frame as f8 (a loss may be huge); other real numbers as f4."""
    if array.dtype.kind in "iub":
        return Encoding("i4")
    return Encoding("f8" if per_frame and array.ndim == 1 else "f4")


def _rounded(array: np.ndarray, bits: int) -> np.ndarray:
    """Round numbers to `bits` bits after the leading one: the rest are zeros, which compress."""
    mantissa, exponent = np.frexp(array)
    return np.ldexp(np.rint(np.ldexp(mantissa, bits + 1)), exponent - bits - 1).astype(array.dtype)


def _encode(name: str, array: np.ndarray, per_frame: bool, encoding: Encoding) -> tuple[dict, bytes]:
    entry: dict = {"name": name, "per_frame": per_frame, "dtype": encoding.dtype, "shape": list(array.shape)}
    dtype = np.dtype("<" + encoding.dtype)
    if dtype.kind == "u":
        if array.size and not np.isfinite(array).all():
            raise SettingError(
                f"{name!r} holds a value that is not finite, so it cannot be quantised; end the run before it"
            )
        smallest, largest = (array.min(), array.max()) if array.size else (0, 0)
        lo = float(smallest if encoding.lo is None else encoding.lo)
        hi = float(largest if encoding.hi is None else encoding.hi)
        largest = np.iinfo(dtype).max
        top = largest if encoding.levels is None else encoding.levels - 1
        entry["quantised"] = {"lo": lo, "hi": lo + (hi - lo) * (largest / top)}
        scaled = (array.astype(np.float64) - lo) * (top / (hi - lo)) if hi > lo else np.zeros(array.shape)
        stored = np.rint(np.clip(scaled, 0, top)).astype(dtype)
    else:
        stored = np.ascontiguousarray(array, dtype=dtype)
        if encoding.bits is not None:
            stored = _rounded(stored, encoding.bits)
    if per_frame and encoding.delta:
        entry["delta"] = True
        bits = stored.view(f"<u{dtype.itemsize}")
        stored = bits.copy()
        stored[1:] = bits[1:] - bits[:-1]
    return entry, stored.tobytes()


def pack(recording: Recording, encodings: dict[str, Encoding] | None = None, *, deflate: bool = True) -> bytes:
    """Write a recording as bytes; equal recordings give equal bytes.

    Parameters
    ----------
    recording : Recording
    encodings : dict of str to Encoding, optional
        For what is not stored the default way (whole numbers i4, a number a frame f8, the rest f4).
    deflate : bool
        False leaves the body as it is, after ``NNR0``: for bytes that only change hands inside a page.

    Returns
    -------
    bytes

    Examples
    --------
    >>> loss = np.array([0.7, 0.5, 0.4])
    >>> unpack(pack(Recording({"loss": loss}))).frames["loss"]
    array([0.7, 0.5, 0.4])
    """
    encodings = encodings or {}
    entries, blobs = [], []
    if both := recording.frames.keys() & recording.static.keys():
        raise SettingError(f"{min(both)!r} names an array of the frames and a still one: rename one of the two")
    for per_frame, arrays in ((True, recording.frames), (False, recording.static)):
        for name, values in arrays.items():
            array = np.asarray(values)
            if per_frame and len(array) != len(recording):
                raise SettingError(f"every frame needs {name!r}: got {len(array)} entries for {len(recording)} frames")
            entry, blob = _encode(name, array, per_frame, encodings.get(name) or _default_encoding(array, per_frame))
            entries.append(entry)
            blobs.append(blob + bytes(-len(blob) % 8))
    header = {"frames": len(recording), "meta": recording.meta, "arrays": entries}
    text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
    text += b" " * (-(4 + len(text)) % 8)
    body = len(text).to_bytes(4, "little") + text + b"".join(blobs)
    return MAGIC + zlib.compress(body, 7) if deflate else INFLATED + body


def unpack(data: bytes) -> Recording:
    """Read the bytes that :func:`pack` wrote.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    Recording
        Quantised arrays come back as float64, rounded to the levels that were stored.
    """
    if data[:4] not in (MAGIC, INFLATED):
        raise SettingError(f"a recording starts with {MAGIC!r}; got {bytes(data[:4])!r}")
    body = zlib.decompress(data[4:]) if data[:4] == MAGIC else data[4:]
    end = 4 + int.from_bytes(body[:4], "little")
    header = json.loads(body[4:end])
    recording = Recording({}, {}, header["meta"])
    for entry in header["arrays"]:
        dtype = np.dtype("<" + entry["dtype"])
        count = int(np.prod(entry["shape"], dtype=np.int64))
        stored = np.frombuffer(body, dtype, count, end).reshape(entry["shape"])
        end += -(-stored.nbytes // 8) * 8
        if entry.get("delta"):
            bits = f"<u{dtype.itemsize}"
            stored = np.cumsum(stored.view(bits), axis=0, dtype=bits).view(dtype)
        if "quantised" in entry:
            lo, hi = entry["quantised"]["lo"], entry["quantised"]["hi"]
            stored = lo + stored * ((hi - lo) / np.iinfo(dtype).max)
        (recording.frames if entry["per_frame"] else recording.static)[entry["name"]] = stored
    return recording
