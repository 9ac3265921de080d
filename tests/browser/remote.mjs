// Checkpoints on the Hub and behind URLs, read by ranges from the page.
import assert from "node:assert/strict";
import { given } from "./browser.mjs";
import { HUB, assertAlike, commandLine, test } from "./harness.mjs";

const CDN = given("STETHOSCOPE_HUB_CDN");
const control = async (path) => (await fetch(`${HUB}/${path}`)).text();

const open = async (page, side, reference) => {
  await page.tab.evaluate((endpoint) => window.stethoscope.ask("hub", { endpoint }), HUB);
  await page.tab.fill(`#remote-${side}`, reference);
  await page.tab.locator(`#side-${side} .remote button`).click();
  const { sides } = await page.until(
    ({ sides }) => sides[side].reference === reference && ["ready", "error"].includes(sides[side].status),
    "an answer to a reference",
  );
  return sides[side];
};

const MAY_ASK = { mayAsk: [CDN] };

test("a pair on the Hub gives the report of the command line, by ranges", async (page) => {
  await control("_reset");
  for (const [side, name] of [["a", "org/base"], ["b", "org/tuned"]]) {
    const { error } = await open(page, side, name);
    assert.equal(error, undefined);
  }
  await page.tab.fill("#select", "o_proj");
  const report = await page.report();
  const log = JSON.parse(await control("_log"));
  const shards = log.filter(({ target }) => target.includes(".safetensors") && !target.includes("index.json"));
  assert.ok(shards.every(({ range, status }) => range || status === 302), JSON.stringify(shards));
  const expected = commandLine("org/base", "org/tuned", "--select", "o_proj");
  const comparable = ({ compute, seconds, ...report }) => ({ ...report, command: report.command.slice(1, 6) });
  const { command, ...rest } = comparable(report);
  const { command: typed, ...same } = comparable(expected);
  assert.deepEqual(command, typed);
  assertAlike(rest, same);
}, MAY_ASK);

test("a model that is not on the Hub is refused, with what to do", async (page) => {
  const { error } = await open(page, "a", "org/nothing");
  assert.ok(error.startsWith(`org/nothing on the Hub (${HUB}/): the server answered 401: there is no such public`), error);
  assert.match(error, /this page takes no tokens/);
}, { ...MAY_ASK, complaints: /401/ });

test("a plain URL is read, and a server that cannot be reached is told", async (page) => {
  const { error } = await open(page, "a", `${CDN}/plain/org/base/model-00001-of-00002.safetensors`);
  assert.equal(error, undefined);
  const nowhere = await open(page, "b", "http://127.0.0.1:9/model.safetensors");
  assert.match(nowhere.error, /127.0.0.1:9.*cannot be reached/);
}, { mayAsk: [CDN, "http://127.0.0.1:9/"], complaints: /ERR_|127.0.0.1:9/ });

test("a connection that is cut is taken up again", async (page) => {
  await control("_reset");
  for (const [side, name] of [["a", "org/base"], ["b", "org/tuned"]]) await open(page, side, name);
  await control("_faults?kind=cut&where=.safetensors&times=2");
  const report = await page.report();
  assert.ok(report.tensors.length > 10);
  await control("_reset");
}, { ...MAY_ASK, complaints: /ERR_/ });

// What a server may do wrong once the files are open, and what the page says to it.
const LIES = {
  "ignore-range": /the server ignores ranges: it answered 200.*download the file/,
  "wrong-content-range": /bytes \d+-\d+ were asked for, but the answer says that it holds/,
  "no-content-range": /does not say which bytes it holds/,
  "long-length": /has more than the \d+ bytes that it should have/,
};
for (const [kind, message] of Object.entries(LIES)) {
  test(`a server at fault is told, and nothing is measured: ${kind}`, async (page) => {
    await control("_reset");
    for (const [side, name] of [["a", "org/base"], ["b", "org/tuned"]]) await open(page, side, name);
    await control(`_faults?kind=${kind}&where=.safetensors&times=1000`);
    const run = await page.run();
    await control("_reset");
    assert.equal(run.status, "failed");
    assert.match(run.error, message);
    assert.match(await page.text(), message);
  }, { ...MAY_ASK, complaints: /ERR_/ });
}
