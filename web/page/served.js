// What lies over the app where a server does the work: the list of its jobs, and a dialogue for its files.

const make = (name, properties, ...inner) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...inner);
  return element;
};

const button = (textContent, onclick) => make("button", { type: "button", textContent, onclick });

// How far a job is, in words, and what can be done with it.
const told = ({ state }) => {
  if (state === "waiting") return ["waiting", false];
  if ("running" in state) {
    const done = state.running;
    return [done === null ? "running" : `running, ${Math.floor(100 * done)} %`, false];
  }
  const { ended } = state;
  if (ended === "done") return ["done", true];
  if (ended === "stopped") return ["stopped", true];
  if (ended === "interrupted") return ["interrupted: the server ended while it ran", true];
  return [`failed: ${ended.failed}`, true];
};

// The list of jobs; `open(id)` shows one in the app.
export class JobList {
  #server;
  #open;
  #summary = make("summary", { textContent: "Jobs" });
  #list = make("ul", {});
  #told = { jobs: [], waiting: 0, kept: 0 };
  #isThere = true;

  constructor(server, open) {
    this.#server = server;
    this.#open = open;
    document.body.append(make("details", { id: "jobs" }, this.#summary, this.#list));
  }

  show(list) {
    this.#told = list;
    this.#list.replaceChildren(...list.jobs.map((job) => this.#row(job)));
    if (list.jobs.length === 0) this.#list.append(make("li", { textContent: "None yet. What takes long is kept here, and goes on without this page." }));
    const more = list.kept - list.jobs.length;
    if (more > 0) this.#list.append(make("li", { textContent: `and ${more} more, older` }));
    this.#summarise();
  }

  link(isThere) {
    this.#isThere = isThere;
    this.#summarise();
  }

  #summarise() {
    const running = this.#told.jobs.filter(({ state }) => state.running !== undefined).length;
    const parts = [running > 0 && `${running} running`, this.#told.waiting > 0 && `${this.#told.waiting} waiting`].filter(Boolean);
    const text = parts.length > 0 ? `Jobs: ${parts.join(", ")}` : "Jobs";
    this.#summary.textContent = this.#isThere ? text : "The server is not there; this page goes on when it is back. If it is, open its new link.";
  }

  #row(job) {
    const { id, words, at } = job;
    const [how, hasEnded] = told(job);
    const row = make("li", {}, make("code", { textContent: words }), make("span", { textContent: `${new Date(1000 * at).toLocaleString()}: ${how}` }));
    row.dataset.job = id;
    row.append(button("Show", () => this.#open(id)));
    if (hasEnded) {
      row.append(button("Again", () => this.#server.again(id)), button("Forget", () => this.#server.forget(id)));
    } else {
      row.append(button("Stop", () => this.#server.stopKept(id)));
    }
    row.append(make("a", { href: `jobs/${id}/events.jsonl`, textContent: "Log", target: "_blank" }));
    return row;
  }
}

const size = (bytes) => {
  const unit = ["bytes", "kB", "MB", "GB", "TB"];
  const power = Math.min(4, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power > 0 ? 1 : 0)} ${unit[power]}`;
};

// Has the person pick a file or a folder of the server's: `wants` is "file", "folder" or "new", for what is to be written under a
// name. Nothing if they change their mind.
export const pick = (server, wants, name = "") =>
  new Promise((resolve) => {
    const title = make("h2", {});
    const list = make("ul", {});
    const field = make("input", { value: name, ariaLabel: "Name" });
    const buttons = make("menu", {});
    const dialog = make("dialog", { className: "files" }, title, list, buttons);
    let picked;
    const end = (reference) => {
      picked = reference;
      dialog.close();
    };
    const enter = async (folder) => {
      try {
        show(await server.list(folder));
      } catch (error) {
        title.textContent = error.message;
      }
    };
    const show = ({ folder, name: shown, above, entries, has_more }) => {
      title.textContent = folder ? shown : "Folders of the server";
      const seen = entries.filter(({ is_folder }) => is_folder || wants === "file");
      list.replaceChildren(...seen.map(({ name: entry, reference, is_folder, bytes }) =>
        make("li", {}, button(is_folder ? `${entry}/` : entry, () => (is_folder ? enter(reference) : end(reference))),
          make("span", { textContent: is_folder ? "" : size(bytes) }))));
      if (has_more) list.append(make("li", { textContent: "and more, which are not listed" }));
      buttons.replaceChildren();
      if (folder) buttons.append(button("Up", () => enter(above ?? undefined)));
      if (folder && wants === "folder") buttons.append(button("Open this folder", () => end(folder)));
      if (folder && wants === "new") buttons.append(field, button("Write here", () => field.value && end(`${folder}/${field.value}`)));
      buttons.append(button("Cancel", () => end()));
    };
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(picked);
    });
    document.body.append(dialog);
    dialog.showModal();
    enter();
  });
