// Binary bodies and expressions that mean harm: decoded, compiled or refused, at a bounded price.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seededRandom } from "../../src/lib/random.ts";
import { encodeProtobuf } from "../../src/server/protobuf/encode.ts";
import { Generator } from "./generate.ts";
import { samples } from "./samples.ts";
import { startFuzzedServer } from "./server.ts";
import type { FuzzedServer, Sent } from "./server.ts";

const protobuf = "application/vnd.kubernetes.protobuf";

let server: FuzzedServer;
before(async () => {
  server = await startFuzzedServer();
  const account = { body: `{"metadata":{"name":"default"}}` };
  await server.send("POST", "/api/v1/namespaces/default/serviceaccounts", account);
});
after(() => server.close());

async function send(method: string, url: string, sent: Sent) {
  const { code, body } = await server.send(method, url, sent);
  const shown = Buffer.from(sent.body ?? "").toString("latin1");
  assert.ok(code >= 200 && code < 500, `${code} ${body.toString()}\n${shown}`);
  assert.deepEqual(server.errors(), [], shown);
  return { code, body };
}

test("protobuf bodies with bytes exchanged, removed and added are taken or refused", async () => {
  let taken = 0;
  for (const [i, [path, sample]] of samples.entries()) {
    const { kind, version, group } = server.kinds
      .all()
      .find(({ plural }) => plural === path.split("/").at(-1))!;
    const apiVersion = group ? `${group}/${version}` : version;
    const right = encodeProtobuf({ ...sample, apiVersion, kind });
    for (let seed = 0; seed < 250; seed++) {
      const made = new Generator(seededRandom(i * 1000 + seed));
      const bytes = [...right];
      for (const at of made.times(4, () => made.below(bytes.length))) {
        const insert = made.chance(0.3) ? [...made.bytes(8)] : [made.below(256)];
        bytes.splice(at, made.chance(0.5) ? 1 : 0, ...insert);
      }
      if (made.chance(0.1)) bytes.length = made.below(bytes.length);
      const sent = { body: Buffer.from(bytes), type: protobuf, accept: protobuf };
      const { code } = await send("POST", `${path}?dryRun=All`, sent);
      if (code === 201) taken += 1;
    }
  }
  assert.ok(taken > 50, `only ${taken} bodies were taken`);
});

const crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
let probes = 0;

const probe = (plural: string, schema: object) => ({
  metadata: { name: `${plural}.fuzz.example.com` },
  spec: {
    group: "fuzz.example.com",
    scope: "Namespaced",
    names: { plural, singular: plural, kind: plural.toUpperCase() },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", properties: { spec: schema } } },
      },
    ],
  },
});

const spec = {
  type: "object",
  properties: {
    n: { type: "integer" },
    s: { type: "string", maxLength: 1000 },
    l: { type: "array", maxItems: 100, items: { type: "string", maxLength: 100 } },
    m: { type: "object", maxProperties: 50, additionalProperties: { type: "integer" } },
  },
};

/** Defines a kind with `schema`; when that is taken, tries an object of it. */
async function define(schema: object, object: object) {
  const plural = `probe${probes++}`;
  const defined = await send("POST", crds, { body: JSON.stringify(probe(plural, schema)) });
  if (defined.code !== 201) return { defined, tried: undefined };
  const body = JSON.stringify({ metadata: { generateName: "p-" }, spec: object });
  const path = `/apis/fuzz.example.com/v1/namespaces/default/${plural}`;
  const tried = await send("POST", path, { body });
  assert.notEqual(tried.code, 404);
  return { defined, tried };
}

const tokens = [
  "self",
  ".",
  "n",
  "[",
  "]",
  "(",
  ")",
  "+",
  "==",
  "'a'",
  "1u",
  "null",
  "?",
  ":",
  "b'",
];

const value = {
  n: 7,
  s: "a".repeat(900),
  l: Array.from({ length: 100 }, (_, i) => `item-${i}`),
  m: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, i])),
};

type Type = "bool" | "int" | "string";
type Form = (of: (type: Type) => string, made: Generator) => string;

