// The page's end of the worker: questions with answers, and jobs that tell what they find until they end.

export class Instrument {
  #worker;
  #waiting = new Map();
  #jobs = new Set();
  #number = 0;
  #told;

  // What is told: `onProgress(progress)`, `onEvent(job, event)`, `onEnd(job, error)`, `onFiles(files)`,
  // `onBroken(message)`. A compiled `module` saves the worker from compiling its own; `script` is the worker's, if it is not
  // the first one.
  constructor(told) {
    this.#told = told;
    this.#start();
  }

  // The answer to a question; refused with an error whose message is for a person.
  ask(what, question = {}) {
    const number = this.#number++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ number, what, ...question });
    });
  }

  // Begins a job, which is told of by its number: a request, or a file to be read as a report.
  begin(job, request) {
    this.#jobs.add(job);
    const end = (error) => this.#jobs.delete(job) && this.#told.onEnd(job, error);
    this.ask("job", { job, request }).then(() => end(), (error) => end(error.message));
  }

  // An event of a job was taken: it may tell another.
  took(job) {
    this.#worker.postMessage({ took: job });
  }

  stop(job) {
    this.#jobs.delete(job);
    this.ask("stop", { job });
  }

  #start() {
    // Where the page is one file, it says where in it the worker is.
    const usual = (script) => ({ address: new URL(script, import.meta.url), type: "module" });
    const { script } = this.#told;
    const { address, type } = (script ? undefined : globalThis.stethoscopeWorker) ?? usual(script ?? "worker.js");
    this.#worker = new Worker(address, { type, name: script ?? "stethoscope" });
    this.#worker.postMessage({ module: this.#told.module, demo: globalThis.stethoscopeDemo });
    this.#worker.addEventListener("message", ({ data }) => this.#take(data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#break(event.message ?? "the worker could not be loaded");
    });
  }

  #take({ number, result, error, progress, job, event, files, broken }) {
    if (event !== undefined) return this.#jobs.has(job) && this.#told.onEvent(job, event);
    if (progress) return this.#told.onProgress(progress);
    if (files) return this.#told.onFiles(files);
    if (broken) return this.#break(broken);
    const { resolve, reject } = this.#waiting.get(number) ?? {};
    this.#waiting.delete(number);
    if (error === undefined) resolve?.(result);
    else reject?.(new Error(error));
  }

  // A program that has failed cannot be trusted to go on: another takes its place.
  #break(message) {
    this.#worker.terminate();
    const unanswered = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#start();
    this.#told.onBroken(message);
    for (const { reject } of unanswered) reject(new Error(`the program failed: ${message}`));
  }
}
