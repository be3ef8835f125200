// Whatever is sent, the answer is an object or a Status below 500, nothing is logged as unexpected, and
// what was taken can be read, and written back, as it was told.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isObject } from "../../src/lib/json.ts";
import { seededRandom } from "../../src/lib/random.ts";
import { Generator } from "./generate.ts";
import { startFuzzedServer } from "./server.ts";
import type { Answer, FuzzedServer, Sent } from "./server.ts";
import { samples } from "./samples.ts";

let server: FuzzedServer;
before(async () => {
  server = await startFuzzedServer();
  const account = { body: `{"metadata":{"name":"default"}}` };
  await server.send("POST", "/api/v1/namespaces/default/serviceaccounts", account);
});
after(() => server.close());

const generator = (seed: number) => new Generator(seededRandom(seed));

/** Sends, and checks what holds of every answer. */
async function send(method: string, url: string, sent: Sent = {}): Promise<Answer & { json: any }> {
  const answer = await server.send(method, url, sent);
  const shown = `${method} ${url} ${Buffer.from(sent.body ?? "")
    .toString("latin1")
    .slice(0, 600)}`;
  const text = answer.body.toString();
  assert.ok(answer.code >= 200 && answer.code < 500, `${answer.code} ${text}\n${shown}`);
  assert.deepEqual(server.errors(), [], shown);
  const json = JSON.parse(text);
  if (answer.code >= 400) {
    assert.deepEqual(
      [json.kind, json.status, json.code],
      ["Status", "Failure", answer.code],
      shown,
    );
    assert.ok(json.message && json.reason, shown);
  }
  return { ...answer, json };
}

const collections = () =>
  server.kinds
    .all()
    .filter((kind) => kind.verbs.includes("create"))
    .map((kind) => {
      const { group, version, plural, namespaced } = kind;
      const root = group ? `/apis/${group}/${version}` : `/api/${version}`;
      return { kind, path: `${root}${namespaced ? "/namespaces/default" : ""}/${plural}` };
    });

test("bodies of every kind, right and wrong, are taken or refused", async () => {
  let taken = 0;
  for (const [i, { kind, path }] of collections().entries()) {
    for (let round = 0; round < 12; round++) {
      const made = generator(i * 1000 + round);
      const body = made.ofSchema(kind.schema, server.kinds.definition) as any;
      const metadata = { ...body?.metadata, name: `f${i}-${round}`, namespace: undefined };
      const whole = { ...body, apiVersion: undefined, kind: undefined, metadata };
      const sent = { body: JSON.stringify(round % 4 === 3 ? made.mutated(whole) : whole) };
      // What judges the others' bodies is only tried: they shall be judged by nothing else.
      const dry = round % 2 === 1 || kind.group.startsWith("admissionregistration");
      const query = dry ? "?fieldValidation=Strict&dryRun=All" : "";
      const { code, json } = await send("POST", path + query, sent);
      if (code !== 201 || query || kind.virtual) continue;
      taken += 1;
      const at = `${path}/${json.metadata.name}`;
      const again = await send("GET", at);
      if (again.code === 404) continue;
      if (!kind.verbs.includes("update") || again.json.metadata.deletionTimestamp) continue;
      const back = await send("PUT", at, { body: JSON.stringify(again.json) });
      assert.equal(back.code, 200, back.body.toString());
      assert.equal(back.json.metadata.resourceVersion, again.json.metadata.resourceVersion, at);
    }
  }
  assert.ok(taken > 50, `only ${taken} bodies were taken`);
});

test("bodies that are no objects are refused", async () => {
  for (let seed = 0; seed < 300; seed++) {
    const made = generator(seed);
    const types = ["application/json", "application/yaml", "text/plain", ""];
    const tokens = [
      "{",
      "}",
      "[",
      "]",
      ":",
      ",",
      '"',
      "a",
      "1",
      "- ",
      "&a ",
      "*a",
      "\n",
      "  ",
      "|",
    ];
    const body = made.chance(0.5) ? made.bytes(200) : made.sentence(tokens, 40);
    const { path } = made.pick(collections());
    await send("POST", path, { body, type: made.pick(types) });
  }
});

const patchTypes = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

test("patches of all four kinds are applied or refused", async () => {
  let applied = 0;
  for (const [path, sample] of samples) {
    const first = await send("POST", path, { body: JSON.stringify(sample) });
    assert.equal(first.code, 201, first.body.toString());
    const at = `${path}/${first.json.metadata.name}`;
    for (let seed = 0; seed < 60; seed++) {
      const made = generator(seed);
      const value = () => (made.chance(0.5) ? made.json(2) : made.mutated(sample));
      const operation = () => ({
        op: made.pick(["add", "remove", "replace", "move", "copy", "test", "x"]),
        path: made.pointer(first.json),
        from: made.pointer(first.json),
        value: made.json(2),
      });
      const mutated = made.mutated(sample);
      const strategic: Record<string, unknown> = isObject(mutated) ? mutated : {};
      strategic[made.pick(["$patch", "$retainKeys", "$setElementOrder/a"])] = made.json(3);
      const bodies: [string, unknown][] = [
        [patchTypes.json, made.times(4, operation)],
        [patchTypes.merge, value()],
        [patchTypes.strategic, made.chance(0.5) ? strategic : value()],
        [`${patchTypes.apply}?fieldManager=f&force=${made.chance(0.5)}`, value()],
      ];
      for (const [kind, patch] of bodies) {
        const [type, query = "fieldManager=f"] = kind.split("?");
        const sent = { type: type!, body: JSON.stringify(patch) };
        const { code } = await send("PATCH", `${at}?dryRun=All&${query}`, sent);
        if (code === 200) applied += 1;
      }
    }
  }
  assert.ok(applied > 100, `only ${applied} patches were applied`);
});

test("selectors and options in any words are understood or refused", async () => {
  const label = ["a", "app", "=", "==", "!=", "!", " in ", " notin ", "(", ")", ",", " ", "exists"];
  const field = ["metadata.name", "spec.nodeName", "status.phase", "=", "!=", ",", "a", "\\"];
  const names = ["limit", "continue", "resourceVersion", "resourceVersionMatch", "timeoutSeconds"];
  const values = ["0", "1", "-1", "x", "true", "NotOlderThan", "Exact", "99999999999999999999"];
  for (let seed = 0; seed < 600; seed++) {
    const made = generator(seed);
    const query = new URLSearchParams();
    if (made.chance(0.7)) query.set("labelSelector", made.sentence(label, 8));
    if (made.chance(0.4)) query.set("fieldSelector", made.sentence(field, 6));
    for (const name of made.times(3, () => made.pick(names))) query.set(name, made.pick(values));
    const { path } = made.pick(collections().filter(({ kind }) => kind.verbs.includes("list")));
    await send("GET", `${path}?${query.toString()}`);
  }
});

test("paths of any form are found or not", async () => {
  const parts = ["/api", "/apis", "/v1", "/apps", "/namespaces", "/default", "/pods", "/status"];
  parts.push("/%2e%2e", "//", "/..", "/%00", "/%", "/watch", "/proxy", "/log", "/deployments");
  for (let seed = 0; seed < 500; seed++) {
    const made = generator(seed);
    const url = `/${made.sentence(parts, 7)}`.replaceAll(/[^\x21-\x7e]/g, "_");
    const method = made.pick(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"]);
    if (method === "DELETE" && !url.includes("pods")) continue;
    if (/^\/+(livez|readyz|healthz|metrics|openapi|version)/.test(url)) continue;
    await send(method, url, method === "GET" ? {} : { body: "{}" });
  }
});
