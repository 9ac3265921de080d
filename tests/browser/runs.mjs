// Runs that are stopped, doubled, hidden, or large.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DATA, assertAlike, test } from "./harness.mjs";

const MIB = 2 ** 20;

const start = (page) => page.tab.locator("#run").click();

test("a run can be cancelled, and the next gives the whole report", async (page) => {
  await page.giveLarge({ elements: 512 * MIB });
  await start(page);
  await page.until(({ run }) => run.fraction > 0, "progress");
  assert.match(await page.tab.locator("#line").innerText(), / of 2.15 GB/);
  const asked = performance.now();
  await page.tab.locator("#cancel").click();
  await page.until(({ run }) => run.status === "stopped", "the end of a cancelled run");
  assert.ok(performance.now() - asked < 2000, "it stops at once");
  assert.match(await page.text(), /Cancelled\./);
  for (const side of ["a", "b"]) await page.give(side, join(DATA, "delta/qwen2", side));
  const report = await page.report();
  assert.ok(report.tensors.length > 10);
});

test("a run that is cancelled and started again at once ends well", async (page) => {
  await page.giveLarge({ elements: 32 * MIB });
  await start(page);
  await page.until(({ run }) => run.fraction > 0, "progress");
  const { status } = await page.tab.evaluate(async () => {
    window.stethoscope.cancel();
    const { state } = window.stethoscope;
    while (state().run.status === "running") await new Promise((resolve) => setTimeout(resolve));
    await window.stethoscope.run();
    return state().run;
  });
  assert.equal(status, "done");
});

test("a second run beside the first is refused, and does not disturb it", async (page) => {
  await page.giveLarge({ elements: 32 * MIB });
  const [first, second] = await page.tab.evaluate(async () => {
    const runs = [window.stethoscope.run(), window.stethoscope.run()];
    const said = await Promise.allSettled(runs);
    return said.map(({ status, reason }) => reason?.message ?? status);
  });
  assert.equal(first, "fulfilled");
  assert.equal(second, "a measurement is running already; wait for its end, or cancel it first");
  const { status } = (await page.state()).run;
  assert.equal(status, "done");
});

test("a checkpoint can be dropped while a run is under way", async (page) => {
  await page.giveLarge({ elements: 64 * MIB });
  await start(page);
  await page.until(({ run }) => run.fraction > 0, "progress");
  const { status } = await page.give("a", join(DATA, "delta/qwen2/a"));
  assert.equal(status, "ready");
  const { run } = await page.until(({ run }) => run.status !== "running", "the end of the run");
  assert.equal(run.status, "done");
});

test("a tab in the background goes on", async (page) => {
  await page.giveLarge({ elements: 128 * MIB });
  await start(page);
  await page.until(({ run }) => run.fraction > 0, "progress");
  const other = await page.tab.context().newPage();
  await other.goto("about:blank");
  await other.bringToFront();
  await page.until(({ run }) => run.status === "done", "the end of a run in the background");
});

test("the page answers while the worker computes", async (page) => {
  await page.giveLarge({ elements: 128 * MIB });
  await start(page);
  const longest = await page.tab.evaluate(async () => {
    let longest = 0;
    while (window.stethoscope.state().run.status === "running") {
      const before = performance.now();
      await new Promise((resolve) => requestAnimationFrame(resolve));
      longest = Math.max(longest, performance.now() - before);
    }
    return longest;
  });
  assert.ok(longest < 500, `a frame took ${longest} ms`);
});

test("the module's memory does not grow with a pair of 2 GiB", async (page) => {
  await page.giveLarge({ elements: 512 * MIB });
  const before = await page.memory();
  const report = await page.report();
  const grown = (await page.memory()) - before;
  assert.equal(report.bytes_read, 2048 * MIB);
  const [row] = report.tensors;
  assert.equal(row.changed, 512 * MIB);
  assertAlike(row.l2_relative, 0.375);
  assert.equal(row.relative.counts[137], 512 * MIB);
}, { timeLimit: 180_000 });

test("of a file over 4 GiB, with a tensor over 4 GiB, only what is selected is read", async (page) => {
  await page.giveLarge({ elements: 2300 * MIB, others: 3 });
  await page.tab.fill("#select", '"other.*"');
  const report = await page.report();
  assert.equal(report.bytes_read, 2 * 3 * 4 * 2);
  assert.deepEqual(report.tensors.map(({ changed }) => changed), [4, 4, 4]);
  for (const { l2_relative } of report.tensors) assertAlike(l2_relative, 0.375);
});
