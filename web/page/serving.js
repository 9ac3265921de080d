// The worker's side of questions and jobs: what `instrument.js` asks, one of the modules answers.

// Events of a job that may be under way to the page. When it takes no more of them, the job waits.
const EVENTS_UNDER_WAY = 64;

// What goes wrong in between is no answer to any question: the page is told, and starts another worker.
const broken = (what) => postMessage({ broken: String(what?.message ?? what) });

// The files of the trained pair, by the name of a checkpoint. They lie together in a file beside the page, which is fetched when
// somebody opens one of them; where the page is one file, it has handed over the text.
const trained = (text) => {
  const fetched = async () => {
    const answer = await fetch("demo.json");
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    return answer.text();
  };
  const read = async () => JSON.parse(await (text ? text.text() : fetched()));
  let models;
  return async (name) => {
    models ??= read();
    // What failed is asked for again the next time.
    models.catch(() => (models = undefined));
    const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return Object.entries((await models)[name] ?? {}).map(([name, base64]) => new File([bytes(base64)], name));
  };
};

// Serves an instrument: `open(module)` makes it, once the page has said whether it has compiled the module already, and
// `answers(instrument)` are the questions that it answers besides beginning and stopping jobs.
export const serve = (open, answers) => {
  addEventListener("unhandledrejection", ({ reason }) => broken(reason));
  let load;
  const instrument = new Promise((resolve) => (load = resolve)).then(async ({ module, demo }) => {
    const it = await open(module);
    it.set_demo(trained(demo));
    return it;
  });

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

  const all = {
    hold: async ({ reference, names, paths, files, unreadable }) =>
      (await instrument).hold(reference, names, paths, files, unreadable),
    hub: async ({ endpoint }) => (await instrument).set_hub(endpoint),
    job: runJob,
    stop: async ({ job }) => (await instrument).stop(job),
    ...answers(instrument),
  };

  // Every question has a number and gets an answer: a result, or the sentence that says why there is none.
  addEventListener("message", async ({ data }) => {
    if ("module" in data) return load(data);
    if ("took" in data) return took(data.took);
    const { number, what, ...question } = data;
    try {
      postMessage({ number, result: await all[what](question) });
    } catch (error) {
      // The instrument's refusals are sentences. Anything else is a mistake of the program.
      if (typeof error === "string") postMessage({ number, error });
      else broken(error);
    }
  });
};
