// From what the browser hands over to a list of files: { names, paths, files, unreadable }.

// A model's folder holds tens of files. Whoever drops a whole disk is told what is missing, not made to wait.
const FILES_AT_MOST = 2000;
const DEPTH_AT_MOST = 3;

const nothing = () => ({ names: [], paths: [], files: [], unreadable: undefined });

// What was dropped. To be called while the event is handled: afterwards the browser has forgotten.
export const fromDrop = async (transfer) => {
  const items = [...transfer.items].filter((item) => item.kind === "file");
  // Chromium lists no folder for a page from a disk, except through handles, which other browsers do not have.
  const asHandle = location.protocol === "file:" && "getAsFileSystemHandle" in DataTransferItem.prototype;
  const asked = items.map((item) =>
    asHandle ? item.getAsFileSystemHandle().then(entryOf) : (item.webkitGetAsEntry?.() ?? item.getAsFile()));
  const dropped = nothing();
  for (const entry of (await Promise.all(asked)).filter(Boolean)) {
    dropped.names.push(entry.name);
    await walk(entry, "", dropped);
  }
  return dropped;
};

// A handle as the entry that it would be elsewhere.
const entryOf = (handle) => ({
  name: handle.name,
  isFile: handle.kind === "file",
  isDirectory: handle.kind === "directory",
  file: (resolve, reject) => handle.getFile().then(resolve, reject),
  createReader() {
    const values = handle.values();
    return {
      async readEntries(resolve, reject) {
        try {
          const { value, done } = await values.next();
          resolve(done ? [] : [entryOf(value)]);
        } catch (error) {
          reject(error);
        }
      },
    };
  },
});

const walk = async (entry, folder, dropped) => {
  const path = folder + entry.name;
  try {
    if (entry instanceof File) {
      add(entry, path, dropped);
    } else if (entry.isFile) {
      add(await new Promise((resolve, reject) => entry.file(resolve, reject)), path, dropped);
    } else if (path.split("/").length <= DEPTH_AT_MOST) {
      for (const inner of await list(entry)) {
        // Folders such as .git hold thousands of files, and none of a checkpoint's.
        const isHidden = inner.isDirectory && inner.name.startsWith(".");
        if (!isHidden && dropped.files.length < FILES_AT_MOST) await walk(inner, `${path}/`, dropped);
      }
    }
  } catch (error) {
    dropped.unreadable ??= [path, error.message];
  }
};

// A browser lists a folder in portions; an empty one is the end.
const list = async (folder) => {
  const reader = folder.createReader();
  const entries = [];
  for (;;) {
    const portion = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (portion.length === 0) return entries;
    entries.push(...portion);
  }
};

// What was chosen in a dialogue: files, or the files of one folder.
export const fromInput = (chosen) => {
  const dropped = nothing();
  for (const file of [...chosen].slice(0, FILES_AT_MOST)) {
    const path = file.webkitRelativePath || file.name;
    const [name, ...inner] = path.split("/");
    if (inner.slice(0, -1).some((folder) => folder.startsWith("."))) continue;
    // Two files of one name are two things; the files of one folder are one.
    if (inner.length === 0 || !dropped.names.includes(name)) dropped.names.push(name);
    add(file, path, dropped);
  }
  return dropped;
};

const add = (file, path, dropped) => {
  dropped.paths.push(path);
  dropped.files.push(file);
};
