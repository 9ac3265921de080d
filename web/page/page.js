// The page: asks the instrument, and shows what it says. What it says, and in which words, the instrument decides.
import { fromDrop, fromInput } from "./files.js";
import { Instrument } from "./instrument.js";

const element = (id) => document.getElementById(id);
const make = (name, properties) => Object.assign(document.createElement(name), properties);
const SIDES = ["a", "b"];

// All that the page knows.
const state = {
  sides: Object.fromEntries(SIDES.map((side) => [side, { status: "empty" }])),
  run: { status: "idle" },
  broken: null,
};

const instrument = new Instrument({ onProgress: advance, onBroken: recover });

// ── the two sides ──

// What was dropped, for an instrument that has to start again.
const given = {};
// What was dropped last counts, whichever answer comes last.
const turns = { a: 0, b: 0 };

const give = async (side, dropping) => {
  const turn = ++turns[side];
  state.sides[side] = { status: "reading" };
  showSide(side);
  const dropped = await dropping;
  if (turn !== turns[side]) return;
  given[side] = dropped;
  await instrument.ask("hold", { reference: `dropped:${side}`, ...dropped });
  await look(side, `dropped:${side}`);
};

const look = async (side, reference) => {
  const turn = ++turns[side];
  const set = (values) => {
    if (turn !== turns[side]) return;
    state.sides[side] = { reference, ...values };
    showSide(side);
  };
  set({ status: "reading" });
  try {
    set({ status: "ready", holding: await instrument.ask("look", { reference }) });
  } catch (error) {
    set({ status: "error", error: error.message });
  }
};

const forget = (side) => {
  turns[side] += 1;
  delete given[side];
  state.sides[side] = { status: "empty" };
  showSide(side);
};

const demo = () => Promise.all([look("a", "demo:base"), look("b", "demo:reasoner")]);

// ── a run ──

const request = () => ({
  delta: {
    a: state.sides.a.reference ?? "",
    b: state.sides.b.reference ?? "",
    select: element("select").value.trim() || "all",
    relative: element("relative").value,
    norms_only: element("norms-only").checked,
  },
});

const run = async () => {
  const asked = instrument.ask("run", { request: request(), engine: element("engine").value });
  // A second one is refused, and changes nothing for the first.
  if (state.run.status === "running") return asked;
  setRun({ status: "running", fraction: 0, line: "reading headers …" });
  try {
    const part = await asked;
    setRun(part === undefined ? { status: "stopped" } : { status: "done" });
    if (part !== undefined) showReport(part);
  } catch (error) {
    setRun({ status: "failed", error: error.message });
  }
};

const cancel = () => instrument.ask("cancel");

function advance({ fraction, line }) {
  if (state.run.status === "running") setRun({ status: "running", fraction, line });
}

// The instrument failed and was replaced; the new one knows nothing of what was dropped.
async function recover(message) {
  state.broken = message;
  element("broken").hidden = false;
  element("broken").textContent =
    `The program failed and was started again: ${message}. That is a mistake in it, not yours; a run that was under way is lost.`;
  for (const [side, dropped] of Object.entries(given)) {
    await instrument.ask("hold", { reference: `dropped:${side}`, ...dropped });
  }
}

const FILES = {
  json: ["delta.json", "application/json"],
  csv: ["delta.csv", "text/csv"],
  page: ["delta.html", "text/html"],
};

const save = async (format) => {
  const [download, type] = FILES[format];
  const blob = new Blob([await instrument.ask("write", { format })], { type });
  const link = make("a", { href: URL.createObjectURL(blob), download });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

// ── what is seen ──

const SAID_OF_RUN = { idle: "", running: "Running.", done: "Done.", stopped: "Cancelled.", failed: "" };

function setRun(run) {
  const isNews = run.status !== state.run.status;
  state.run = run;
  element("going").hidden = run.status !== "running";
  element("bar").value = run.fraction ?? 0;
  element("line").textContent = run.line ?? "";
  if (!isNews) return;
  element("status").textContent = SAID_OF_RUN[run.status];
  element("failure").hidden = run.status !== "failed";
  element("failure").textContent = run.error ?? "";
  if (run.status === "running") element("outcome").hidden = true;
  showActions();
}

function showSide(side) {
  const { status, holding, error } = state.sides[side];
  // What went wrong before was about what was there before.
  if (state.run.status === "failed") setRun({ status: "idle" });
  const slot = element(`side-${side}`);
  slot.dataset.status = status;
  const holds = slot.querySelector(".holds");
  if (status === "empty") holds.replaceChildren(make("p", { textContent: "Drop a model’s folder here, or its .safetensors files." }));
  if (status === "reading") holds.replaceChildren(make("p", { textContent: "Reading …" }));
  if (status === "error") holds.replaceChildren(make("p", { className: "error", textContent: error }));
  if (status === "ready") {
    const name = make("p", {});
    name.append(make("b", { textContent: holding.reference }));
    holds.replaceChildren(name, make("p", { className: "facts", textContent: holding.facts }));
    if (holding.oddities.length > 0) {
      const list = make("ul", { className: "small" });
      list.append(...holding.oddities.map((textContent) => make("li", { textContent })));
      holds.append(list);
    }
  }
  showActions();
}

function showActions() {
  const isRunning = state.run.status === "running";
  const missing = SIDES.filter((side) => state.sides[side].status !== "ready");
  element("run").disabled = isRunning || missing.length > 0;
  element("cancel").disabled = !isRunning;
  const letters = missing.map((side) => side.toUpperCase()).join(" and ");
  const stopped = state.run.status === "stopped" ? "Cancelled." : "";
  element("hint").textContent = missing.length > 0 ? `A checkpoint is missing on ${letters}.` : stopped;
}

// Every word of a stranger in it was escaped where it was written, and the page's policy lets no script of it run.
function showReport(part) {
  element("report").innerHTML = part;
  makeSortable(element("report"));
  element("outcome").hidden = false;
}

// ── what is done ──

for (const side of SIDES) {
  const slot = element(`side-${side}`);
  slot.addEventListener("dragover", () => slot.classList.add("over"));
  slot.addEventListener("dragleave", (event) => slot.contains(event.relatedTarget) || slot.classList.remove("over"));
  slot.addEventListener("drop", (event) => {
    slot.classList.remove("over");
    give(side, fromDrop(event.dataTransfer));
  });
  for (const input of slot.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      if (input.files.length > 0) give(side, fromInput(input.files));
      // So that choosing the same again counts.
      input.value = "";
    });
  }
  slot.querySelector(".remote").addEventListener("submit", (event) => {
    event.preventDefault();
    const reference = element(`remote-${side}`).value.trim();
    if (reference) look(side, reference);
  });
  showSide(side);
}
// A file dropped beside the slots must not replace the page.
for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());
element("request").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!element("run").disabled) run();
});
element("cancel").addEventListener("click", cancel);
element("demo").addEventListener("click", demo);
for (const button of document.querySelectorAll("[data-format]")) {
  button.addEventListener("click", () => save(button.dataset.format));
}

instrument.ask("outlook").then((sentence) => {
  element("outlook").textContent = sentence;
});

// For tests, and for whoever opens the console.
window.stethoscope = {
  state: () => structuredClone(state),
  ask: (what, question) => instrument.ask(what, question),
  give,
  look,
  forget,
  run,
  cancel,
};
