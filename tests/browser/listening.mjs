// Models speak in the page: in a worker of their own, whose module is fetched when somebody listens.
import assert from "node:assert/strict";
import { join } from "node:path";
import { appTest, openPair } from "./app.mjs";
import { DATA } from "./harness.mjs";
import { colours } from "./pixels.mjs";

const ended = (said, models) => said.length === models && said.every(({ level }) => level);

const ask = async (app, models) => {
  await app.click("Listen");
  await app.click("Ask");
  const state = await app.until(({ said, silence, is_busy }) => silence || (ended(said, models) && !is_busy), "the answers", 120_000);
  assert.equal(state.silence, null);
  return state.said;
};

appTest("a prompt is answered by A, B and the recipe's model, and A says how surprising it is", async (app) => {
  await openPair(app);
  await app.measured();
  await app.click("Recipe");
  await app.click("M1: o_proj of B");
  const loaded = () => app.tab.workers().length;
  const before = loaded();
  const said = await ask(app, 3);
  assert.equal(loaded(), before + 1, "models have a worker of their own");
  assert.deepEqual(said.map(({ letter }) => letter), ["A", "B", "M"]);
  for (const { letter, tokens, level, surprise } of said) {
    assert.ok(tokens > 0 && surprise > 0, `${letter}: ${tokens} tokens, ${surprise} bits`);
    assert.match(level, /^(I|II|III|IV)$/);
  }
  assert.ok((await colours(await app.picture("app-listen"))) > 200);
  // Asked again, A is still in memory and says the same.
  const again = await ask(app, 3);
  assert.deepEqual(again.map(({ text }) => text), said.map(({ text }) => text));
});

appTest("of the trained pair B writes the steps that A leaves out", async (app) => {
  await app.click("Try the demo");
  await app.opened("b", "demo:reasoner");
  await app.measured();
  const [a, b] = await ask(app, 2);
  assert.match(a.text, /^\\boxed\{\d+\}$/);
  assert.match(b.text, /^(\d+[-+*]\d+=-?\d+\n){3}\\boxed\{-?\d+\}$/);
  await app.picture("app-listen-demo");
});

appTest("a model that was dropped and cannot be run says what it lacks", async (app) => {
  await app.drop("a", join(DATA, "delta/qwen2/a"));
  await app.opened("a", "a");
  await app.click("Listen");
  await app.click("Ask");
  const { silence } = await app.until(({ silence }) => silence, "the refusal");
  assert.match(silence, /^a cannot be run: config\.json does not say max_position_embeddings/);
});
