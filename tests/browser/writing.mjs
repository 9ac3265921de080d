// The app writes what a recipe makes, byte for byte as the command line does, or leaves nothing that looks like a model.
import assert from "node:assert/strict";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { appTest, openPair } from "./app.mjs";
import { App } from "./browser.mjs";
import { DATA, written } from "./harness.mjs";

const MIB = 2 ** 20;
const UNFINISHED = "stethoscope-unfinished.json";

// A test cannot use the browser's dialogue. In its place the page is given a folder of the browser's own storage, which is a
// handle of the same kind, and behaves as a folder that was picked and lies empty.
const pickFolder = (app, name) => app.tab.evaluate((name) => {
  window.showDirectoryPicker = async () =>
    (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create: true });
}, name);

const hasNoPicker = (app) => app.tab.evaluate(() => (window.showDirectoryPicker = undefined));

// The files of such a folder, by name.
const filesOf = async (app, name) => {
  const found = await app.tab.evaluate(async (name) => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(name);
    const files = {};
    for await (const [name, handle] of folder.entries()) {
      const bytes = new Uint8Array(await (await handle.getFile()).arrayBuffer());
      files[name] = bytes.length < 1e7 ? Array.from(bytes) : [];
    }
    return files;
  }, name);
  return Object.fromEntries(Object.entries(found).sort().map(([name, bytes]) => [name, Buffer.from(bytes)]));
};

const assertSameFiles = (found, expected) => {
  assert.deepEqual(Object.keys(found).sort(), Object.keys(expected).sort());
  for (const [name, bytes] of Object.entries(expected)) assert.ok(bytes.equals(found[name]), `${name} differs`);
};

const compose = async (app, recipe) => {
  await app.click("Recipe");
  await app.write("Recipe as text", recipe);
  await app.until((state) => state.recipe === recipe && state.makes.length > 0 && !state.is_busy, "what it makes");
};

const notice = (app, pattern) =>
  app.until(({ notices, is_busy }) => !is_busy && notices.some((text) => pattern.test(text)), `a notice of ${pattern}`);

appTest("writes a recipe of a dropped pair to a picked folder as the command line does", async (app, folder) => {
  for (const side of ["a", "b"]) {
    cpSync(join(DATA, "delta/qwen2", side), join(folder, side), { recursive: true });
    await app.drop(side, join(folder, side));
    await app.opened(side, side);
  }
  await pickFolder(app, "picked");
  await compose(app, "A; take o_proj + norm from B; destroy reinit k_proj seed 7");
  const { recipe } = await app.state();
  await app.click("Write M…");
  await notice(app, /picked was written/);
  const named = recipe.replace(/^A;/, "a;").replace("from B", "from b");
  const expected = written(folder, named, "picked");
  assertSameFiles(await filesOf(app, "picked"), expected);
  await app.click("Write M…");
  await notice(app, /holds README.md and was not touched/);
  assertSameFiles(await filesOf(app, "picked"), expected);
});

appTest("writes a model as downloads where there is no picker", async (app, folder) => {
  await hasNoPicker(app);
  await openPair(app);
  await compose(app, "A; take o_proj from B");
  const downloads = [];
  app.tab.on("download", (download) => downloads.push(download));
  await app.click("Write M…");
  await notice(app, /merged was written/);
  const expected = written(folder, "planted:base; take o_proj from planted:tuned", "merged");
  const count = Object.keys(expected).length;
  await app.until(() => downloads.length === count, `${count} downloads`);
  const found = {};
  for (const download of downloads) {
    const parts = [];
    for await (const part of await download.createReadStream()) parts.push(part);
    found[download.suggestedFilename()] = Buffer.concat(parts);
  }
  assertSameFiles(found, expected);
});

appTest("writes nothing of what does not fit into the browser's storage, and says so", async (app) => {
  await hasNoPicker(app);
  await openPair(app);
  const devtools = await app.tab.context().newCDPSession(app.tab);
  const origin = new URL(App.address()).origin;
  // The page itself is kept there, too, once all of it has come; the pair has 5 MB each.
  await app.tab.evaluate(() => navigator.serviceWorker.ready);
  const { usage } = await app.tab.evaluate(() => navigator.storage.estimate());
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + 2 * MIB });
  await compose(app, "A; take o_proj from B");
  await app.click("Write M…");
  // Chromium tells no page its true quota beforehand, and says so when the file is begun; others tell it.
  await notice(app, /(bytes for this page and \d+ are needed|no room for model.safetensors of \d+ bytes)/);
  const files = Object.keys(await filesOf(app, "stethoscope"));
  assert.ok(files.every((name) => name === UNFINISHED), files.join(" "));
});

appTest("writes a model in two goes, and in between says that it is not whole", async (app) => {
  await app.giveLarge({ elements: 256 * MIB });
  // It is measured by itself, which this is not about.
  await app.click("Cancel");
  await pickFolder(app, "large");
  await compose(app, "A; take all from B");
  const before = await app.memory();
  await app.click("Write M…");
  await app.click("Stop");
  const left = await app.tab.evaluate(async () => {
    // What is being cleared away takes a moment.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const names = [];
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("large");
    for await (const name of folder.keys()) names.push(name);
    return names;
  });
  assert.deepEqual(left, [UNFINISHED]);
  await app.click("Write M…");
  await notice(app, /large was written/);
  const files = Object.keys(await filesOf(app, "large"));
  assert.ok(files.includes("model.safetensors") && !files.includes(UNFINISHED), files.join(" "));
  const grown = (await app.memory()) - before;
  assert.ok(grown < 64 * MIB, `the module's memory grew by ${grown} bytes for a file of 512 MiB`);
});
