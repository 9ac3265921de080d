// The page that `stethoscope serve` serves: the same app, whose work the server does.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDemo } from "./app.mjs";
import { App, given } from "./browser.mjs";
import { assertAlike, commandLine, test } from "./harness.mjs";

// A server with a folder of its own.
class Server {
  folder = mkdtempSync(join(tmpdir(), "stethoscope-serve-"));
  port = 0;

  async start() {
    const words = [
      "serve", "--port", this.port, "--compute", "cpu", "--state", join(this.folder, "state"),
      "--page", given("STETHOSCOPE_PAGE_FOLDER"), "--root", this.folder,
    ];
    this.process = spawn(given("STETHOSCOPE_BINARY"), words, { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface({ input: this.process.stdout })) {
      this.port = new URL(line).port;
      return line;
    }
    return assert.fail("the server did not start");
  }

  // As a machine that loses its power does.
  async kill() {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    this.process.kill("SIGKILL");
    await ended;
  }
}

class Served extends App {
  static async open(context, places = []) {
    const server = new Server();
    const link = await server.start();
    const app = await super.open(context, [...places, new URL("/", link).href], link);
    app.server = server;
    context.once("close", () => {
      server.process.kill("SIGKILL");
      rmSync(server.folder, { recursive: true });
    });
    return app;
  }

  // The list of jobs, unfolded.
  get jobs() {
    return this.tab.locator("#jobs");
  }

  async unfold() {
    await this.jobs.locator("summary").click();
  }

  // Waits for a job of these words in the list, in this state.
  job(words, state) {
    const row = this.jobs.locator("li").filter({ has: this.tab.getByText(words) }).filter({ hasText: state }).first();
    return row.waitFor({ timeout: 60_000 }).then(() => row);
  }
}

const servedTest = (name, body, options = {}) =>
  test(`served: ${name}`, body, { opens: Served, viewport: { width: 1280, height: 800 }, timeLimit: 120_000, ...options });

const comparable = ({ compute, seconds, command, ...report }) => report;

servedTest("the link opens the app, and a delta on the server's engine is that of the command line", async (app) => {
  assert.equal(await app.tab.evaluate(() => location.search), "", "the token is not in the address");
  await openDemo(app);
  const report = await app.measured();
  assertAlike(comparable(report), comparable(commandLine("demo:base", "demo:reasoner")), 0);
  assert.equal(report.compute.backend, "cpu");
  await app.unfold();
  await app.job("delta demo:base demo:reasoner", ": done");
  await app.picture("served-delta");
});

servedTest("a server that is killed comes back, and a job of before is shown again", async (app) => {
  await openDemo(app);
  const report = await app.measured();
  await app.unfold();
  await app.job("delta demo:base demo:reasoner", ": done");
  await app.server.kill();
  await app.jobs.getByText("The server is not there").waitFor();
  await app.picture("served-gone");
  await app.server.start();
  // The page goes on, and so does one that is opened anew: its cookie is still good.
  await app.jobs.locator("summary", { hasText: /^Jobs/ }).waitFor();
  await app.tab.reload();
  await app.ready();
  await app.unfold();
  const row = await app.job("delta demo:base demo:reasoner", ": done");
  await row.getByRole("button", { name: "Show" }).click();
  assertAlike(comparable(await app.measured()), comparable(report), 0);
  const { a, b } = await app.state();
  assert.deepEqual([a, b], ["demo:base", "demo:reasoner"]);
}, { complaints: /WebSocket|ERR_CONNECTION/ });

servedTest("a merge is written under a root of the server's", async (app) => {
  await openDemo(app);
  await app.measured();
  await app.click("Recipe");
  await app.click(/^M1/);
  await app.click(/^Write/);
  const dialog = app.tab.locator("dialog.files");
  await dialog.locator("li button").first().click();
  await dialog.getByRole("textbox", { name: "Name" }).fill("merged");
  await app.picture("served-files");
  await dialog.getByRole("button", { name: "Write here" }).click();
  await app.unfold();
  await app.job(/^merge /, ": done");
  assert.ok(existsSync(join(app.server.folder, "merged", "model.safetensors")));
});

servedTest("models speak on the server, and not in the page", async (app) => {
  await openDemo(app);
  await app.measured();
  const before = app.tab.workers().length;
  await app.click("Listen");
  await app.click("Ask");
  const isOver = ({ said, silence, is_busy }) => silence || (said.length === 2 && said.every(({ level }) => level) && !is_busy);
  const { said, silence } = await app.until(isOver, "the answers", 120_000);
  assert.equal(silence, null);
  assert.ok(said.every(({ tokens }) => tokens > 0));
  assert.equal(app.tab.workers().length, before, "no other module was fetched");
  await app.unfold();
  await app.job(/^generate /, ": done");
});
