// Every engine of this browser gives the numbers that the definitions give.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DATA, assertAlike, test } from "./harness.mjs";

const skipped = (process.env.STETHOSCOPE_SKIP_ENGINES ?? "").split(",").map((name) => name.trim());

const engineTest = (name, engine, body, options) => {
  if (!skipped.includes(name)) test(`${name}: ${body.what}`, (page, folder) => body(engine, page, folder), options);
};

const conforms = async (engine, page) => {
  const { compared, mismatches, warnings } = await page.tab.evaluate(
    (engine) => window.stethoscope.ask("conformance", { engine }),
    engine,
  );
  assert.deepEqual(mismatches, []);
  assert.deepEqual(warnings, []);
  assert.ok(compared > 20, `${compared} parts were compared`);
};
conforms.what = "conforms to the definitions";

const ENGINES = { "browser-simd": "simd", "browser-portable": "portable", "browser-webgpu": "gpu" };
for (const [name, engine] of Object.entries(ENGINES)) engineTest(name, engine, conforms, { timeLimit: 300_000 });

const givePair = async (page) => {
  for (const side of ["a", "b"]) await page.give(side, join(DATA, "delta/qwen2", side));
};

const sameReport = async (engine, page) => {
  await givePair(page);
  await page.tab.selectOption("#engine", "cpu");
  const expected = await page.report();
  await page.tab.selectOption("#engine", "gpu");
  const found = await page.report();
  assert.notDeepEqual(found.compute, expected.compute);
  const comparable = ({ compute, seconds, ...report }) => report;
  assertAlike(comparable(found), comparable(expected));
  assert.match(await page.text(), /webgpu google swiftshader/);
};
sameReport.what = "gives the report that the CPU gives";
engineTest("browser-webgpu", "gpu", sameReport, { timeLimit: 120_000 });

const lostDevice = async (engine, page) => {
  // The worker's own doors to WebGPU, so that its device can be taken away.
  const [worker] = page.tab.workers();
  await worker.evaluate(() => {
    const request = GPUAdapter.prototype.requestDevice;
    GPUAdapter.prototype.requestDevice = async function (...given) {
      return (self.device = await request.apply(this, given));
    };
  });
  await page.giveLarge({ elements: 96 * 2 ** 20 });
  await page.tab.selectOption("#engine", "gpu");
  await page.tab.locator("#run").click();
  await page.until(({ run }) => run.fraction > 0, "progress");
  await worker.evaluate(() => self.device.destroy());
  const { run } = await page.until(({ run }) => run.status !== "running", "the end of the run");
  assert.equal(run.status, "done", run.error);
  const report = JSON.parse(await page.write("json"));
  const warning = /google swiftshader failed: .*; what was left was computed on the CPU/;
  assert.ok(report.warnings.some((told) => warning.test(told)), report.warnings.join());
  assert.match(await page.text(), warning);
  const [row] = report.tensors;
  assert.equal(row.changed, 96 * 2 ** 20);
  assertAlike(row.l2_relative, 0.375);
  assert.equal(row.relative.counts[137], 96 * 2 ** 20);
};
lostDevice.what = "a device lost in mid-run moves the rest to the CPU";
engineTest("browser-webgpu", "gpu", lostDevice, { timeLimit: 120_000 });

test("a browser without WebGPU is told apart from one without a GPU, and computes", async (page) => {
  const [worker] = page.tab.workers();
  await worker.evaluate(() => Object.defineProperty(WorkerNavigator.prototype, "gpu", { get: () => undefined }));
  const outlook = await page.tab.evaluate(() => window.stethoscope.ask("outlook"));
  assert.equal(outlook, "This browser has no WebGPU: wasm SIMD computes, on one thread, which is slower.");
  await givePair(page);
  assert.equal((await page.report()).compute.adapter, "wasm SIMD");
  await page.tab.selectOption("#engine", "gpu");
  const run = await page.run();
  assert.equal(run.status, "failed");
  assert.match(run.error, /GPU/);
});

test("with a software adapter alone the page says so, and computes", async (page) => {
  await page.tab.locator("#outlook", { hasText: "wasm SIMD computes, on one thread, which is slower" }).waitFor();
  await givePair(page);
  const report = await page.report();
  assert.deepEqual(report.compute, { backend: "cpu", adapter: "wasm SIMD", threads: 1 });
});
