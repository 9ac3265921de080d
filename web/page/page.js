// The page: asks the instrument, and shows what it says. What is said, and in which words, the instrument decides.
import { fromDrop, fromInput } from "./files.js";
import { Instrument } from "./instrument.js";

const element = (id) => document.getElementById(id);
const SIDES = ["a", "b"];

// All that the page knows. Tests read it.
const state = {
  sides: Object.fromEntries(SIDES.map((side) => [side, { status: "empty" }])),
  run: { status: "idle" },
  broken: null,
};

const instrument = new Instrument({ onEvent: take, onBroken: recover });

// ── the two sides ──

const given = {};
const turns = { a: 0, b: 0 };

const give = async (side, dropped) => {
  given[side] = dropped;
  await instrument.ask("hold", { side, ...dropped });
  await look(side, `dropped:${side}`);
};

const look = async (side, reference) => {
  // What was dropped last counts, whichever answer comes last.
  const turn = ++turns[side];
  const set = (values) => {
    if (turn === turns[side]) state.sides[side] = { reference, ...values };
    show();
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
  state.sides[side] = { status: "empty" };
  show();
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
  if (state.run.status === "running") return instrument.ask("run", { request: request() });
  state.run = { status: "running", started: performance.now(), bytes: 0, bytesDone: 0, warnings: [] };
  show();
  try {
    const finished = await instrument.ask("run", { request: request() });
    state.run = finished
      ? { status: "done", json: finished.json, report: JSON.parse(finished.json) }
      : { status: "stopped" };
  } catch (error) {
    state.run = { status: "failed", error: error.message };
  }
  show();
};

const cancel = () => instrument.ask("cancel");

function take(event) {
  if (state.run.status !== "running") return;
  if (event.planned) state.run.bytes = event.planned.bytes;
  if (event.progress) state.run.bytesDone = event.progress.bytes_done;
  if (event.warning) state.run.warnings.push(event.warning);
  show();
}

// The instrument failed and was replaced; the new one knows nothing of what was dropped.
async function recover(message) {
  state.broken = message;
  for (const [side, dropped] of Object.entries(given)) await instrument.ask("hold", { side, ...dropped });
  show();
}

const save = () => {
  const blob = new Blob([state.run.json], { type: "application/json" });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: "delta.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
};

// ── what is seen ──

function show() {
  for (const side of SIDES) {
    const { status, holding, error } = state.sides[side];
    const zone = element(`side-${side}`);
    zone.dataset.status = status;
    const said = { empty: "nothing yet", reading: "reading …", error, ready: holding?.reference };
    zone.querySelector(".holds").textContent = said[status];
  }
  element("run").disabled = state.run.status === "running" || SIDES.some((side) => state.sides[side].status !== "ready");
  element("cancel").disabled = state.run.status !== "running";
  element("status").textContent = state.run.error ?? state.run.status;
  element("save").hidden = state.run.status !== "done";
}

// ── what is done ──

for (const side of SIDES) {
  const zone = element(`side-${side}`);
  zone.addEventListener("dragover", () => zone.classList.add("over"));
  for (const end of ["dragleave", "drop"]) zone.addEventListener(end, () => zone.classList.remove("over"));
  zone.addEventListener("drop", async (event) => give(side, await fromDrop(event.dataTransfer)));
  for (const input of zone.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      if (input.files.length > 0) give(side, fromInput(input.files));
      // So that choosing the same again counts.
      input.value = "";
    });
  }
}
// A file dropped beside the zones must not replace the page.
for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());
element("request").addEventListener("submit", (event) => {
  event.preventDefault();
  run();
});
element("cancel").addEventListener("click", cancel);
element("demo").addEventListener("click", demo);
element("save").addEventListener("click", save);

window.stethoscope = {
  state: () => JSON.parse(JSON.stringify(state)),
  run,
  cancel,
  forget,
  memory: () => instrument.ask("memory"),
};
show();
