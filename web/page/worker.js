// The worker: loads the instrument and passes on what the page asks and what it answers. All work happens in here, so that
// the page stays alive.
import { OutFolder } from "./out.js";
import { serve } from "./serving.js";
import start, { Stethoscope } from "./stethoscope.js";

let memory;
const open = async (module) => {
  ({ memory } = await start(module && { module_or_path: module }));
  return new Stethoscope();
};

serve(open, (instrument) => ({
  look: async ({ reference }) => JSON.parse(await (await instrument).look(reference)),
  out: async ({ out, folder }) => (await instrument).set_out(out, await OutFolder.open(folder)),
  outlook: async () => (await instrument).outlook(),
  conformance: async ({ engine }) => JSON.parse(await (await instrument).conformance(engine)),
  run: async ({ request, engine }) => {
    const tell = (fraction, line) => postMessage({ progress: { fraction, line } });
    return (await instrument).run(JSON.stringify(request), engine, tell);
  },
  cancel: async () => (await instrument).cancel(),
  write: async ({ format }) => (await instrument).write(format),
  memory: async () => {
    await instrument;
    return memory.buffer.byteLength;
  },
}));
