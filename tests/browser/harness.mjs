// Tests that run one after the other, each with a page of its own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Page, given, startBrowser } from "./browser.mjs";

const BINARY = given("STETHOSCOPE_BINARY");
// A server that answers as the Hub does.
export const HUB = given("STETHOSCOPE_HUB");
// Where the command line asks, in an environment that says nothing of this machine's models and tokens.
const ENVIRONMENT = { PATH: process.env.PATH, HF_ENDPOINT: HUB, HF_HUB_CACHE: "/nowhere", HF_HOME: "/nowhere" };
export const DATA = new URL("../data/", import.meta.url).pathname;

const TIME_LIMIT = 60_000;
const tests = [];

// A test gets an open page (the plain one, or what `opens` names) and a folder of its own, and fails if the page complains of anything that the test did not expect.
export const test = (name, body, options = {}) => tests.push({ name, body, options });

export const runAll = async () => {
  const browser = await startBrowser();
  const chosen = tests.filter(({ name }) => name.includes(process.env.STETHOSCOPE_TEST ?? ""));
  const failed = [];
  for (const { name, body, options } of chosen) {
    const started = performance.now();
    const error = await runOne(browser, body, options).then(() => null, (error) => error);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    console.log(`${error ? "FAILED" : "passed"} ${seconds.padStart(6)} s  ${name}`);
    if (error) {
      failed.push(name);
      console.log(String(error.stack ?? error).replace(/^/gm, "    "));
    }
  }
  await browser.close();
  console.log(`${chosen.length - failed.length} passed, ${failed.length} failed`);
  return failed.length === 0 && chosen.length > 0;
};

const runOne = async (browser, body, options) => {
  const { viewport, colorScheme, timeLimit = TIME_LIMIT } = options;
  const context = await browser.newContext({ viewport, colorScheme, acceptDownloads: true });
  const folder = mkdtempSync(join(tmpdir(), "stethoscope-browser-"));
  let timer;
  try {
    const { opens = Page, address } = options;
    const page = await opens.open(context, [HUB, ...(options.mayAsk ?? [])], address);
    const tooLong = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`it did not end within ${timeLimit / 1000} s`)), timeLimit);
    });
    await Promise.race([body(page, folder), tooLong]);
    const unexpected = page.complaints.filter((text) => !options.complaints?.test(text));
    assert.deepEqual(unexpected, [], "the page complained");
  } finally {
    clearTimeout(timer);
    await context.close();
    rmSync(folder, { recursive: true });
  }
};

// ── what is compared with ──

// The report that the command line prints.
export const commandLine = (a, b, ...more) => {
  const words = ["delta", a, b, ...more, "--json", "-"];
  const output = execFileSync(BINARY, words, { maxBuffer: 1 << 30, stdio: ["ignore", "pipe", "pipe"], env: ENVIRONMENT });
  return JSON.parse(output);
};

// The files, by name, that the command line writes for a recipe, run in `folder` so that it calls everything as the page does.
export const written = (folder, recipe, out) => {
  execFileSync(BINARY, ["merge", recipe, "-o", out], { cwd: folder, stdio: ["ignore", "pipe", "pipe"], env: ENVIRONMENT });
  return Object.fromEntries(readdirSync(join(folder, out)).map((name) => [name, readFileSync(join(folder, out, name))]));
};

// What the command line says when it refuses.
export const refusal = (...words) => {
  try {
    execFileSync(BINARY, words, { stdio: ["ignore", "pipe", "pipe"], env: ENVIRONMENT });
  } catch (error) {
    return error.stderr.toString().replace(/^error: /, "").trim();
  }
  assert.fail(`the command line did not refuse ${words.join(" ")}`);
};

// Field by field the same, numbers that are no counts within a tolerance.
export const assertAlike = (found, expected, tolerance = 1e-5, path = "report") => {
  const isWhole = (number) => Number.isInteger(number);
  if (typeof expected === "number" && !(isWhole(expected) && isWhole(found))) {
    const limit = tolerance * Math.max(Math.abs(expected), Math.abs(found));
    assert.ok(Math.abs(found - expected) <= limit, `${path}: ${found}, ${expected} was expected`);
  } else if (expected !== null && typeof expected === "object") {
    assert.deepEqual(Object.keys(found ?? {}), Object.keys(expected), path);
    for (const [key, value] of Object.entries(expected)) assertAlike(found[key], value, tolerance, `${path}.${key}`);
  } else {
    assert.deepEqual(found, expected, path);
  }
};

// ── files ──

export const write = (folder, name, bytes) => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
  return path;
};

// A file with this header and this data after it, be they right or wrong.
export const fileOf = (header, data = Buffer.alloc(0)) => {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), data]);
};

// A file of F32 tensors.
export const checkpoint = (tensors) => {
  const header = {};
  const parts = [];
  let at = 0;
  for (const [name, values] of Object.entries(tensors)) {
    const bytes = Buffer.from(Float32Array.from(values).buffer);
    header[name] = { dtype: "F32", shape: [values.length], data_offsets: [at, (at += bytes.length)] };
    parts.push(bytes);
  }
  return fileOf(JSON.stringify(header), Buffer.concat(parts));
};
