"""Python for the pages themselves: fetched once, verified, packed small: ``python -m livepage.runtime``.

The page's worker (``assets/livepage-worker.js``) runs the same code as the notebooks: CPython compiled to WebAssembly
(Pyodide), numpy, and the packages of this checkout. ``runtime.json`` locks what comes from outside, each file by its
sha256. A built book holds each file twice: deflated, for pages that may fetch, and as a script, for pages opened from
a disk, which may not. Without the runtime the book builds all the same and its figures show what their banks hold.
"""

import base64
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

LOCK = Path(__file__).with_name("runtime.json")
CELLS = Path(__file__).with_name("livecells.py")
REGISTRY = "https://registry.npmjs.org"
PACKAGE = "nnlib"
LARGEST_DOWNLOAD = 8_000_000  # bytes, all files of a page's runtime together
# What no page imports: of numpy its tests, its types, its compiler of Fortran, what C programs need; of the standard
# library what needs processes, servers or a terminal, and the alphabets of old operating systems.
UNUSED = re.compile(
    r"numpy/(?:.*/tests|f2py|_core/include|_core/lib)/|.*\.(?:pyi|pxd)$|.*/RECORD$"
    r"|(?:multiprocessing|wsgiref|xmlrpc|_pyrepl|unittest)/|(?:imaplib|smtplib|ftplib|poplib|mailbox|pdb)\.py$"
    r"|encodings/(?!cp437|cp1252)(?:cp|mac_|iso|koi|kz|ptcp|tis|palmos|hp_)"
)


class Unreachable(Exception):
    """None of the sources answers; the book is built without the runtime."""


class Mismatch(Exception):
    """A file is not what the lock says."""


def sha256(data: bytes) -> str:
    """Return the digest by which the lock knows a file."""
    return hashlib.sha256(data).hexdigest()


def cache_of(root: Path) -> Path:
    """Return the folder which keeps the fetched runtime: one for each state of the lock and of this module."""
    return root / ".cache" / f"runtime-{sha256(LOCK.read_bytes() + Path(__file__).read_bytes())[:16]}"


def fetch(root: Path) -> Path:
    """Fetch, verify and pack what the lock names, unless it is there.

    Parameters
    ----------
    root
        The checkout's folder; its ``.cache`` keeps the result and, after a break, what has come already.

    Returns
    -------
    Path
        The folder with the packed files.

    Raises
    ------
    Unreachable
        If no source can be reached.
    Mismatch
        If a source sends something else than the lock names. Nothing of it is kept.
    """
    cache = cache_of(root)
    if (cache / "manifest.json").exists():
        return cache
    lock = json.loads(LOCK.read_text(encoding="utf-8"))
    downloads = root / ".cache" / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    pyodide = first(lock["sources"]["pyodide"], downloads)
    files = {name: member(pyodide, f"package/{name}", digest) for name, digest in lock["files"].items()}
    files["python_stdlib.zip"] = slim(files["python_stdlib.zip"])
    files["numpy.zip"] = slim(first(lock["sources"]["numpy"], downloads))
    draft = cache.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    write_packed(files, draft)
    for stale in (root / ".cache").glob("runtime-*"):
        if stale != draft:
            shutil.rmtree(stale)
    draft.replace(cache)
    shutil.rmtree(downloads)
    return cache


def first(sources: list[dict[str, str]], downloads: Path) -> bytes:
    """Return what the first source that answers holds."""
    reasons = []
    for source in sources:
        try:
            data = download(source, downloads)
        except (URLError, HTTPException, OSError, subprocess.CalledProcessError) as error:
            reasons.append(f"{source.get('npm') or source['url']}: {error}")
            continue
        return member(data, source["member"], source["member_sha256"]) if "member" in source else data
    raise Unreachable("; ".join(reasons))


def member(tarball: bytes, name: str, digest: str) -> bytes:
    """Return one file of an npm package, if it is what the lock says."""
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        data = archive.extractfile(name).read()
    return verified(data, digest, name)


