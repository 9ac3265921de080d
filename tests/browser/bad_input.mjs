// What can be wrong with what is dropped: the page says what the command line says, where a person sees it.
import assert from "node:assert/strict";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DATA, checkpoint, fileOf, refusal, test, write } from "./harness.mjs";

const entry = (offsets, more = "") => `{"dtype":"F32","shape":[2],"data_offsets":[${offsets}]${more}}`;
const data = Buffer.alloc(8);
const length = (bytes) => {
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(bytes);
  return Buffer.concat([start, Buffer.from("{}")]);
};

// Files that are no shards, or broken ones.
const FILES = {
  "broken.safetensors": [
    Buffer.alloc(0),
    Buffer.from([2, 0, 0]),
    Buffer.alloc(8),
    fileOf("{}").subarray(0, 9),
    length(100_000_001n),
    length(2n ** 64n - 1n),
    length(99_999_999n),
    fileOf('{"\u0001'),
    fileOf('{"w":', data),
    fileOf("[]", data),
    fileOf(" {}", data),
    fileOf(`{"w":${"[".repeat(100_000)}`, data),
    fileOf(`{"w":${entry("0,8")},"w":${entry("0,8")}}`, data),
    fileOf(`{"w":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}`, data),
    fileOf(`{"w":{"dtype":"F4","shape":[16],"data_offsets":[0,8]}}`, data),
    fileOf(`{"w":{"dtype":"F32","shape":[2]}}`, data),
    fileOf(`{"w":${entry("0,8", ',"scale":2')}}`, data),
    fileOf(`{"__metadata__":{"k":1}}`, data),
    fileOf(`{"w\\u0000":${entry("0,8")}}`, data),
    fileOf(`{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}`, data),
    fileOf(`{"w":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,8]}}`, data),
    fileOf(`{"w":${entry("-8,0")}}`, data),
    fileOf(`{"w":${entry("0,18446744073709551616")}}`, data),
    fileOf(`{"w":${entry("8,0")}}`, data),
    fileOf(`{"w":${entry("4,12")}}`, data),
    fileOf(`{"v":${entry("0,8")},"w":${entry("4,12")}}`, Buffer.alloc(12)),
    fileOf(`{"w":${entry("0,8")}}`, Buffer.alloc(12)),
    fileOf("{}", data),
  ],
  "renamed.safetensors": ["GGUF\x03\0\0\0\0\0\0\0"],
  "model.safetensors": ["version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 988097824\n"],
  "page.safetensors": ["<!DOCTYPE html><html>"],
  "model.gguf": ["GGUF\x03\0\0\0\0\0\0\0"],
  "pytorch_model.bin": ["PK\x03\x04\0\0\0\0\0\0"],
  "old.bin": [Buffer.from("\x80\x02}q\0.", "latin1")],
  "unknown.bin": ["????????????"],
  "notes.txt": ["hello"],
};

test("a file that is no checkpoint is refused in the words of the command line", async (page, folder) => {
  for (const [name, contents] of Object.entries(FILES)) {
    for (const bytes of contents) {
      const path = write(folder, name, bytes);
      const { error } = await page.give("a", path);
      assert.equal(error, refusal("inspect", path).replaceAll(`${folder}/`, ""));
      assert.ok((await page.text()).includes(error), "it is seen");
    }
  }
}, { timeLimit: 120_000 });

const indexed = (folder, map) => {
  const json = typeof map === "string" ? map : JSON.stringify({ metadata: {}, weight_map: map });
  write(folder, "model.safetensors.index.json", json);
  write(folder, "one.safetensors", checkpoint({ v: [1] }));
  write(folder, "two.safetensors", checkpoint({ w: [2] }));
};

test("a folder that is no checkpoint is refused in the words of the command line", async (page, folder) => {
  const folders = {
    empty: (at) => mkdirSync(at),
    torch: (at) => write(at, "pytorch_model.bin", "PK\x03\x04"),
    llama: (at) => write(at, "model.gguf", "GGUF"),
    nested: (at) => {
      write(at, "readme.txt", "");
      write(at, "model/model.safetensors", checkpoint({ w: [1] }));
    },
    without_index: (at) => write(at, "model-00002-of-00003.safetensors", checkpoint({ w: [1] })),
    twice: (at) => ["one", "two"].map((name) => write(at, `${name}.safetensors`, checkpoint({ w: [1] }))),
    no_weights: (at) => indexed(at, {}),
    missing_shard: (at) => indexed(at, { w: "three.safetensors" }),
    outside: (at) => indexed(at, { w: "../two.safetensors" }),
    absolute: (at) => indexed(at, { w: "/etc/two.safetensors" }),
    other_shard: (at) => indexed(at, { w: "one.safetensors", v: "two.safetensors" }),
    missing_tensor: (at) => indexed(at, { v: "one.safetensors", x: "two.safetensors" }),
    not_safetensors: (at) => indexed(at, { v: "pytorch_model.bin" }),
    not_json: (at) => indexed(at, ""),
    not_an_object: (at) => indexed(at, "[]"),
    without_map: (at) => indexed(at, "{}"),
    several_indexes: (at) => ["x", "y"].map((name) => write(at, `${name}.safetensors.index.json`, "{}")),
  };
  for (const [name, fill] of Object.entries(folders)) {
    const path = join(folder, name);
    fill(path);
    const { error } = await page.give("a", path);
    assert.equal(error, refusal("inspect", path).replaceAll(`${folder}/`, ""));
    assert.ok((await page.text()).includes(error), "it is seen");
  }
}, { timeLimit: 120_000 });

