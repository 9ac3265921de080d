// Measures the page and prints JSON; `cargo xtask bench web` starts this.
import assert from "node:assert/strict";
import { Page, given, startBrowser } from "./browser.mjs";

const RUNS = Number(given("STETHOSCOPE_RUNS"));
const MIB = 2 ** 20;
// A run's own time limit: a slow machine may take minutes for gigabytes.
const PATIENCE = 600_000;

const browser = await startBrowser();
const openPage = async () => Page.open(await browser.newContext());

// Runs what the page holds, and returns the report without its rows.
const run = async (page, normsOnly) => {
  await page.tab.setChecked("#norms-only", normsOnly);
  await page.tab.evaluate(() => window.stethoscope.run());
  const { run } = await page.state();
  assert.equal(run.status, "done", run.error);
  const { seconds, bytes_read, compute } = JSON.parse(await page.write("json"));
  return { seconds, bytes: bytes_read, bytes_per_second: bytes_read / seconds, compute };
};

const fastest = (runs) => runs.reduce((best, next) => (next.seconds < best.seconds ? next : best));

const repeat = async (measure) => {
  const runs = [];
  for (let index = 0; index < RUNS; index++) runs.push(await measure());
  return fastest(runs);
};

const files = async () => {
  const page = await openPage();
  await page.give("a", given("STETHOSCOPE_PAIR_A"));
  await page.give("b", given("STETHOSCOPE_PAIR_B"));
  return { norms_only: await repeat(() => run(page, true)), everything: await repeat(() => run(page, false)) };
};

const memory = async () => {
  const page = await openPage();
  await page.giveLarge({ elements: 512 * MIB });
  const before = await page.memory();
  const { bytes } = await run(page, false);
  return { pair_bytes: bytes, before_bytes: before, growth_bytes: (await page.memory()) - before };
};

const result = { version: browser.version(), files: await files(), memory: await memory() };
await browser.close();
console.log(JSON.stringify(result));
