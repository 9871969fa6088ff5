// Python for the page: Pyodide, numpy and the book's own packages, in one worker which all figures and cells share.
//
// The page sends {type: "boot", runtime, texts?} first. `runtime` names each file with its sha256. The files come from
// the browser's cache, or from the book's folder, or, where a page from a disk may not fetch, in `texts` as base64.
// Afterwards
//   {type: "compute", id, instrument, settings}  is answered by {type: "frames", id, bytes} and {type: "done", id, bytes}
//   {type: "cancel", id}                         ends that run at the next chance
//   {type: "run", id, cell}                      runs a cell (livecells.py says what it is): {type: "output", id, text}
//                                                while it runs, {type: "result", id, result} at its end
//   {type: "ping"}                               is answered by {type: "pong"}
// and whatever fails, by {type: "failed", id?, message}.

const CACHE = "livepage-runtime";
const SLICE = 0.012; // seconds of computing between two looks at what the page wants now
const NOWHERE = "https://runtime.invalid/"; // where Pyodide thinks its files are

const tell = (message, transfer = []) => self.postMessage(message, transfer);
let python = null;
const going = new Set(); // ids of the runs that go on

// ---- files ----------------------------------------------------------------------------------------------------------

class Unfit extends Error {}

function fromBase64(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function fromNetwork(address, cache, progress) {
  const kept = await cache?.match(address);
  let answer = kept;
  if (!kept) {
    try {
      answer = await fetch(address);
    } catch {
      throw new Unfit("Python for this page could not be fetched: the book's server does not answer.");
    }
    if (!answer.ok) throw new Unfit(`Python for this page is missing on the book's server (${answer.status}).`);
  }
  const chunks = [];
  for (const reader = answer.body.getReader(); ;) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    progress(value.length);
  }
  return { bytes: await new Blob(chunks).arrayBuffer(), kept: Boolean(kept) };
}

async function inflate(bytes) {
  try {
    return await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  } catch {
    return null;
  }
}

// Only a page from a safe origin (https, this machine) may compute digests.
async function is(bytes, sha256) {
  if (!bytes || !self.crypto?.subtle) return Boolean(bytes);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("") === sha256;
}

/** Promise each file, as soon as it is here and is what it should be. */
function collect({ files, folder }, texts) {
  const names = Object.keys(files).filter((name) => name !== "worker.js");
  const total = names.reduce((sum, name) => sum + files[name].bytes, 0);
  let loaded = 0;
  const progress = (bytes) => {
    loaded += bytes;
    tell({ type: "progress", stage: "Fetching Python", loaded, total });
  };
  const opened = texts ? null : self.caches?.open(CACHE).catch(() => null);
  const addresses = new Map(names.map((name) => [name, `${folder}${files[name].file}.bin`]));
  const promises = names.map(async (name) => {
    const [address, cache] = [addresses.get(name), await opened];
    const { bytes, kept } = texts ? { bytes: fromBase64(texts[name]) } : await fromNetwork(address, cache, progress);
    const inflated = await inflate(bytes);
    if (!(await is(inflated, files[name].sha256))) {
      await cache?.delete(address);
      throw new Unfit(`Python for this page was refused: ${name} is not the file which the book was built with.`);
    }
    // A full disk or a private window may refuse; then the next page fetches again.
    if (cache && !kept) cache.put(address, new Response(bytes)).catch(() => {});
    return inflated;
  });
  const all = Promise.all(promises).then(async () => {
    tell({ type: "progress", stage: "Starting Python" });
    const cache = await opened;
    if (!cache) return;
    const current = new Set(addresses.values());
    const keys = await cache.keys();
    await Promise.all(keys.filter((request) => !current.has(request.url)).map((request) => cache.delete(request)));
  });
  return [Object.fromEntries(names.map((name, index) => [name, promises[index]])), all];
}

// ---- starting Python ------------------------------------------------------------------------------------------------

const program = (bytes) => URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));

