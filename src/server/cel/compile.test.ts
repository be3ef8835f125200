import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Schema } from "../../kinds/schema.ts";
import { BudgetSpent } from "./budget.ts";
import { CelScope } from "./compile.ts";

const schema: Schema = {
  type: "object",
  properties: {
    replicas: { type: "integer" },
    ratio: { type: "number" },
    name: { type: "string" },
    "x-y.z": { type: "string" },
    namespace: { type: "string" },
    port: { "x-kubernetes-int-or-string": true },
    at: { type: "string", format: "date-time" },
    wait: { type: "string", format: "duration" },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    labels: { type: "object", additionalProperties: { type: "string" } },
    maybe: { type: "string", nullable: true },
    items: {
      type: "array",
      items: {
        type: "object",
        properties: { name: { type: "string" }, weight: { type: "integer" } },
      },
    },
  },
};
const definitions = () => assert.fail("no references here");
const scope = () =>
  new CelScope(definitions).declare("self", schema).declare("oldSelf", schema).declare("any");

function evaluate(expression: string, self: unknown = {}, more: object = {}) {
  const compiled = scope().compile(expression, ["bool"]);
  if ("error" in compiled) assert.fail(`${expression}: ${compiled.error}`);
  return compiled.program.evaluate({ self, oldSelf: self, ...more });
}

const self = {
  replicas: 3,
  ratio: 0.5,
  name: "web",
  "x-y.z": "odd",
  namespace: "here",
  port: 80,
  at: "2026-01-02T03:04:05Z",
  wait: "1h30m",
  free: { deep: [1, { two: 2 }] },
  labels: { app: "web", tier: "front" },
  maybe: null,
  items: [
    { name: "a", weight: 1 },
    { name: "b", weight: 2 },
  ],
};

const truths = `
self.replicas == 3 && self.ratio < 1.0
self.x__dash__y__dot__z == 'odd' && self.__namespace__ == 'here'
self.port == 80
self.at < timestamp('2027-01-01T00:00:00Z') && self.at.getFullYear() == 2026
self.wait > duration('1h') && self.wait == duration('90m')
self.free.deep[1].two == 2
self.labels['app'] == 'web' && 'tier' in self.labels && self.labels.all(k, k != '')
self.maybe == null
self == oldSelf && self.items == oldSelf.items && self.items[0] != self.items[1]
self.items.exists_one(i, i.weight == 2) && self.items.map(i, i.name) == ['a', 'b']
self.items.all(i, !has(i.weight) || i.weight > 0)
self.?maybe.optMap(m, m + '!').orValue('none') == 'none' || self.?name.optMap(n, n + '!').value() == 'web!'
self.?name.optMap(n, n + '!').value() == 'web!' && self.?labels.optFlatMap(l, l[?'app']).orValue('') == 'web'
self.items.all(i, one, one.weight == i + 1) && self.items.exists(i, one, i == 1 && one.name == 'b')
self.labels.exists_one(key, value, value == 'web') && self.labels.all(key, value, key != value)
self.items.transformList(i, one, i + one.weight) == [1, 3] && self.items.transformList(i, one, i > 0, one.name) == ['b']
self.labels.transformMap(key, value, value + key) == {'app': 'webapp', 'tier': 'fronttier'}
self.items.transformMapEntry(i, one, {one.name: one.weight}) == {'a': 1, 'b': 2}
[3, 1, 2, 1].distinct().sort() == [1, 2, 3] && lists.range(3).reverse() == [2, 1, 0] && [1, 2, 3].slice(1, 2) == [2]
[1, [2, [3]]].flatten() == [1, 2, [3]] && [5u, 3u].sort() == [3u, 5u] && [7].first().value() == 7 && !['a'].slice(0, 0).last().hasValue()
ip.isCanonical('10.0.0.1') && !ip.isCanonical('2001:DB8::1') && ['10.0.0.1'].all(ip, isIP(ip))
strings.quote('a') == '"a"' && '%s %e %x'.format([['a', {'k': 1}], 1.5, b'hi']) == '[a, {k: 1}] 1.500000e+00 6869'
self.free.?b.?c.?d.orValue('none') == 'none' && self.free.?a.?b.orValue('none') == 'none' && self.free[?'b'].?c.optMap(x, x + 1).orValue(7) == 7
optional.of(1) == optional.of(1) && optional.none() != optional.of(1) && self.free.?zip == optional.none()
!optional.ofNonZeroValue('').hasValue() && optional.ofNonZeroValue(7).value() == 7
self.items.sortBy(one, -one.weight)[0].name == 'b'
int(self.at) == 1767323045 && string(self.at) == '2026-01-02T03:04:05Z' && string(self.wait) == '5400s' && int(7u) == 7
self.namespace == 'here' && self.__namespace__ == 'here' && has(self.namespace)
self.items[0] != null && !(self.items[0] == null) && null != self.items[0]
has(self.items[0].weight) && has(self.labels.app) && !has(self.labels.none)
has(self.items.filter(i, i.name == "b")[0].name) && has({"a": {"b": 1}}.a.b) && !has(self.free.none)
self.?maybe.orValue('none') == null
['a', 'b'].isSorted() && ![2, 1].isSorted() && [].isSorted()
[1, 2, 3].sum() == 6 && [1, 2, 3].max() == 3 && ['b', 'a'].min() == 'a'
self.items.map(i, i.weight).sum() == 3
[1, 2, 1].indexOf(1) == 0 && [1, 2, 1].lastIndexOf(1) == 2 && [1].indexOf(9) == -1
sets.contains([1, 2, 3], [2]) && sets.equivalent([1, 2], [2, 1, 1]) && !sets.intersects([1], [2])
'abc 123 def 456'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2']
'a1b2c3'.findAll('[0-9]', 2) == ['1', '2'] && 'web-7'.matches('^web-[0-9]+$')
quantity('1.5Gi').isGreaterThan(quantity('1G')) && quantity('500m').add(quantity('0.5')) == quantity('1')
isQuantity('20Mi') && !isQuantity('20Mo') && quantity('3').asInteger() == 3 && quantity('1k').sub(1).compareTo(quantity('999')) == 0
url('https://example.com:80/a/b?x=1&x=2').getHost() == 'example.com:80'
url('https://example.com:80/a/b?x=1&x=2').getQuery()['x'] == ['1', '2']
url('https://[::1]:443/').getHostname() == '::1' && url('/path').getScheme() == '' && !isURL('nothing')
isIP('10.0.0.1') && ip('::1').isLoopback() && ip('127.0.0.1').family() == 4 && string(ip('0:0::1')) == '::1'
cidr('10.0.0.0/8').containsIP('10.1.2.3') && !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))
cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('192.168.1.5/24').masked() == cidr('192.168.1.0/24')
cidr('10.0.0.0/8').prefixLength() == 8 && !isCIDR('10.0.0.0/33') && ip('8.8.8.8').isGlobalUnicast()
semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.0.0-rc.1').compareTo(semver('1.0.0')) == -1
semver('v1.2', true).minor() == 2 && isSemver('1.0.0') && !isSemver('1.0')
'%s has %d of %.2f'.format(['web', 3, 1.5]) == 'web has 3 of 1.50'
'Hello'.lowerAscii() == 'hello' && 'a-b-c'.split('-') == ['a', 'b', 'c'] && 'tacocat'.charAt(3) == 'o'
'a b a'.replace('a', 'x', 1) == 'x b a' && ' x '.trim() == 'x' && ['a', 'b'].join('-') == 'a-b'
!format.dns1123Label().validate('web-1').hasValue() && format.dns1123Label().validate('Web').hasValue()
format.named('uuid').hasValue() && !format.named('nonsense').hasValue()
cel.bind(x, self.replicas * 2, x + x) == 12
`;

