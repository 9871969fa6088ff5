"""Python for the pages themselves: what it consists of, and how it comes into a book.

The page's worker (``assets/livepage-worker.js``) runs the same code as the notebooks: CPython compiled to WebAssembly
(Pyodide), numpy, and the packages of this checkout. ``runtime.json`` locks what comes from outside, each file by its
sha256. A built book holds each file twice: deflated, for pages that may fetch, and as a script, for pages opened from
a disk, which may not. Without the runtime, which ``livepage.fetch`` fetches, the book builds all the same and its
figures show what their banks hold.
"""

import base64
import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

LOCK = Path(__file__).with_name("runtime.json")
CELLS = Path(__file__).with_name("livecells.py")
COMPILER = Path(__file__).with_name("bytecode.mjs")
PACKAGE = "nnlib"
LARGEST_DOWNLOAD = 8_000_000  # bytes, all files of a page's runtime together
# What no page imports: of numpy its tests, its types, its compiler of Fortran, what C programs need; of the standard
# library what needs processes, sockets or a terminal, watches or packs programs, and the alphabets of old systems.
UNUSED = re.compile(
    r"numpy/(?:(?:.*/)?tests|testing|f2py|_core/include|_core/lib|random/lib|random/_examples|_pyinstaller)/"
    r"|numpy/(?:linalg/lapack_lite\..*|ma/(?:testutils|timer_comparison)\.py|conftest\.py)$|.*\.(?:pyi|pxd)$|.*/RECORD$"
    r"|(?:multiprocessing|wsgiref|xmlrpc|_pyrepl|unittest|email|http|xml|tomllib|zoneinfo)/"
    r"|(?:imaplib|smtplib|ftplib|poplib|mailbox|socketserver|webbrowser|urllib/(?:request|robotparser)|ipaddress|uuid"
    r"|pdb|bdb|cmd|trace|profile|cProfile|pstats|doctest|pickletools|modulefinder|compileall|zipapp|tarfile|fileinput"
    r"|optparse|configparser|plistlib|mimetypes|wave|html/parser|logging/(?:handlers|config)|_pyio|_pydatetime"
    r"|asyncio/(?:windows|proactor)_\w+|concurrent/futures/process|ctypes/_aix|pyodide/console)\.py$"
    r"|encodings/(?!cp437|cp1252)(?:cp|mac_|iso|koi|kz|ptcp|tis|palmos|hp_)"
)


def sha256(data: bytes) -> str:
    """Return the digest by which the lock knows a file."""
    return hashlib.sha256(data).hexdigest()


def cache_of(root: Path) -> Path:
    """Return the folder which keeps the fetched runtime: another for each lock, choice of parts and compiler."""
    made_by = LOCK.read_bytes() + UNUSED.pattern.encode() + COMPILER.read_bytes()
    return root / ".cache" / f"runtime-{sha256(made_by)[:16]}"


def slim(archive: bytes) -> bytes:
    """Return a zip archive without what no page needs."""
    with zipfile.ZipFile(io.BytesIO(archive)) as whole:
        names = [name for name in whole.namelist() if not name.endswith("/") and not UNUSED.match(name)]
        return stored((name, whole.read(name)) for name in names)


def stored(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a zip archive, the same for the same files; not compressed, because it will be as a whole."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def packages(root: Path) -> bytes:
    """Return the book's own package, and what runs a cell, as one archive."""
    found = [
        (path.relative_to(root).as_posix(), path.read_bytes())
        for path in (root / PACKAGE).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    return stored([*found, (CELLS.name, CELLS.read_bytes())])


def compiled(files: dict[str, bytes], names: list[str]) -> dict[str, bytes]:
    """Return some archives of a runtime with what a start imports as bytecode: compiling takes most of its time.

    Python for the pages compiles it itself, in the node that Playwright brings. Without it the archives stay as they
    are, and pages start more slowly.

    Parameters
    ----------
    files
        All files of the runtime, and ``packages.zip``.
    names
        The archives to compile.
    """
    try:
        from playwright._impl._driver import compute_driver_executable

        node = compute_driver_executable()[0]
        with TemporaryDirectory() as name:
            folder = Path(name)
            for file, data in files.items():
                (folder / file).write_bytes(data)
            lock = {"info": json.loads(LOCK.read_text(encoding="utf-8"))["python"], "packages": {}}
            (folder / "lock.json").write_text(json.dumps(lock), encoding="utf-8")
            subprocess.run([node, COMPILER, folder, *names], check=True, capture_output=True)
            return {file: (folder / file).read_bytes() for file in names}
    except (ImportError, OSError, subprocess.CalledProcessError) as reason:
        print(f"  Python for the pages stays text, and starts more slowly: {reason}", flush=True)
        return {name: files[name] for name in names}


def unpacked(folder: Path) -> dict[str, bytes]:
    """Return the files of a runtime that `write_packed` wrote."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return {name: gzip.decompress((folder / f"{entry['file']}.bin").read_bytes()) for name, entry in manifest.items()}


def write_packed(files: dict[str, bytes], folder: Path) -> None:
    """Write each file deflated and as a script, and ``manifest.json``, which names them."""
    manifest: dict[str, dict[str, Any]] = {}
    for name, data in files.items():
        digest = sha256(data)
        small = gzip.compress(data, 9, mtime=0)
        stem = f"{name}-{digest[:12]}"
        # Not called .gz: some servers would announce, and the browser undo, the compression.
        (folder / f"{stem}.bin").write_bytes(small)
        text = base64.b64encode(small).decode("ascii")
        (folder / f"{stem}.js").write_text(f'livepage.deliver("{name}", "{text}");\n', encoding="ascii")
        manifest[name] = {"file": stem, "bytes": len(small), "sha256": digest}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def publish(root: Path, worker: Path, destination: Path) -> bool:
    """Put the runtime into a built book, if it was fetched.

    Parameters
    ----------
    root
        The checkout's folder.
    worker
        The worker's program; pages from a disk get it as a script, too.
    destination
        The folder in the book. What an older build left there is removed.

    Returns
    -------
    bool
        Whether the book has its runtime.
    """
    shutil.rmtree(destination, ignore_errors=True)
    cache = cache_of(root)
    if not (cache / "manifest.json").exists():
        return False
    shutil.copytree(cache, destination)
    manifest = json.loads((destination / "manifest.json").read_text(encoding="utf-8"))
    mine = compiled(unpacked(cache) | {"packages.zip": packages(root)}, ["packages.zip"])
    write_packed(mine | {"worker.js": worker.read_bytes()}, destination)
    manifest |= json.loads((destination / "manifest.json").read_text(encoding="utf-8"))
    (destination / "manifest.json").unlink()
    described = {"files": manifest, "python": json.loads(LOCK.read_text(encoding="utf-8"))["python"]}
    text = f"window.livepage = {{ runtime: {json.dumps(described, separators=(',', ':'))} }};\n"
    (destination / "manifest.js").write_text(text, encoding="utf-8")
    total = sum(entry["bytes"] for entry in manifest.values())
    if total > LARGEST_DOWNLOAD:
        raise ValueError(f"the pages' runtime is {total} bytes to download; it may be {LARGEST_DOWNLOAD}")
    return True
