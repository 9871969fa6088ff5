// Compile what a start imports: node bytecode.mjs FOLDER ARCHIVE... rewrites archives of a folder that holds the whole
// runtime. Python itself does it, the same that will run the bytecode. Of the standard library it keeps no docstrings;
// the book's own packages keep their source beside the bytecode.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, ...archives] = process.argv.slice(2);
const read = (name) => new Uint8Array(readFileSync(`${folder}/${name}`));
const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`).href);
const python = await loadPyodide({
  indexURL: `${folder}/`, lockFileContents: readFileSync(`${folder}/lock.json`, "utf8"), env: { PYTHONHASHSEED: "0" },
});
const site = python.runPython("import site; site.getsitepackages()[0]");
for (const name of ["numpy.zip", "packages.zip"]) python.unpackArchive(read(name), "zip", { extractDir: site });
python.runPython(`
import importlib.util, site, sys, zipfile
from importlib._bootstrap_external import _code_to_hash_pyc, cache_from_source

import livecells
from nnlib.widgets import STEMS, compute, load

for stem in STEMS:
    load(stem)
imported = {getattr(module, "__file__", None) for module in sys.modules.values()}


def compiled(archive):
    library = archive == "python_stdlib.zip"
    where = (next(path for path in sys.path if path.endswith(".zip")) if library else site.getsitepackages()[0]) + "/"
    with zipfile.ZipFile("/in.zip") as whole, zipfile.ZipFile("/out.zip", "w", zipfile.ZIP_STORED) as made:
        for name in whole.namelist():
            data = whole.read(name)
            if not name.endswith(".py") or where + name not in imported:
                made.writestr(zipfile.ZipInfo(name), data)
                continue
            code = compile(data, where + name, "exec", dont_inherit=True, optimize=2 * library)
            bytecode = _code_to_hash_pyc(code, importlib.util.source_hash(data), False)
            if archive == "packages.zip":
                made.writestr(zipfile.ZipInfo(name), data)
                name = cache_from_source(name)
            else:
                name += "c"
            made.writestr(zipfile.ZipInfo(name), bytecode)
`);
for (const archive of archives) {
  python.FS.writeFile("/in.zip", read(archive));
  python.globals.get("compiled")(archive);
  writeFileSync(`${folder}/${archive}`, python.FS.readFile("/out.zip"));
}