/** Write the files of a zip archive whose files are stored as they are (runtime.py makes it so). */
function unpack(archive, folder) {
  const view = new DataView(archive);
  const made = new Set();
  for (let at = 0; view.getUint32(at, true) === 0x04034b50;) {
    const [size, name, extra] = [view.getUint32(at + 18, true), view.getUint16(at + 26, true), view.getUint16(at + 28, true)];
    const path = `${folder}/${new TextDecoder().decode(new Uint8Array(archive, at + 30, name))}`;
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (!made.has(parent)) python.FS.mkdirTree(parent);
    made.add(parent);
    at += 30 + name + extra;
    python.FS.writeFile(path, new Uint8Array(archive, at, size), { canOwn: true });
    at += size;
  }
}

async function start(files, runtime) {
  const outside = self.fetch;
  self.fetch = async (address) => {
    const name = String(address).replace(NOWHERE, "");
    if (!(name in files)) return outside(address);
    const type = name.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
    return new Response(await files[name], { headers: { "Content-Type": type } });
  };
  await import(program(await files["pyodide.asm.js"]));
  const { loadPyodide } = await import(program(await files["pyodide.mjs"]));
  python = await loadPyodide({
    indexURL: NOWHERE, lockFileContents: { info: runtime.python, packages: {} }, env: { OPENBLAS_NUM_THREADS: "1" },
  });
  self.fetch = outside;
}

async function boot({ runtime, texts }) {
  const [files, all] = collect(runtime, texts);
  await Promise.all([all, start(files, runtime)]); // Python starts while other files are still on their way
  tell({ type: "progress", stage: "Loading numpy" });
  const site = python.runPython("import site; site.getsitepackages()[0]");
  for (const name of ["numpy.zip", "packages.zip"]) unpack(await files[name], site);
  python.runPython("import numpy");
  tell({ type: "progress", stage: "Loading the book's own code" });
  python.runPython("import livecells; from nnlib.widgets import compute");
}

// ---- work -----------------------------------------------------------------------------------------------------------

/** Let messages in: what `setTimeout` does, without its wait. */
const lookUp = (() => {
  const { port1, port2 } = new MessageChannel();
  const waiting = [];
  port1.onmessage = () => waiting.shift()();
  return () => new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(null);
  });
})();

const copied = (proxy) => {
  const bytes = proxy.toJs();
  proxy.destroy();
  return bytes;
};

async function compute({ id, instrument, settings }) {
  going.add(id);
  await lookUp(); // a slider that moves on has taken this back already
  let run;
  try {
    if (!going.has(id)) return;
    const Run = python.globals.get("compute").Run;
    run = Run(instrument, JSON.stringify(settings));
    while (going.has(id)) {
      const part = run.advance(SLICE);
      if (run.problem) {
        tell({ type: "failed", id, message: run.problem });
        return;
      }
      if (part) {
        const bytes = copied(part);
        tell({ type: run.done ? "done" : "frames", id, bytes }, [bytes.buffer]);
      }
      if (run.done) return;
      await lookUp();
    }
  } finally {
    run?.destroy();
    going.delete(id);
  }
}

function runCell({ id, cell }) {
  const print = (text) => tell({ type: "output", id, text });
  const result = python.globals.get("livecells").session.run_json(JSON.stringify(cell), print);
  tell({ type: "result", id, result: JSON.parse(result) });
}

/** The last line of a Python traceback says what is wrong. */
function inWords(error) {
  if (error instanceof Unfit) return error.message;
  const text = String(error.message ?? error).trim();
  if (/MemoryError|out of memory|memory access out of bounds|Cannot enlarge memory/i.test(text)) {
    return "There is not enough memory for this in the page.";
  }
  return text.split("\n").at(-1);
}

self.onmessage = async ({ data }) => {
  try {
    if (data.type === "boot") {
      await boot(data);
      tell({ type: "ready" });
    } else if (data.type === "compute") await compute(data);
    else if (data.type === "cancel") going.delete(data.id);
    else if (data.type === "run") runCell(data);
    else if (data.type === "ping") tell({ type: "pong" });
  } catch (error) {
    tell({ type: "failed", id: data.id, message: inWords(error) });
  }
};
