// A browser, and the page in it.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";

// Given by `cargo xtask`.
export const given = (name) => process.env[name] ?? assert.fail(`${name} is not set; \`cargo xtask\` sets it`);

const ADDRESS = given("STETHOSCOPE_PAGE");

// With fewer of these the software adapter loses its device on the first frame.
const FLAGS = [
  "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan",
  "--use-vulkan=swiftshader", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist",
  "--enable-precise-memory-info",
];

// Whatever takes longer hangs.
const PATIENCE = 60_000;

export const startBrowser = () => chromium.launch({ executablePath: "/usr/bin/chromium", args: FLAGS });

// The page, as a person and as a test has hold of it.
export class Page {
  complaints = [];

  // Opens the page, which may fetch from these places beside its own.
  static async open(context, places = []) {
    const page = new Page();
    page.tab = await context.newPage();
    const complain = (text) => page.complaints.push(text);
    page.tab.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complain(`${message.type()}: ${message.text()}`);
    });
    page.tab.on("pageerror", (error) => complain(String(error)));
    page.tab.on("request", (request) => {
      const mayAsk = [ADDRESS, "blob:", "data:", ...places].some((place) => request.url().startsWith(place));
      if (!mayAsk) complain(`fetched ${request.url()}`);
    });
    await page.tab.goto(ADDRESS);
    await page.tab.waitForFunction(() => window.stethoscope);
    return page;
  }

  state() {
    return this.tab.evaluate(() => window.stethoscope.state());
  }

  // Waits until the state is such, and returns it.
  async until(isSo, what, patience = PATIENCE) {
    for (const started = performance.now(); performance.now() - started < patience; ) {
      const state = await this.state();
      if (isSo(state)) return state;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.fail(`${what} did not come: ${JSON.stringify(await this.state()).slice(0, 2000)}`);
  }

  // Drops files and folders of this machine, as the system's file manager does.
  async drop(side, ...paths) {
    const slot = this.tab.locator(`#side-${side}`);
    await slot.scrollIntoViewIfNeeded();
    const box = await slot.boundingBox();
    const place = { x: box.x + box.width / 2, y: box.y + 20 };
    this.devtools ??= await this.tab.context().newCDPSession(this.tab);
    const data = { items: [], files: paths, dragOperationsMask: 1 };
    for (const type of ["dragEnter", "dragOver", "drop"]) {
      await this.devtools.send("Input.dispatchDragEvent", { type, ...place, data });
    }
  }

  // Drops, and waits for what the page says to it.
  async give(side, ...paths) {
    await this.tab.evaluate((side) => window.stethoscope.forget(side), side);
    await this.drop(side, ...paths);
    const state = await this.until(({ sides }) => ["ready", "error"].includes(sides[side].status), "an answer to a drop");
    return state.sides[side];
  }

  async run() {
    await this.tab.locator("#run").click();
    const state = await this.until(({ run }) => run.status !== "running" && run.status !== "idle", "the end of a run");
    return state.run;
  }

  async report() {
    const run = await this.run();
    assert.equal(run.status, "done", run.error);
    return JSON.parse(await this.write("json"));
  }

  write(format) {
    return this.tab.evaluate((format) => window.stethoscope.ask("write", { format }), format);
  }

  // All that a person can read.
  text() {
    return this.tab.locator("body").innerText();
  }

  picture(name) {
    const folder = given("STETHOSCOPE_PICTURES");
    mkdirSync(folder, { recursive: true });
    return this.tab.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  }

  // Bytes of the module's memory.
  memory() {
    return this.tab.evaluate(() => window.stethoscope.ask("memory"));
  }

  // Gives both sides one tensor `w`, and others of four elements: files as large as wanted, made of one blob over and over, so
  // that they take no memory.
  giveLarge({ elements, others = 0 }) {
    return this.tab.evaluate(async ({ elements, others }) => {
      const entries = [["w", elements], ...Array.from({ length: others }, (_, index) => [`other.${index}`, 4])];
      let at = 0;
      const header = Object.fromEntries(entries.map(([name, elements]) => {
        const data_offsets = [at, (at += 2 * elements)];
        return [name, { dtype: "BF16", shape: [elements], data_offsets }];
      }));
      const text = new TextEncoder().encode(JSON.stringify(header));
      const length = new DataView(new ArrayBuffer(8));
      length.setBigUint64(0, BigInt(text.length), true);
      for (const [side, value] of [["a", 0x3f80], ["b", 0x3fb0]]) {
        const piece = new Blob([new Uint16Array(1 << 23).fill(value)]);
        const whole = 2 * elements;
        const parts = Array(Math.floor(whole / piece.size)).fill(piece);
        const rest = new Uint16Array((whole % piece.size) / 2 + 4 * others).fill(value);
        const file = new File([length, text, ...parts, rest], `${side}.safetensors`);
        await window.stethoscope.give(side, { names: [file.name], paths: [file.name], files: [file] });
      }
    }, { elements, others });
  }
}

