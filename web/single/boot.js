// Starts the app where all its files are in this one: each becomes an address of its own, by which the others find it.
const text = (name) => document.getElementById(`file:${name}`).textContent;
const address = (source) => URL.createObjectURL(new Blob([source], { type: "text/javascript" }));

// In the order in which they need each other.
const addresses = {};
const linked = (source) =>
  Object.entries(addresses).reduce((source, [name, address]) => source.replaceAll(`"./${name}"`, `"${address}"`), source);
for (const name of ["files.js", "stethoscope.js", "instrument.js", "served.js", "server.js", "app.js"]) addresses[name] = address(linked(text(name)));

// A browser lets a page from a disk start no worker that is a module: it gets a script, with what it would import before it.
const library = ["stethoscope.js", "out.js", "serving.js"]
  .map(text)
  .join("\n")
  .replace(/^export \{.*\};?$/gm, "")
  .replace(/^export /gm, "")
  .replaceAll("import.meta.url", "location.href");
const worker = text("worker.js").replace(/^import .*$/gm, "");
globalThis.stethoscopeWorker = { address: address(`${library}\nconst start = __wbg_init;\n${worker}`), type: "classic" };

const unpacked = async (packed) => {
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
};

// The trained pair is part of this file, too.
globalThis.stethoscopeDemo = new Blob([text("demo.json")]);
globalThis.stethoscopeModule = unpacked(text("stethoscope_bg.wasm.gz")).then((bytes) => WebAssembly.compile(bytes));
import(addresses["app.js"]);
