// Runs every test of the page; `cargo xtask test` starts this.
import { runAll } from "./harness.mjs";
import "./delta.mjs";

process.exitCode = (await runAll()) ? 0 : 1;
