import assert from "node:assert/strict";
import { test } from "node:test";
import { rewriteHtml } from "./rewrite-html.ts";
import { rewriteUrl } from "./rewrite-url.ts";

const rewritten = async (html: string, chunkBytes: number) => {
  const transform = rewriteHtml((link) => `<${link}>`);
  const bytes = Buffer.from(html);
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    transform.write(bytes.subarray(at, at + chunkBytes));
  }
  transform.end();
  let out = Buffer.alloc(0);
  for await (const chunk of transform) out = Buffer.concat([out, chunk]);
  return out.toString();
};

test("links are found however the page is cut into chunks, and nothing else changes", async () => {
  const html =
    "<!doctype html><!-- <a href='/no'> --><a class=x href=/ü title='a > b'>text < text</a>" +
    '<FORM ACTION="/form"><style>a > b { }</style><script>"<a href=1>"</script><p href="/no">end <';
  const expected = html
    .replace("href=/ü", "href=</ü>")
    .replace('ACTION="/form"', 'ACTION="</form>"');
  for (const bytes of [1, 2, 3, 7, 64, 10_000])
    assert.equal(await rewritten(html, bytes), expected);
});

test("a link is led back only when it points to the proxied server", () => {
  const place = { targetHost: "10.1.0.9:80", callerHost: "127.0.0.1:8001", prefix: "/p/proxy" };
  const table: [string, string][] = [
    ["/x?a=/b", "/p/proxy/x?a=/b"],
    ["/p/proxy/x", "/p/proxy/x"],
    ["x/y", "x/y"],
    ["", ""],
    ["#top", "#top"],
    ["mailto:a@b", "mailto:a@b"],
    ["http://10.1.0.9:80/x", "/p/proxy/x"],
    ["https://127.0.0.1:8001/x/", "/p/proxy/x/"],
    ["//10.1.0.9:80/x", "/p/proxy/x"],
    ["https://elsewhere/x", "https://elsewhere/x"],
  ];
  for (const [link, expected] of table) assert.equal(rewriteUrl(link, place), expected, link);
});
