// The page of the app: what the app on the canvas cannot do itself. The app is the same as in a desktop's window; what takes
// long it asks of the worker.
import { fromDrop, fromInput } from "./files.js";
import { Instrument } from "./instrument.js";
import { JobList, pick } from "./served.js";
import { Server, socketAddress } from "./server.js";
import start, { Window } from "./stethoscope.js";

const SETTINGS = "stethoscope.settings";

const element = (id) => document.getElementById(id);
const make = (name, properties) => Object.assign(document.createElement(name), properties);

const say = (text) => {
  element("cover").hidden = false;
  element("word").textContent = text;
};

// What was given, by number: the files stay here, and the app decides what they are.
const given = [];
// What the worker holds, for one that has to start again.
const held = new Map();

// Settings are a comfort: a browser that keeps none (a private window, a file) is no reason to fail.
const settings = {
  read() {
    try {
      return localStorage.getItem(SETTINGS) ?? undefined;
    } catch {
      return undefined;
    }
  },
  write(text) {
    try {
      localStorage.setItem(SETTINGS, text);
    } catch {
      // As above.
    }
  },
};

const download = (name, blob) => {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};

// Whether a request is of something that was dropped on the page, which a server knows nothing of.
const isOfDropped = (request) => {
  const asked = Object.values(JSON.parse(request))[0];
  return [...held.keys()].some((name) => request.includes(JSON.stringify(name)) || asked.recipe?.includes(name));
};

// Files that lie in the browser's own storage. Of many at once some browsers forget some.
const downloadAll = async (files) => {
  for (const file of files) {
    download(file.name, file);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
};

// What the app asks of the page.
const host = (instrument, models, server, app) => ({
  run: (job, request) => (server && !isOfDropped(request) ? server : instrument).begin(job, request),
  took: (job) => !server?.has(job) && (models.has(job) ? models : instrument).took(job),
  stop(job) {
    if (server?.has(job)) server.drop(job);
    else (models.has(job) ? models : instrument).stop(job);
  },
  ask_to_stop: (job) => server?.has(job) && server.stop(job),
  attach: (job, id) => server.attach(job, id),
  is_served: () => Boolean(server),
  can_listen: () => Boolean(server) || models.canListen,
  listen: (job, request) => (server && !isOfDropped(request) ? server : models).begin(job, request),
  hold(reference, number, names) {
    const { paths, files, unreadable } = given[number];
    const isMeant = paths.map((path) => names.includes(path.split("/")[0]));
    const those = (list) => list.filter((_, index) => isMeant[index]);
    held.set(reference, { names, paths: those(paths), files: those(files), unreadable });
    instrument.ask("hold", { reference, ...held.get(reference) });
    models.tell("hold", { reference, ...held.get(reference) });
  },
  read(job, number, name) {
    const { paths, files } = given[number];
    instrument.begin(job, files[paths.indexOf(name)]);
  },
  async pick(side, folder) {
    if (server) {
      const picked = await pick(server, folder ? "folder" : "file");
      if (picked) app().name(side, picked);
      return;
    }
    const input = make("input", { type: "file", multiple: !folder, webkitdirectory: folder });
    input.addEventListener("change", () => {
      if (input.files.length > 0) give(fromInput(input.files), (...what) => app().picked(side, ...what));
    });
    input.click();
  },
  can_write: () => Boolean(server ?? window.showDirectoryPicker ?? navigator.storage?.getDirectory),
  async pick_out(name) {
    if (server) {
      const out = await pick(server, "new", name);
      if (out) app().out(out);
      return;
    }
    try {
      // Without a picker the files go through the browser's own storage to the downloads.
      const folder = await window.showDirectoryPicker?.({ id: "stethoscope", mode: "readwrite" });
      const out = folder?.name ?? name;
      await instrument.ask("out", { out, folder });
      app().out(out);
    } catch (error) {
      // A dialogue that was closed is no failure.
      if (error.name !== "AbortError") app().failed(error.message);
    }
  },
  save: (name, bytes) => download(name, new Blob([bytes.slice()])),
  remember: settings.write,
  remembered: settings.read,
});

// Models speak in a worker of their own, whose module is as large as the rest of the page: it is started when somebody listens.
const listeners = (told, hub) => {
  let instrument;
  const jobs = new Set();
  const replay = async () => {
    if (hub) await instrument.ask("hub", { endpoint: hub });
    for (const [reference, what] of held) await instrument.ask("hold", { reference, ...what });
  };
  const start = () => {
    const onEnd = (job, error) => {
      jobs.delete(job);
      told.onEnd(job, error);
    };
    const onBroken = (message) => {
      told.onBroken(message);
      replay();
    };
    instrument = new Instrument({ ...told, onEnd, onBroken, script: "listener.js" });
    replay();
  };
  return {
    // A page in one file has no room for it.
    canListen: !globalThis.stethoscopeWorker,
    has: (job) => jobs.has(job),
    begin(job, request) {
      if (!instrument) start();
      jobs.add(job);
      instrument.begin(job, request);
    },
    took: (job) => instrument.took(job),
    stop(job) {
      jobs.delete(job);
      instrument.stop(job);
    },
    tell: (what, question) => instrument?.ask(what, question),
  };
};

const give = (dropped, open) => {
  const number = given.push(dropped) - 1;
  open(dropped.names, dropped.paths, number);
};

const takeDrops = (canvas, app) => {
  canvas.addEventListener("drop", async (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    // To be asked for at once: after the event the browser has forgotten.
    const dropped = await fromDrop(event.dataTransfer);
    if (dropped.names.length > 0) give(dropped, (...what) => app().drop_at(x, y, ...what));
  });
  // A file dropped beside the canvas must not replace the page.
  for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.preventDefault());
};

