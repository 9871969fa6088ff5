"""Fetch Python for the pages, once, and verify it: ``python -m livepage.fetch``."""

import io
import json
import os
import shutil
import ssl
import subprocess
import sys
import tarfile
import time
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from livepage.runtime import LOCK, cache_of, compiled, packages, sha256, slim, write_packed

REGISTRY = "https://registry.npmjs.org"


class Unreachable(Exception):
    """None of the sources answers; the book is built without the runtime."""


class Mismatch(Exception):
    """A file is not what the lock says."""


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
    files |= compiled(files | {"packages.zip": packages(root)}, ["python_stdlib.zip", "numpy.zip"])
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
        registry = os.environ.get("NPM_CONFIG_REGISTRY", REGISTRY).rstrip("/")
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


def main() -> None:
    """Run as a command."""
    root = Path.cwd()
    if (cache_of(root) / "manifest.json").exists():
        return
    print("Fetching Python for the pages, once (livepage/runtime.json says what, and from where) ...", flush=True)
    try:
        fetch(root)
    except Unreachable as reason:
        print("The book is built without Python in its pages: settings that are not stored need a live kernel.")
        print(f"  {reason}")
    except Mismatch as fault:
        sys.exit(f"The runtime of the pages was refused: {fault}")


if __name__ == "__main__":
    main()
