// Pictures of every state of the page, to be looked at; and that it fits.
import assert from "node:assert/strict";
import { checkpoint, test, write } from "./harness.mjs";

const assertFits = async (page) => {
  const [content, window] = await page.tab.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(content <= window, `the page is ${content} wide in a window of ${window}`);
};

for (const [name, viewport, colorScheme] of [
  ["light", { width: 1400, height: 900 }, "light"],
  ["dark", { width: 1400, height: 900 }, "dark"],
  ["narrow", { width: 360, height: 740 }, "light"],
]) {
  test(`the page can be looked at: ${name}`, async (page, folder) => {
    await page.picture(`${name}-empty`);
    await assertFits(page);
    await page.give("b", write(folder, "pytorch_model.bin", "PK\x03\x04"));
    await page.picture(`${name}-refused`);
    await assertFits(page);
    await page.tab.locator("#demo").click();
    await page.until(({ sides }) => sides.a.status === "ready" && sides.b.status === "ready", "the demo");
    await page.report();
    await assertFits(page);
    await page.picture(`${name}-done`);
    await page.tab.fill("#select", "q_prj");
    const { error } = await page.run();
    assert.match(error, /q_prj/);
    await page.picture(`${name}-failed`);
    await assertFits(page);
    await page.give("a", write(folder, "odd.safetensors", checkpoint({ w: [1] })));
    await page.picture(`${name}-ready`);
    await assertFits(page);
  }, { viewport, colorScheme });
}
