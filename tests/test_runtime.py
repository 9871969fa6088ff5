"""Python for the pages is fetched once, verified, gone on with after a break, and left out where it cannot be had."""

import base64
import gzip
import io
import json
import re
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from livepage import fetch, runtime

ROOT = Path(__file__).parents[1]
FILES = {"python.mjs": b"export {}", "python_stdlib.zip": runtime.stored([("os.py", b""), ("imaplib.py", b"")])}
WHEEL = runtime.stored(
    (name, b"x = 1")
    for name in ("numpy/__init__.py", "numpy/tests/test_x.py", "numpy/lib/tests/t.py", "numpy/a.pyi")
)


def tarball(files: dict[str, bytes]) -> bytes:
    """Return an npm package with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


class Registry(BaseHTTPRequestHandler):
    """Sends files, and only some bytes of them if told so; writes down what was asked for."""

    served: dict[str, bytes]
    asked: list[tuple[str, str | None]]
    breaks_after: int | None = None

    def log_message(self, *arguments: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.asked.append((self.path, wanted))
        data = self.served.get(self.path)
        if data is None:
            self.send_error(404)
            return
        start = int(re.search(r"\d+", wanted)[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        end = type(self).breaks_after
        self.wfile.write(data[start:end])
        type(self).breaks_after = None


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Registry]]:
    """Serve a lock's files on the loopback interface, without npm; the official source of numpy does not answer."""
    python = tarball(FILES)
    carrier = tarball({"numpy.whl": WHEEL})
    handler = type(
        "Handler", (Registry,),
        {"served": {"/python/-/python-1.0.tgz": python, "/@some/carrier/-/carrier-2.0.tgz": carrier}, "asked": []},
    )  # fmt: skip
    lock = {
        "python": {"python": "3"},
        "files": {name: runtime.sha256(data) for name, data in FILES.items()},
        "sources": {
            "pyodide": [{"npm": "python", "version": "1.0", "sha256": runtime.sha256(python)}],
            "numpy": [
                {"url": "http://127.0.0.1:9/numpy.whl", "sha256": "0"},
                {
                    "npm": "@some/carrier", "version": "2.0", "sha256": runtime.sha256(carrier),
                    "member": "package/numpy.whl", "member_sha256": runtime.sha256(WHEEL),
                },
            ],
        },
    }  # fmt: skip
    path = tmp_path / "lock.json"
    path.write_text(json.dumps(lock), encoding="utf-8")
    for module in (runtime, fetch):
        monkeypatch.setattr(module, "LOCK", path)
    monkeypatch.setattr(fetch.shutil, "which", lambda name: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield handler
        server.shutdown()
        thread.join()


def test_what_was_fetched_is_packed_and_fetched_once(registry: type[Registry], tmp_path: Path) -> None:
    cache = fetch.fetch(tmp_path)
    manifest = json.loads((cache / "manifest.json").read_text())
    assert manifest.keys() == {*FILES, "numpy.zip"}
    for entry in manifest.values():
        small = (cache / f"{entry['file']}.bin").read_bytes()
        assert len(small) == entry["bytes"]
        assert runtime.sha256(gzip.decompress(small)) == entry["sha256"]
        text = re.search(r'livepage\.deliver\("\S+", "(.*)"\);', (cache / f"{entry['file']}.js").read_text())[1]
        assert base64.b64decode(text) == small
    unpacked = gzip.decompress((cache / f"{manifest['numpy.zip']['file']}.bin").read_bytes())
    assert zipfile.ZipFile(io.BytesIO(unpacked)).namelist() == ["numpy/__init__.py"]
    assert [path.name for path in (tmp_path / ".cache").iterdir()] == [cache.name]
    asked = len(registry.asked)
    assert fetch.fetch(tmp_path) == cache
    assert len(registry.asked) == asked


def test_a_fetch_that_broke_off_goes_on_from_there(registry: type[Registry], tmp_path: Path) -> None:
    registry.breaks_after = 100
    with pytest.raises(fetch.Unreachable, match="the next try goes on from there"):
        fetch.fetch(tmp_path)
    fetch.fetch(tmp_path)
    assert [wanted for path, wanted in registry.asked if path.startswith("/python")] == [None, "bytes=100-"]


@pytest.mark.parametrize("path", ["/python/-/python-1.0.tgz", "/@some/carrier/-/carrier-2.0.tgz"])
def test_a_file_that_is_not_the_locks_is_refused_and_nothing_is_kept(
    path: str, registry: type[Registry], tmp_path: Path
) -> None:
    registry.served[path] = tarball({"numpy.whl": b"another"})
    with pytest.raises(fetch.Mismatch, match=r"has the sha256 [0-9a-f]{64}, but livepage/runtime.json names"):
        fetch.fetch(tmp_path)
    assert not list((tmp_path / ".cache").glob("runtime-*"))
    assert path.rpartition("/")[2] not in {found.name for found in (tmp_path / ".cache" / "downloads").iterdir()}


def test_the_command_tells_what_is_wrong(
    registry: type[Registry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    kept = dict(registry.served)
    registry.served.clear()
    fetch.main()
    assert "built without Python in its pages" in capsys.readouterr().out
    registry.served.update({path: tarball({}) for path in kept})
    with pytest.raises(SystemExit, match="refused"):
        fetch.main()
    registry.served.update(kept)
    fetch.main()
    assert (runtime.cache_of(tmp_path) / "manifest.json").exists()


def test_a_book_gets_its_runtime_or_none(registry: type[Registry], tmp_path: Path) -> None:
    worker, destination = tmp_path / "worker.js", tmp_path / "html" / "runtime"
    worker.write_text("self")
    package = tmp_path / runtime.PACKAGE
    package.mkdir()
    (package / "__init__.py").write_text("answer = 42")
    assert not runtime.publish(tmp_path, worker, destination)
    assert not destination.exists()
    fetch.fetch(tmp_path)
    assert runtime.publish(tmp_path, worker, destination)
    text = (destination / "manifest.js").read_text()
    files = json.loads(re.search(r"runtime: (\{.*\}) \};", text)[1])["files"]
    assert files.keys() == {*FILES, "numpy.zip", "packages.zip", "worker.js"}
    packed = gzip.decompress((destination / f"{files['packages.zip']['file']}.bin").read_bytes())
    assert zipfile.ZipFile(io.BytesIO(packed)).namelist() == ["livecells.py", "nnlib/__init__.py"]
    before = sorted(path.name for path in destination.iterdir())
    assert runtime.publish(tmp_path, worker, destination)
    assert sorted(path.name for path in destination.iterdir()) == before


def test_what_a_start_imports_is_compiled_and_the_rest_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = runtime.cache_of(ROOT)
    if not (cache / "manifest.json").exists():
        pytest.skip("the runtime was not fetched: `make book` with a network does it")

    def names(archive: bytes) -> list[str]:
        return zipfile.ZipFile(io.BytesIO(archive)).namelist()

    files = runtime.unpacked(cache)
    assert {"encodings/__init__.pyc", "json/decoder.pyc", "colorsys.py"} <= set(names(files["python_stdlib.zip"]))
    assert {"numpy/__init__.pyc", "numpy/random/__init__.pyc", "numpy/polynomial/chebyshev.py"} <= set(
        names(files["numpy.zip"])
    )
    text = runtime.packages(ROOT)
    made = runtime.compiled(files | {"packages.zip": text}, ["packages.zip"])
    assert runtime.compiled(files | {"packages.zip": text}, ["packages.zip"]) == made
    bytecode = "nnlib/__pycache__/network.cpython-313.pyc"
    assert {*names(text), bytecode} <= set(names(made["packages.zip"]))
    assert "nnlib/__pycache__/figures.cpython-313.pyc" not in names(made["packages.zip"])


def test_where_nothing_compiles_python_stays_text(capsys: pytest.CaptureFixture) -> None:
    archive = runtime.stored([("a.py", b"")])
    assert runtime.compiled({"packages.zip": archive}, ["packages.zip"]) == {"packages.zip": archive}
    assert "starts more slowly" in capsys.readouterr().out


def test_the_lock_names_each_file_by_its_digest() -> None:
    lock = json.loads(Path(runtime.__file__).with_name("runtime.json").read_text())
    digests = [*lock["files"].values()]
    for sources in lock["sources"].values():
        for source in sources:
            digests += [value for key, value in source.items() if key.endswith("sha256")]
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in digests)
    assert {"pyodide.mjs", "pyodide.asm.js", "pyodide.asm.wasm", "python_stdlib.zip"} == lock["files"].keys()