def verified(data: bytes, digest: str, name: str) -> bytes:
    """Return the bytes, or raise Mismatch."""
    if sha256(data) != digest:
        raise Mismatch(
            f"{name} has the sha256 {sha256(data)}, but livepage/runtime.json names {digest}. Nothing was kept. "
            "If the network changed the file, try another; if the file itself was replaced, find out why before you "
            "change the lock."
        )
    return data


def download(source: dict[str, str], downloads: Path) -> bytes:
    """Return a source's verified bytes; what came before a break is gone on with."""
    if "url" in source:
        address, name = source["url"], source["url"].rpartition("/")[2]
    else:
        stem = source["npm"].rpartition("/")[2]
        name = f"{source['npm'].strip('@').replace('/', '-')}-{source['version']}.tgz"
        registry = os.environ.get("npm_config_registry", REGISTRY).rstrip("/")
        address = f"{registry}/{source['npm']}/-/{stem}-{source['version']}.tgz"
    target = downloads / name
    if not target.exists() and "npm" in source and shutil.which("npm"):
        pack(source, downloads)  # npm knows its own registry, proxy and certificates
    elif not target.exists():
        pull(address, target)
    try:
        return verified(target.read_bytes(), source["sha256"], name)
    except Mismatch:
        target.unlink()
        raise


def pack(source: dict[str, str], downloads: Path) -> None:
    """Let npm fetch the tarball of a package."""
    wanted = f"{source['npm']}@{source['version']}"
    print(f"  {wanted}: asking npm ...", flush=True)
    command = ["npm", "pack", wanted, "--pack-destination", str(downloads), "--fetch-retries=1", "--loglevel=error"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def pull(address: str, target: Path) -> None:
    """Fetch a file, going on where an earlier try broke off, and say how far it is."""
    part = target.with_name(target.name + ".part")
    have = part.stat().st_size if part.exists() else 0
    request = Request(address, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urlopen(request, timeout=20, context=ssl.create_default_context())
    except HTTPError as error:
        if error.code != 416:
            raise
        part.replace(target)  # 416: nothing is left to send
        return
    with answer, part.open("ab" if answer.status == 206 else "wb") as file:
        have = file.tell()
        total = have + int(answer.headers.get("Content-Length", 0))
        told = 0.0
        while chunk := answer.read(1 << 16):
            file.write(chunk)
            have += len(chunk)
            if have == total or time.monotonic() - told > 1:
                told = time.monotonic()
                print(f"  {target.name}: {have / 1e6:.1f} of {total / 1e6:.1f} MB", flush=True)
    if total and have < total:
        raise OSError(f"the connection broke off after {have} of {total} bytes; the next try goes on from there")
    part.replace(target)


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
    write_packed({"packages.zip": packages(root), "worker.js": worker.read_bytes()}, destination)
    manifest |= json.loads((destination / "manifest.json").read_text(encoding="utf-8"))
    (destination / "manifest.json").unlink()
    described = {"files": manifest, "python": json.loads(LOCK.read_text(encoding="utf-8"))["python"]}
    text = f"window.livepage = {{ runtime: {json.dumps(described, separators=(',', ':'))} }};\n"
    (destination / "manifest.js").write_text(text, encoding="utf-8")
    total = sum(entry["bytes"] for entry in manifest.values())
    if total > LARGEST_DOWNLOAD:
        raise ValueError(f"the pages' runtime is {total} bytes to download; it may be {LARGEST_DOWNLOAD}")
    return True


def main() -> None:
    """Run as a command."""
    root = Path.cwd()
    if (cache_of(root) / "manifest.json").exists():
        return
    print("Fetching Python for the pages, once (runtime.json says what and from where) ...", flush=True)
    try:
        fetch(root)
    except Unreachable as reason:
        print(
            f"The book is built without Python in its pages: settings that are not stored need a live kernel.\n  {reason}"
        )
    except Mismatch as fault:
        sys.exit(f"The runtime of the pages was refused: {fault}")


if __name__ == "__main__":
    main()
