// Runs every test of the page; `cargo xtask test` starts this.
import { runAll } from "./harness.mjs";
import "./app.mjs";
import "./bad_input.mjs";
import "./delta.mjs";
import "./engines.mjs";
import "./listening.mjs";
import "./pictures.mjs";
import "./remote.mjs";
import "./runs.mjs";
import "./serving.mjs";
import "./writing.mjs";

process.exitCode = (await runAll()) ? 0 : 1;
