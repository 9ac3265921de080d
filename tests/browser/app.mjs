// The app on its canvas does in a browser what it does in a window, and gives the numbers that the command line gives.
import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { App, given } from "./browser.mjs";
import { DATA, HUB, assertAlike, checkpoint, commandLine, refusal, test, write } from "./harness.mjs";
import { colours } from "./pixels.mjs";

const MIB = 2 ** 20;
const PAIR = ["a", "b"].map((side) => join(DATA, "delta/qwen2", side));

export const appTest = (name, body, options = {}) =>
  test(`the app: ${name}`, body, { opens: App, viewport: { width: 1280, height: 800 }, timeLimit: 120_000, ...options });

// What may differ: who computed, how long it took, and what the two sides were called.
const comparable = ({ compute, seconds, command, ...report }) => report;
const assertSame = (report, [a, b], ...more) => {
  const expected = commandLine(a, b, ...more);
  for (const side of ["a", "b"]) expected[side].ref = report[side].ref;
  assertAlike(comparable(report), comparable(expected));
};

const PLANTED = ["planted:base", "planted:tuned"];
const DEMO = ["demo:base", "demo:reasoner"];

// Opens two checkpoints by their names.
export const openPair = async (app, [a, b] = PLANTED) => {
  await app.tab.evaluate(([a, b]) => {
    window.stethoscope.name("a", a);
    window.stethoscope.name("b", b);
  }, [a, b]);
  await app.opened("a", a);
  await app.opened("b", b);
};

// Opens the pair that was trained, which comes as a file of its own.
export const openDemo = (app) => openPair(app, DEMO);

appTest("a dropped pair in shards is measured by itself as the command line does, on the canvas and as a file", async (app) => {
  for (const [index, side] of ["a", "b"].entries()) {
    await app.drop(side, PAIR[index]);
    await app.opened(side, side);
  }
  assertSame(await app.measured(), PAIR);
  await app.click("Save");
  const { name, bytes } = await app.saved(() => app.click("Report as JSON"));
  assert.equal(name, "delta.json");
  assertSame(JSON.parse(bytes), PAIR);
});

appTest("two folders dropped at once fill both sides, and what changed most is read at once", async (app) => {
  await app.dropAt({ x: 640, y: 500 }, ...PAIR);
  const { modules } = await app.measured();
  const { a, b } = await app.state();
  assert.deepEqual([a, b], ["a", "b"]);
  assert.ok((await app.text()).includes(`From A to B:  ${modules[0].role} changed most: by `), await app.text());
});

appTest("two loose files dropped at once are the two to be compared", async (app, folder) => {
  const files = [["old", 1], ["new", 2]].map(([name, value]) =>
    write(folder, `${name}.safetensors`, checkpoint({ "model.layers.0.mlp.up_proj.weight": [value, 1] })));
  await app.dropAt({ x: 640, y: 500 }, ...files);
  await app.opened("a", "old.safetensors");
  await app.opened("b", "new.safetensors");
  const [row] = (await app.measured()).tensors;
  assert.equal(row.l2_delta, 1);
});

appTest("what is chosen in the ranking is chosen everywhere, and the canvas shows it", async (app) => {
  await openPair(app);
  const first = await app.until(({ report }) => report, "the report");
  assert.match(first.chosen, /o_proj/);
  const before = await colours(await app.picture("app-chosen"));
  assert.ok(before > 200, `a picture of the app has many colours, this has ${before}`);
  await app.click(/^down_proj/);
  assert.match((await app.state()).chosen, /down_proj/);
  assert.match(await app.text(), /down_proj, every layer/);
});

appTest("the trained pair is fetched when it is asked for, and measured as the command line does", async (app) => {
  const asked = [];
  app.tab.context().on("request", (request) => asked.push(request));
  const byTheWorker = () => asked.some((request) => request.url().endsWith("demo.json") && !request.serviceWorker());
  assert.ok(!byTheWorker(), "nobody has asked for it");
  await app.click("Try the demo");
  await app.opened("b", "demo:reasoner");
  assertSame(await app.measured(), DEMO);
  assert.ok(byTheWorker(), "it was fetched");
  await app.picture("app-demo");
});

appTest("a name that nothing is built in under is refused in the command line's words", async (app) => {
  await app.tab.evaluate(() => window.stethoscope.name("a", "demo:nobody"));
  const { notices } = await app.until(({ notices }) => notices.length > 0, "a notice");
  const words = refusal("inspect", "demo:nobody");
  assert.ok(notices.join("\n").includes(words), `${notices} does not say ${words}`);
});

appTest("a selection is painted on the grid and written as text, and the report is of what is selected", async (app) => {
  await openPair(app);
  await app.write("Selection", "o_proj & layers 0..4");
  assert.match(await app.text(), /Selection grid: .*/);
  const grid = await app.find(/^Selection grid/);
  await app.tab.mouse.click(grid.x + grid.width * 0.6, grid.y + grid.height * 0.25);
  await app.frame();
  const { select } = await app.state();
  assert.notEqual(select, "o_proj & layers 0..4");
  const report = await app.report();
  assert.ok(report.tensors.length > 0 && report.tensors.length < 146);
  assertSame(report, ["planted:base", "planted:tuned"], "--select", select);
});

appTest("a recipe is composed by a click, and what it makes is measured as the command line does", async (app) => {
  await openPair(app);
  await app.click("Recipe");
  await app.click(/^M1/);
  const { recipe, makes } = await app.until(({ makes }) => makes.length > 1, "what it makes");
  assert.equal(recipe, "A; take o_proj from B");
  assert.deepEqual(makes, ["kept of planted:base", "taken from planted:tuned"]);
  await app.click("Measure M against B");
  const isOfRecipe = ({ report, is_busy }) => report?.b.ref.includes("take o_proj") && !is_busy;
  const { report } = await app.until(isOfRecipe, "the recipe's report");
  assertSame(report, ["planted:tuned", "planted:base; take o_proj from planted:tuned"]);
  assert.match(await app.text(), /From B to M, what the recipe makes: /);
  await app.picture("app-recipe");
  await app.click("Back to A and B");
  assertSame(await app.measured(), ["planted:base", "planted:tuned"]);
});