for (const expression of truths.trim().split("\n")) {
  test(`it holds that ${expression}`, () => assert.equal(evaluate(expression, self), true));
}

const refusals: [expression: string, why: RegExp][] = [
  ["self.nope == 1", /undefined field 'nope'/],
  ["self.items.all(i, i.nope == 1)", /nope/],
  ["self.replicas == 'three'", /found no matching overload/],
  ["self.replicas", /must evaluate to bool/],
  ["self.replicas >", /Syntax error/],
  ["unknown == 1", /undeclared reference to 'unknown'/],
  [`${"(".repeat(500)}true${")".repeat(500)}`, /./],
];
for (const [expression, why] of refusals) {
  test(`${expression.slice(0, 40)} does not compile`, () => {
    const compiled = scope().compile(expression, ["bool"]);
    assert.ok("error" in compiled);
    assert.match(compiled.error, why);
  });
}

test("loops in loops over lists without limits are refused before they run", () => {
  const nested = (list: string) => `${list}.all(a, ${list}.all(b, a.weight != b.weight || a == b))`;
  const refused = scope().compile(nested("self.items"), ["bool"]);
  assert.ok("error" in refused);
  assert.match(refused.error, /exceeds budget by factor of/);
  const items = { ...schema.properties!["items"]!, maxItems: 64 };
  const limited = new CelScope(definitions).declare("self", { ...schema, properties: { items } });
  assert.ok("program" in limited.compile(nested("self.items"), ["bool"]));
});

test("an expression that loops too much ends by itself, even where errors are forgiven", () => {
  const any = Array.from({ length: 200 }, (_, i) => i);
  const all = JSON.stringify(any);
  const loops = `${all}.all(a, ${all}.all(b, ${all}.all(c, a + b + c >= 0)))`;
  for (const expression of [loops, `(${loops} || true)`]) {
    const compiled = scope().compile(expression, ["bool"]);
    assert.ok("program" in compiled);
    assert.throws(() => compiled.program.evaluate({ any }), BudgetSpent);
  }
});

test("strings that double are stopped before they fill the memory", () => {
  let bomb = "size(x)";
  for (let i = 0; i < 60; i++) bomb = `cel.bind(x, x + x, ${bomb})`;
  const compiled = scope().compile(`cel.bind(x, 'boom boom boom', ${bomb}) > 0`, ["bool"]);
  if ("error" in compiled) return assert.match(compiled.error, /depth|limit|Exceeded/i);
  assert.throws(() => compiled.program.evaluate({}), BudgetSpent);
});

test("a pattern of nested repetition costs no more than any other", () => {
  const text = `${"a".repeat(5000)}!`;
  assert.equal(evaluate("any.matches('^(a+)+$')", {}, { any: text }), false);
});

test("a program tells which variables it reads", () => {
  const compiled = scope().compile("self.replicas >= oldSelf.replicas", ["bool"]);
  assert.ok("program" in compiled);
  assert.equal(compiled.program.uses("oldSelf"), true);
  assert.equal(compiled.program.uses("any"), false);
});

test("whatever is written, compiling says yes or no and never fails", () => {
  const words =
    "self . replicas ( ) [ ] + == ? : && || ! 'a' 1 2.0 in has all map x , { } null".split(" ");
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...words), { maxLength: 12 }),
      fc.anything(),
      (parts, any) => {
        const compiled = scope().compile(parts.join(" "), ["bool"]);
        if ("error" in compiled) return assert.equal(typeof compiled.error, "string");
        try {
          compiled.program.evaluate({ self, any });
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      },
    ),
    { numRuns: 2000, seed: 7 },
  );
});
