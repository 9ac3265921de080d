// The page's end of the server that it comes from, which does the work instead of the page's worker. A line of JSON each way, and
// behind an event's line the event itself, which is handed on unread.

const SOONEST_MS = 250;
const LATEST_MS = 5000;

// Where the server's socket is; none where the page comes from a folder.
export const socketAddress = () => {
  const mark = document.querySelector('meta[name="stethoscope-server"]');
  if (!mark) return undefined;
  const address = new URL(mark.content, location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.search = "";
  return address;
};

export class Server {
  #address;
  #told;
  #socket;
  #pause = SOONEST_MS;
  #asked = 0;
  #asking = new Map();
  // By the page's own numbers: what was asked, the server's number, and the place in what was said.
  #jobs = new Map();

  // What is told: `onEvent(job, event)`, `onEnd(job, error)`, `onJobs(list)`, `onRequest(id, request)`, `onRefused(why)`, `onLink(isThere)`.
  constructor(address, told) {
    this.#address = address;
    this.#told = told;
    this.#connect();
  }

  has(job) {
    return this.#jobs.has(job);
  }

  begin(job, request) {
    this.#jobs.set(job, { request, at: 0 });
    this.#send(`{"run":{"job":${job},"request":${request}}}`);
  }

  attach(job, id) {
    this.#jobs.set(job, { id, at: 0, isAnothers: true });
    this.#tell({ attach: { job, id, from: 0 } });
  }

  // The app wants no more of it. What another page began goes on.
  drop(job) {
    const { isAnothers } = this.#jobs.get(job) ?? {};
    this.#jobs.delete(job);
    if (!isAnothers) this.#tell({ stop: { job } });
    this.#tell({ leave: { job } });
  }

  // It is to write down where it is, and then to say that it has ended.
  stop(job) {
    this.#tell({ stop: { job } });
  }

  stopKept = (id) => this.#tell({ stop_kept: { id } });
  again = (id) => this.#tell({ again: { id } });
  forget = (id) => this.#tell({ forget: { id } });
  request = (id) => this.#tell({ request: { id } });

  // What lies in a folder; without one, the roots.
  list(folder = null) {
    const number = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#asking.set(number, { resolve, reject });
      this.#tell({ list: { number, folder } });
    });
  }

  #tell(asked) {
    this.#send(JSON.stringify(asked));
  }

  // What is said while there is no socket is said when there is one, as far as it still matters: jobs and where they are.
  #send(text) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  #connect() {
    this.#socket = new WebSocket(this.#address);
    this.#socket.addEventListener("open", () => {
      this.#pause = SOONEST_MS;
      this.#told.onLink(true);
      for (const [job, { request, id, at }] of this.#jobs) {
        if (id === undefined) this.#send(`{"run":{"job":${job},"request":${request}}}`);
        else this.#tell({ attach: { job, id, from: at } });
      }
    });
    this.#socket.addEventListener("message", ({ data }) => this.#take(data));
    this.#socket.addEventListener("close", () => {
      this.#told.onLink(false);
      for (const { reject } of this.#asking.values()) reject(new Error("the server is not there"));
      this.#asking.clear();
      setTimeout(() => this.#connect(), this.#pause);
      this.#pause = Math.min(2 * this.#pause, LATEST_MS);
    });
  }

  #take(data) {
    const end = data.indexOf("\n");
    const [said, what] = Object.entries(JSON.parse(end < 0 ? data : data.slice(0, end)))[0];
    const job = this.#jobs.get(what.job);
    switch (said) {
      case "begun":
        // One that is not kept has no number: after a break it is asked again.
        if (job) job.id = what.id ?? undefined;
        break;
      case "event":
        if (!job) break;
        job.at = what.at ?? job.at;
        this.#told.onEvent(what.job, data.slice(end + 1));
        break;
      case "ended":
        if (this.#jobs.delete(what.job)) this.#told.onEnd(what.job, what.error ?? undefined);
        break;
      case "jobs":
        this.#told.onJobs(what);
        break;
      case "request":
        this.#told.onRequest(what.id, data.slice(end + 1));
        break;
      case "listing": {
        const { resolve, reject } = this.#asking.get(what.number) ?? {};
        this.#asking.delete(what.number);
        if (what.listing) resolve?.(what.listing);
        else reject?.(new Error(what.error));
        break;
      }
      case "refused":
        this.#told.onRefused(what.why);
        break;
    }
  }
}
