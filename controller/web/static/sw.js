// Keeps the shell at hand, so that a tablet without a link opens and says so. It never keeps anything of a room:
// the API is not touched, pages are fetched first and their last shell is the fallback.

const SHELL = "stillroom-shell-2";
const FILES = [
  "/offline", "/static/base.css", "/static/live.css", "/static/icons.svg", "/static/icons/icon.svg",
  ...["words", "link", "ribbon", "slider", "answers", "panels", "preview", "view", "live", "shell"].map((name) => `/static/${name}.js`),
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(SHELL).then((cache) => cache.addAll(FILES)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("stillroom-") && name !== SHELL;
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name)))).then(() => clients.claim()));
});

async function newest(request) {
  const cache = await caches.open(SHELL);
  try {
    const response = await fetch(request);
    if (response.ok && !response.redirected) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    if (request.mode === "navigate") return cache.match("/offline");
    throw error;
  }
}

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin) return;
  const isLive = event.request.mode === "navigate" && url.pathname.endsWith("/live");
  if (url.pathname.startsWith("/static/") || isLive) event.respondWith(newest(event.request));
  else if (event.request.mode === "navigate") event.respondWith(fetch(event.request).catch(() => caches.match("/offline")));
});
