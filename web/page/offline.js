// Keeps the page for when there is no network: its files, the trained pair among them, are fetched when it is first seen, those that run models when somebody
// listens, and given from there afterwards. A new version is fetched beside the old one, and used once no tab shows the old one any more.
importScripts("offline-files.js");

const CACHE = `stethoscope-${self.VERSION}`;

addEventListener("install", (event) => {
  const keep = async () => {
    const cache = await caches.open(CACHE);
    // Past the browser's own cache, which may hold files of another version.
    await cache.addAll(self.FILES.map((file) => new Request(file, { cache: "reload" })));
  };
  event.waitUntil(keep());
});

addEventListener("activate", (event) => {
  const tidy = async () => {
    const names = await caches.keys();
    const old = names.filter((name) => name.startsWith("stethoscope-") && name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await clients.claim();
  };
  event.waitUntil(tidy());
});

addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  // Models elsewhere are none of its business.
  if (method !== "GET" || !url.startsWith(registration.scope)) return;
  const find = async () => {
    const cache = await caches.open(CACHE);
    const kept = await cache.match(event.request, { ignoreSearch: true });
    if (kept) return kept;
    const fetched = await fetch(event.request);
    // What runs models is large, and only for those who listen.
    if (fetched.ok && self.LATER.some((file) => url.endsWith(`/${file}`))) await cache.put(event.request, fetched.clone());
    return fetched;
  };
  event.respondWith(find());
});
