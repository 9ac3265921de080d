// The page's end of the worker: questions with answers, and how far it is in between.

export class Instrument {
  #worker;
  #waiting = new Map();
  #number = 0;
  #onProgress;
  #onBroken;

  constructor({ onProgress, onBroken }) {
    this.#onProgress = onProgress;
    this.#onBroken = onBroken;
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

  #start() {
    this.#worker = new Worker(new URL("worker.js", import.meta.url), { type: "module", name: "stethoscope" });
    this.#worker.addEventListener("message", ({ data }) => this.#take(data));
    this.#worker.addEventListener("error", (event) => {
      event.preventDefault();
      this.#break(event.message ?? "the worker could not be loaded");
    });
  }

  #take({ number, result, error, progress, broken }) {
    if (progress) return this.#onProgress(progress);
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
    this.#onBroken(message);
    for (const { reject } of unanswered) reject(new Error(`the program failed: ${message}`));
  }
}
