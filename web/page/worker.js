// The worker: loads the instrument and passes on what the page asks and what it answers. All work happens in here, so that
// the page stays alive.
import start, { Stethoscope } from "./stethoscope.js";

// What goes wrong in between is no answer to any question: the page is told, and starts another worker.
const broken = (what) => postMessage({ broken: String(what?.message ?? what) });
addEventListener("unhandledrejection", ({ reason }) => broken(reason));

const loading = start();
const instrument = loading.then(() => new Stethoscope());

const answers = {
  hold: async ({ side, names, paths, files, unreadable }) =>
    (await instrument).hold(side, names, paths, files, unreadable),
  look: async ({ reference }) => JSON.parse(await (await instrument).look(reference)),
  hub: async ({ endpoint }) => (await instrument).set_hub(endpoint),
  outlook: async () => (await instrument).outlook(),
  conformance: async ({ engine }) => JSON.parse(await (await instrument).conformance(engine)),
  run: async ({ request, engine }) => {
    const tell = (fraction, line) => postMessage({ progress: { fraction, line } });
    return (await instrument).run(JSON.stringify(request), engine, tell);
  },
  cancel: async () => (await instrument).cancel(),
  write: async ({ format }) => (await instrument).write(format),
  memory: async () => (await loading).memory.buffer.byteLength,
};

// Every question has a number and gets an answer: a result, or the sentence that says why there is none.
addEventListener("message", async ({ data: { number, what, ...question } }) => {
  try {
    postMessage({ number, result: await answers[what](question) });
  } catch (error) {
    // The instrument's refusals are sentences. Anything else is a mistake of the program.
    if (typeof error === "string") postMessage({ number, error });
    else broken(error);
  }
});
