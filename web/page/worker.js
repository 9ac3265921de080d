// The worker: loads the instrument and passes on what the page asks and what it answers. All work happens in here, so that
// the page stays alive.
import { OutFolder } from "./out.js";
import start, { Stethoscope } from "./stethoscope.js";

// Events of a job that may be under way to the page. When it takes no more of them, the job waits.
const EVENTS_UNDER_WAY = 64;

// What goes wrong in between is no answer to any question: the page is told, and starts another worker.
const broken = (what) => postMessage({ broken: String(what?.message ?? what) });
addEventListener("unhandledrejection", ({ reason }) => broken(reason));

// The page's first message says whether it has compiled the module already.
let load;
const loading = new Promise((resolve) => (load = resolve)).then((module) => start(module && { module_or_path: module }));
const instrument = loading.then(() => new Stethoscope());

// The jobs that run: how many events are under way, and what waits until they are fewer.
const jobs = new Map();

const runJob = async ({ job, request }) => {
  const state = { underWay: 0, resume: undefined };
  jobs.set(job, state);
  const tell = (event) => {
    postMessage({ job, event });
    state.underWay += 1;
    if (state.underWay < EVENTS_UNDER_WAY) return undefined;
    return new Promise((resume) => (state.resume = resume));
  };
  try {
    const it = await instrument;
    await (request instanceof File ? it.read(request, tell) : it.answer(job, request, tell));
  } finally {
    jobs.delete(job);
  }
};

const took = (job) => {
  const state = jobs.get(job);
  if (!state) return;
  state.underWay -= 1;
  state.resume?.();
  state.resume = undefined;
};

const answers = {
  hold: async ({ reference, names, paths, files, unreadable }) =>
    (await instrument).hold(reference, names, paths, files, unreadable),
  look: async ({ reference }) => JSON.parse(await (await instrument).look(reference)),
  out: async ({ out, folder }) => (await instrument).set_out(out, await OutFolder.open(folder)),
  hub: async ({ endpoint }) => (await instrument).set_hub(endpoint),
  outlook: async () => (await instrument).outlook(),
  conformance: async ({ engine }) => JSON.parse(await (await instrument).conformance(engine)),
  run: async ({ request, engine }) => {
    const tell = (fraction, line) => postMessage({ progress: { fraction, line } });
    return (await instrument).run(JSON.stringify(request), engine, tell);
  },
  cancel: async () => (await instrument).cancel(),
  job: runJob,
  stop: async ({ job }) => (await instrument).stop(job),
  write: async ({ format }) => (await instrument).write(format),
  memory: async () => (await loading).memory.buffer.byteLength,
};

// Every question has a number and gets an answer: a result, or the sentence that says why there is none.
addEventListener("message", async ({ data }) => {
  if ("module" in data) return load(data.module);
  if ("took" in data) return took(data.took);
  const { number, what, ...question } = data;
  try {
    postMessage({ number, result: await answers[what](question) });
  } catch (error) {
    // The instrument's refusals are sentences. Anything else is a mistake of the program.
    if (typeof error === "string") postMessage({ number, error });
    else broken(error);
  }
});