// A browser that has seen the page once shows it without a network, too.
const keepForLater = () => {
  if (!location.protocol.startsWith("http")) return;
  navigator.serviceWorker?.register("offline.js").catch(() => {
    // Some browsers have none, or keep none in private windows.
  });
};

const open = async () => {
  const canvas = element("canvas");
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) {
    say("The app paints with WebGPU, which this browser does not offer. The plain page does the same work without it.");
    element("cover").append(make("a", { href: "plain.html", textContent: "Go to the plain page" }));
    return;
  }
  // Both the page and its worker run this module; it is compiled once.
  const module = await (globalThis.stethoscopeModule ?? WebAssembly.compileStreaming(fetch("stethoscope_bg.wasm")));
  await start({ module_or_path: module });
  let app;
  const instrument = new Instrument({
    module,
    onEvent: (job, event) => app.event(job, event),
    onEnd: (job, error) => app.ended(job, error),
    onFiles: downloadAll,
    async onBroken(message) {
      app?.failed(`The worker failed and was started again: ${message}. That is a mistake in it, not yours`);
      for (const [reference, what] of held) await instrument.ask("hold", { reference, ...what });
    },
  });
  const hub = new URLSearchParams(location.search).get("hub");
  const models = listeners(
    {
      onEvent: (job, event) => app.event(job, event),
      onEnd: (job, error) => app.ended(job, error),
      onBroken: (message) => app.failed(`The models' worker failed and was started again: ${message}. Its model may be too large for a page`),
    },
    hub,
  );
  if (hub) instrument.ask("hub", { endpoint: hub }).catch((error) => app.failed(error.message));
  const cores = navigator.hardwareConcurrency ?? 1;
  const place = `a page in this browser, ${cores} cores, WebGPU (${adapter.info?.vendor || "unnamed"})`;
  const server = serve(() => app);
  app = await Window.open(canvas, host(instrument, models, server, () => app), server ? `a page of the server at ${location.host}` : place);
  takeDrops(canvas, () => app);
  element("cover").hidden = true;
  canvas.focus();
  // For tests, and for whoever opens the console.
  window.stethoscope = {
    state: () => JSON.parse(app.state() || "{}"),
    widgets: () => JSON.parse(app.widgets() || "[]"),
    frames: () => app.frames(),
    name: (side, reference) => app.name(side, reference),
    give: (side, dropped) => give(dropped, (...what) => app.picked(side, ...what)),
    ask: (what, question) => instrument.ask(what, question),
  };
  watch(app);
  if (!server) keepForLater();
};

// The server that the page comes from, if it is one that does the work, with the list of its jobs.
const serve = (app) => {
  const address = socketAddress();
  if (!address) return undefined;
  const server = new Server(address, {
    onEvent: (job, event) => app()?.event(job, event),
    onEnd: (job, error) => app()?.ended(job, error),
    onJobs: (list) => jobs.show(list),
    onRequest: (id, request) => app()?.resume(id, request),
    onRefused: (why) => app()?.failed(why),
    onLink: (isThere) => jobs.link(isThere),
  });
  const jobs = new JobList(server, server.request);
  return server;
};

// An app that has stopped says so, rather than to stand still.
const watch = (app) => {
  const timer = setInterval(() => {
    const message = app.panic();
    if (message === undefined) return;
    clearInterval(timer);
    say(`The app has stopped, which is a mistake in it: ${message}. Load the page again.`);
  }, 1000);
};

open().catch((error) => {
  say(`The app could not start: ${error?.message ?? error}. The plain page may work: plain.html`);
  throw error;
});
