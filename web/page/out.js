// A folder for a model that the worker writes: one that the person picked, or the browser's own storage, from which the files
// are then downloaded. What is written, and in which order, the instrument decides.

// A file is called so until all of it is there.
const PART = ".part";

// The name of the folder in the browser's own storage.
const OWN = "stethoscope";

const isMissing = (error) => error?.name === "NotFoundError";

export class OutFolder {
  #folder;
  #part;
  #stream;
  // What is under way, or was last.
  #busy = Promise.resolve();

  constructor(folder, is_own) {
    this.#folder = folder;
    this.is_own = is_own;
  }

  // The folder that was picked; without one, a folder in the browser's own storage.
  static async open(picked) {
    if (picked) return new OutFolder(picked, false);
    try {
      const root = await navigator.storage.getDirectory();
      return new OutFolder(await root.getDirectoryHandle(OWN, { create: true }), true);
    } catch (error) {
      throw `this browser gives the page no room to write in (${error.message}); the command line writes models`;
    }
  }

  async names() {
    await this.#busy;
    const names = [];
    for await (const name of this.#folder.keys()) names.push(name);
    return names.sort();
  }

  // What is in a file; nothing where there is none.
  async text(name) {
    return (await this.#file(name))?.text();
  }

  async length(name) {
    return (await this.#file(name))?.size;
  }

  // Bytes that may still be written, where the browser says.
  async room() {
    if (!this.is_own) return undefined;
    const { quota, usage } = await navigator.storage.estimate();
    return quota === undefined ? undefined : Math.max(0, quota - (usage ?? 0));
  }

  // Begins a file of so many bytes, for which there must be room: what a browser says of that beforehand is a guess.
  begin(name, bytes) {
    return this.#do(async () => {
      this.#part = await this.#folder.getFileHandle(name + PART, { create: true });
      this.#stream = await (this.#part.createWritable?.() ?? inPlace(this.#part));
      await this.#stream.truncate(bytes);
    });
  }

  // Writes more of the file that was begun.
  write(bytes) {
    return this.#do(() => this.#stream.write(bytes));
  }

  // All of the file that was begun is there: it gets its name.
  finish(name) {
    return this.#do(async () => {
      const part = this.#part;
      await this.#stream.close();
      this.#stream = undefined;
      await this.remove(name);
      try {
        await part.move(name);
      } catch {
        // Not every browser renames in a folder of the person's: then it is copied, and replaces nothing until it is whole.
        const whole = await this.#folder.getFileHandle(name, { create: true });
        await (await part.getFile()).stream().pipeTo(await whole.createWritable());
        await this.remove(name + PART);
      }
      this.#part = undefined;
    });
  }

  async remove(name) {
    try {
      await this.#folder.removeEntry(name);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  // Leaves nothing of a file that was begun and will not be finished.
  abandon() {
    const clear = async () => {
      const part = this.#part?.name;
      this.#part = undefined;
      await this.#stream?.abort();
      this.#stream = undefined;
      if (part) await this.remove(part);
    };
    // What cannot be cleared away stays under its other name.
    this.#busy = this.#busy.then(clear, clear).catch(() => {});
  }

  // Everything is there: what lies in the browser's own storage is handed to the person.
  async deliver(names) {
    if (this.is_own) postMessage({ files: await Promise.all(names.map((name) => this.#file(name))) });
  }

  async #file(name) {
    try {
      return await (await this.#folder.getFileHandle(name)).getFile();
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  #do(what) {
    return (this.#busy = what());
  }
}

// Some browsers write into their own storage only so.
const inPlace = async (file) => {
  const access = await file.createSyncAccessHandle();
  let at = 0;
  return {
    truncate: async (bytes) => access.truncate(bytes),
    write: async (bytes) => (at += access.write(bytes, { at })),
    close: async () => {
      access.flush();
      access.close();
    },
    abort: async () => access.close(),
  };
};
