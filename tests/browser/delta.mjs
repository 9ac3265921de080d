// What the page says of two checkpoints is what the command line says.
import assert from "node:assert/strict";
import { join } from "node:path";
import { DATA, assertAlike, commandLine, test } from "./harness.mjs";

// What may differ: who computed, how long it took, and what the two sides were called.
const comparable = ({ compute, seconds, command, ...report }) => report;

test("a dropped pair in shards gives the report of the command line", async (page) => {
  const [a, b] = ["a", "b"].map((side) => join(DATA, "delta/qwen2", side));
  assert.equal((await page.give("a", a)).error, undefined);
  assert.equal((await page.give("b", b)).error, undefined);
  const report = await page.report();
  const expected = commandLine(a, b);
  for (const side of ["a", "b"]) expected[side].ref = side;
  assertAlike(comparable(report), comparable(expected));
});
