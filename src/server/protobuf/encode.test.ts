import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, type Random } from "../../lib/random.ts";
import { builtinKinds } from "../../kinds/kinds.ts";
import { apiVersionOf } from "../../kinds/kind.ts";
import { decodeProtobuf } from "./decode.ts";
import { encodeProtobuf, hasProtobuf } from "./encode.ts";
import { kinds, messages } from "./messages.ts";

/** Below this nothing but scalars. */
const depthMax = 5;

const apiextensions = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

class Generator {
  readonly #random: Random;
  constructor(random: Random) {
    this.#random = random;
  }

  int = (max: number) => 1 + Math.floor(this.#random.float() * max);
  half = () => this.#random.float() < 0.5;
  text = () => this.#random.suffix(this.int(8)) + (this.half() ? "" : "ü€😀");
  pick = <T>(...of: T[]) => of[Math.floor(this.#random.float() * of.length)]!;

  /** Values that JSON and the binary form both can tell from "not set". */
  scalar(type: string): unknown {
    if (type === "s") return this.text();
    if (type === "y") return Buffer.from(this.text()).toString("base64");
    if (type === "i")
      return this.pick(this.int(127), this.int(2 ** 53 - 2), -this.int(2 ** 40), 300);
    if (type === "d") return this.#random.float() * 1e6;
    return true;
  }

  special(type: string, depth: number): unknown {
    const schema = () => this.message(`${apiextensions}.JSONSchemaProps`, depth + 1);
    switch (type.slice(type.lastIndexOf(".") + 1)) {
      case "Time":
        return this.pick("2026-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2100-06-30T12:00:01Z");
      case "MicroTime":
        return this.pick("2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.000001Z");
      case "Quantity":
        return this.pick("100m", "1Gi", "0", "-5");
      case "IntOrString":
        return this.pick<unknown>(8080, -1, "http", "25%");
      case "FieldsV1":
      case "RawExtension":
        return { "f:spec": { [this.text()]: {} } };
      case "JSON":
        return this.pick<unknown>({ a: [1, "x", null] }, "text", 5, false);
      case "JSONSchemaPropsOrArray":
        return this.half() ? schema() : [schema(), schema()];
      case "JSONSchemaPropsOrBool":
        return this.pick<unknown>(true, false, schema());
      case "JSONSchemaPropsOrStringArray":
        return this.half() ? schema() : ["a", "b"];
      default:
        return undefined;
    }
  }

  single(type: string, depth: number): unknown {
    if (type === "wrapped") return [this.text(), this.text()];
    if (!type.startsWith("io.")) return this.scalar(type);
    return this.special(type, depth) ?? this.message(type, depth + 1);
  }

  message(type: string, depth: number): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    for (const [name, inner, shape] of Object.values(messages[type]!)) {
      const nested = inner.startsWith("io.");
      if (depth > 0 && (this.half() || (nested && depth > depthMax))) continue;
      if (shape === "inline") Object.assign(object, this.message(inner, depth));
      else if (shape === "list")
        object[name] = [this.single(inner, depth), this.single(inner, depth)];
      else if (shape === "map") object[name] = { [this.text()]: this.single(inner, depth) };
      else object[name] = this.single(inner, depth);
    }
    return object;
  }
}

test("every kind survives the way to the binary form and back", () => {
  const generator = new Generator(seededRandom(7));
  let fields = 0;
  for (const [name, type] of Object.entries(kinds)) {
    const slash = name.lastIndexOf("/");
    for (let round = 0; round < 5; round++) {
      const head = { apiVersion: name.slice(0, slash), kind: name.slice(slash + 1) };
      const object = { ...generator.message(type, 0), ...head };
      fields += Object.keys(object).length;
      const decoded = decodeProtobuf(encodeProtobuf(object));
      assert.deepEqual(decoded, JSON.parse(JSON.stringify(object)), name);
    }
  }
  assert.ok(fields > 1000);
});

test("every built-in kind and its list have a binary form", () => {
  for (const kind of builtinKinds().all()) {
    const apiVersion = apiVersionOf(kind);
    const names = kind.verbs.includes("list") ? [kind.kind, kind.listKind] : [kind.kind];
    for (const name of names) assert.ok(hasProtobuf({ apiVersion, kind: name }), name);
  }
});

test("what is null or not known to the release is left out", () => {
  const object = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "a", creationTimestamp: null },
    data: null,
    fieldOfTheFuture: { x: 1 },
  };
  const decoded = decodeProtobuf(encodeProtobuf(object));
  assert.deepEqual(decoded, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } });
});

test("a zero that was said is a zero", () => {
  const strategy = { rollingUpdate: { maxUnavailable: 0, maxSurge: "0%" } };
  const spec = { replicas: 0, revisionHistoryLimit: 0, strategy };
  const object = { apiVersion: "apps/v1", kind: "Deployment", spec };
  assert.deepEqual(decodeProtobuf(encodeProtobuf(object))["spec"], spec);
});
