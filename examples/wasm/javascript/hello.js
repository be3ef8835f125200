// A server in JavaScript: a component that answers requests as browsers' service workers do.
addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  event.respondWith(new Response(`Hello from JavaScript, ${pathname}\n`));
});