const leaves: Record<Type, Form[]> = {
  bool: [() => "true"],
  int: [() => "self.n", (_, made) => String(made.number()), () => "self.l.size()"],
  string: [() => "self.s", () => "'a'", (_, made) => JSON.stringify(made.word())],
};
const forms: Record<Type, Form[]> = {
  bool: [
    (of, made) => `${of("int")} ${made.pick(["<", "==", ">="])} ${of("int")}`,
    (of) => `${of("string")} == ${of("string")}`,
    (of, made) => `(${of("bool")} ${made.pick(["&&", "||"])} ${of("bool")})`,
    (of) => `!(${of("bool")})`,
    (of, made) => `self.l.${made.pick(["all", "exists", "exists_one"])}(x, ${of("bool")})`,
    (of) => `${of("string")}.matches(${of("string")})`,
    (of) => `${of("string")} in self.m`,
    (_, made) => `has(self.${made.pick(["n", "s", "l", "m", "absent"])})`,
  ],
  int: [
    (of, made) => `(${of("int")} ${made.pick(["+", "-", "*", "/", "%"])} ${of("int")})`,
    (of) => `size(${of("string")})`,
    (of) => `(${of("bool")} ? ${of("int")} : ${of("int")})`,
    (of) => `self.m[${of("string")}]`,
    (of) => `int(${of("string")})`,
  ],
  string: [
    (of) => `(${of("string")} + ${of("string")})`,
    (of) => `self.l[${of("int")}]`,
    (of) => `string(${of("int")})`,
    (of, made) => `${of("string")}.${made.pick(["lowerAscii", "trim", "upperAscii"])}()`,
    (of) => `${of("string")}.replace(${of("string")}, ${of("string")})`,
    (of) => `${of("string")}.substring(${of("int")})`,
    (of) => `self.l.map(x, ${of("string")}).join(${of("string")})`,
  ],
};

/** An expression of a type, most of the time. */
function expression(made: Generator, type: Type, deep = 0): string {
  if (made.chance(0.04)) return made.sentence(tokens, 4);
  const all = deep > 3 ? leaves[type] : [...leaves[type], ...forms[type]];
  return made.pick(all)((below) => expression(made, below, deep + 1), made);
}

test("rules of any form are compiled or refused, and what was compiled can be asked", async () => {
  let compiled = 0;
  for (let seed = 0; seed < 400; seed++) {
    const rules = [{ rule: expression(new Generator(seededRandom(seed)), "bool") }];
    const { tried } = await define({ ...spec, "x-kubernetes-validations": rules }, value);
    if (tried) compiled += 1;
  }
  assert.ok(compiled > 100, `only ${compiled} rules were compiled`);
});

const nested = (deep: number): string =>
  deep === 0 ? "true" : `self.l.all(v${deep}, ${nested(deep - 1)})`;

test("rules that would take too long are refused when they are defined", async () => {
  const open = { type: "array", items: { type: "string" } };
  const bombs: [rule: string, schema: object][] = [
    [nested(6), spec],
    [nested(3), { type: "object", properties: { l: open } }],
    [`${"(".repeat(5000)}true${")".repeat(5000)}`, spec],
    [`${"!".repeat(5001)}true`, spec],
    [
      `self.l.map(a, self.l.map(b, self.l.map(c, self.l.map(d, self.s + self.s)))).size() > 0`,
      spec,
    ],
    [`'${"a".repeat(200_000)}' == self.s`, spec],
  ];
  for (const [rule, schema] of bombs) {
    const rules = [{ rule }];
    const { defined } = await define({ ...schema, "x-kubernetes-validations": rules }, {});
    assert.equal(
      defined.code,
      422,
      `${rule.slice(0, 80)}: ${defined.body.toString().slice(0, 300)}`,
    );
  }
});

test("patterns that are none refuse the object, not the server", async () => {
  for (const pattern of ["(a+)+(b", "(a)\\\\1", "(?=a)b", "[", "a{1001}{1001}"]) {
    const rules = [{ rule: `self.s.matches('${pattern}')` }];
    const { defined, tried } = await define({ ...spec, "x-kubernetes-validations": rules }, value);
    assert.equal((tried ?? defined).code, 422, pattern);
  }
});

test("patterns that take others for ever are answered", async () => {
  const hostile = `${"a".repeat(50_000)}!`;
  for (const pattern of ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "(.*)*b$", "^([a-z]+)*$"]) {
    const schema = { type: "object", properties: { s: { type: "string", pattern } } };
    const { tried } = await define(schema, { s: hostile });
    assert.equal(tried?.code, 422, pattern);
    const rules = [{ rule: `self.s.matches('${pattern}')` }];
    const short = { type: "object", properties: { s: { type: "string", maxLength: 60_000 } } };
    const ruled = await define({ ...short, "x-kubernetes-validations": rules }, { s: hostile });
    if (ruled.tried) assert.equal(ruled.tried.code, 422, pattern);
  }
});