appTest("a pair on the Hub is opened by its names, and measured only when the person asks", async (app) => {
  await app.tab.evaluate((hub) => window.stethoscope.ask("hub", { endpoint: hub }), HUB);
  for (const [side, name] of [["a", "org/base"], ["b", "org/tuned"]]) {
    await app.write(`Checkpoint ${side.toUpperCase()}`, name);
    await app.tab.keyboard.press("Enter");
    await app.opened(side, name);
  }
  assert.match(await app.text(), /qwen2 · /);
  await app.find(/^Measure all: reads [\d.]+ .?B$/);
  assert.equal((await app.state()).report, null);
  assert.equal((await app.report()).tensors.length, commandLine("org/base", "org/tuned").tensors.length);
}, { mayAsk: [given("STETHOSCOPE_HUB_CDN")] });

appTest("a run is paused, goes on, is stopped and run again", async (app) => {
  await app.giveLarge({ elements: 64 * MIB, others: 300 });
  await app.until(({ rows }) => rows > 0, "rows");
  await app.click("Pause");
  const { rows } = await app.state();
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal((await app.state()).rows, rows, "nothing comes while it is paused");
  await app.click(/^(Resume|Continue|Go on)$/);
  await app.until(({ report }) => report, "the report");
  const report = await app.report();
  assert.equal(report.tensors.length, 301);
});

appTest("a report is opened by dropping its file, and one of a newer schema is refused", async (app, folder) => {
  const report = commandLine(...PAIR);
  const file = write(folder, "kept.json", JSON.stringify(report));
  await app.dropAt({ x: 640, y: 500 }, file);
  const state = await app.until(({ report }) => report, "the report");
  assertAlike(state.report, report, 0);
  const newer = write(folder, "newer.json", JSON.stringify({ ...report, schema: "stethoscope.delta/9" }));
  await app.dropAt({ x: 640, y: 500 }, newer);
  await app.until(({ notices }) => notices.some((notice) => /delta\/9/.test(notice)), "a notice");
});

appTest("what is no checkpoint is refused in the command line's words", async (app, folder) => {
  const file = write(folder, "cut.safetensors", Buffer.from([200, 0, 0, 0, 0, 0, 0, 0, 123]));
  await app.drop("a", file);
  const { notices } = await app.until(({ notices }) => notices.length > 0, "a notice");
  const words = refusal("inspect", file).split("cut.safetensors").at(-1);
  assert.ok(notices.join("\n").includes(words), `${notices} does not say ${words}`);
});

appTest("twenty files of any kind dropped at once leave it alive", async (app, folder) => {
  const names = Array.from({ length: 20 }, (_, index) => `file${index}.${["txt", "bin", "json", "safetensors", "gguf"][index % 5]}`);
  await app.dropAt({ x: 640, y: 500 }, ...names.map((name) => write(folder, name, Buffer.from(name))));
  await app.until(({ notices, is_busy }) => notices.length > 0 && !is_busy, "notices");
  await app.picture("app-refused");
  await openPair(app);
});

appTest("it comes back without a network, and works", async (app) => {
  await app.tab.evaluate(() => navigator.serviceWorker.ready);
  await app.tab.context().setOffline(true);
  await app.tab.reload();
  await app.ready();
  await openDemo(app);
  assertSame(await app.measured(), DEMO);
});

appTest("while nothing happens nothing is painted", async (app) => {
  await openPair(app);
  await app.measured();
  // The pointer rests, and what fades has faded.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const before = await app.tab.evaluate(() => window.stethoscope.frames());
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.equal(await app.tab.evaluate(() => window.stethoscope.frames()), before);
});

appTest("what it remembers is there the next time", async (app) => {
  await openPair(app);
  await app.click("log");
  await app.tab.reload();
  await app.ready();
  const kept = await app.tab.evaluate(() => localStorage.getItem("stethoscope.settings"));
  assert.match(kept, /planted:tuned/);
});

appTest("one file, opened from a disk, shows the trained pair and takes dropped files", async (app) => {
  await openDemo(app);
  assertSame(await app.measured(), DEMO);
  await app.dropAt({ x: 640, y: 500 }, ...PAIR);
  await app.opened("a", "a");
  await app.opened("b", "b");
  assertSame(await app.measured(), PAIR);
}, { address: pathToFileURL(given("STETHOSCOPE_SINGLE_FILE")).href });

appTest("a browser without WebGPU is led to the plain page", async (app) => {
  const tab = await app.tab.context().newPage();
  await tab.addInitScript(() => Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined }));
  await tab.goto(App.address());
  await tab.getByRole("link", { name: "Go to the plain page", exact: true }).click();
  await tab.waitForURL(/plain\.html$/);
});

for (const [name, viewport, colorScheme] of [
  ["light", { width: 1280, height: 800 }, "light"],
  ["dark", { width: 1280, height: 800 }, "dark"],
  ["phone", { width: 390, height: 844 }, "light"],
  ["tiny", { width: 300, height: 200 }, "light"],
]) {
  appTest(`can be looked at: ${name}`, async (app) => {
    await app.picture(`app-${name}-welcome`);
    await openDemo(app);
    await app.measured();
    await app.frame();
    const found = await colours(await app.picture(`app-${name}-done`));
    assert.ok(found > 100, `${found} colours`);
  }, { viewport, colorScheme });
}
