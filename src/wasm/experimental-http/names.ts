/** Every call of wasi_experimental_http. */
export const experimentalHttpNames: ReadonlySet<string> = new Set([
  "req",
  "close",
  "header_get",
  "headers_get_all",
  "body_read",
]);