test("shards that are missing from a drop of files are named", async (page) => {
  const shard = (name) => join(DATA, "delta/qwen2/a", name);
  const index = shard("model.safetensors.index.json");
  const first = shard("model-00001-of-00002.safetensors");
  const second = "a shard model-00002-of-00002.safetensors, but that file is missing";
  for (const paths of [[index, first], [first]]) {
    const { error } = await page.give("a", ...paths);
    assert.ok(error.includes(second), error);
  }
  const { error } = await page.give("a", index);
  assert.ok(error.includes("a shard model-00001-of-00002.safetensors, but that file is missing (as are 1 more)"), error);
  const { status } = await page.give("a", index, first, shard("model-00002-of-00002.safetensors"));
  assert.equal(status, "ready");
});

test("a drop that mixes two models is refused", async (page, folder) => {
  const [base, tuned] = ["base", "tuned"].map((name) => write(folder, `${name}.safetensors`, checkpoint({ w: [1] })));
  const files = await page.give("a", base, tuned);
  assert.match(files.error, /tensor w is in base.safetensors and in tuned.safetensors; the files of one model were expected/);
  const folders = await page.give("a", join(DATA, "delta/qwen2/a"), join(DATA, "delta/qwen2/b"));
  assert.equal(
    folders.error,
    "a and b were dropped together; one model was expected, so drop one of them on A and the other on B",
  );
});

test("what a browser could not read, and two files of one name, are refused", async (page) => {
  const give = (dropped) =>
    page.tab.evaluate(async (dropped) => {
      const files = dropped.paths.map((path) => new File(["x"], path));
      await window.stethoscope.give("a", { ...dropped, files });
      return window.stethoscope.state().sides.a.error;
    }, dropped);
  assert.equal(
    await give({ names: ["model"], paths: ["model/config.json"], unreadable: ["model/private", "not allowed"] }),
    "model/private: the browser could not read it (not allowed); make it readable for you, then drop it again",
  );
  assert.match(
    await give({ names: ["x.safetensors", "x.safetensors"], paths: ["x.safetensors", "x.safetensors"] }),
    /two files are called x.safetensors; the files of one model were expected/,
  );
});

test("the same file on both sides is told before and after", async (page, folder) => {
  const path = write(folder, "model.safetensors", checkpoint({ w: [1, 2] }));
  await page.give("a", path);
  const { holding } = await page.give("b", path);
  assert.ok(holding.oddities.includes("these seem to be the very files that A holds"), holding.oddities.join());
  await page.report();
  assert.match(await page.text(), /A and B hold the same values everywhere/);
});

test("two models with nothing in common are refused when run", async (page, folder) => {
  await page.give("a", write(folder, "a.safetensors", checkpoint({ w: [1] })));
  await page.give("b", write(folder, "b.safetensors", checkpoint({ x: [1] })));
  const { status, error } = await page.run();
  assert.equal(status, "failed");
  assert.match(error, /no tensor in common/);
  assert.ok((await page.text()).includes(error), "it is seen");
});

test("a file that changed on disk since it was dropped is noticed", async (page, folder) => {
  const path = write(folder, "a.safetensors", checkpoint({ w: [1, 2] }));
  await page.give("a", path);
  await page.give("b", write(folder, "b.safetensors", checkpoint({ w: [1, 3] })));
  writeFileSync(path, checkpoint({ w: [1, 2, 3, 4] }));
  // Browsers see whole seconds.
  utimesSync(path, 1e9, 1e9);
  const { error } = await page.run();
  assert.match(error, /a.safetensors changed while it was being read: .* is something still writing it\?/);
  assert.equal((await page.give("a", path)).status, "ready");
});

test("hostile names are text, wherever they are shown", async (page, folder) => {
  const name = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
  for (const side of ["a", "b"]) {
    const at = join(folder, `<b>${side}`);
    write(at, "model.safetensors", checkpoint({ [name]: side === "a" ? [1] : [2] }));
    write(at, "config.json", JSON.stringify({ model_type: name, x: side }));
    await page.give(side, at);
  }
  await page.report();
  const text = await page.tab.locator("#report").textContent();
  assert.ok(text.includes(name) && text.includes("<b>a"));
  assert.equal(await page.tab.evaluate(() => window.hacked), undefined);
  assert.equal(await page.tab.locator("#report img, #report script").count(), 0);
});

test("a file dropped beside the slots does not replace the page", async (page, folder) => {
  const path = write(folder, "notes.txt", "hello");
  const devtools = await page.tab.context().newCDPSession(page.tab);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await devtools.send("Input.dispatchDragEvent", { type, x: 5, y: 5, data });
  }
  assert.match(await page.text(), /Drop two checkpoints/);
});
