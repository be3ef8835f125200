import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { SignJWT } from "jose";
import { FakeClock } from "../../../lib/fake-clock.ts";
import { silent } from "../../../lib/log.ts";
import { openPki } from "../pki.ts";
import { readConfiguration } from "./configuration.ts";
import { openOidc } from "./oidc.ts";

/** An issuer on loopback, with a certificate of its own authority. */
class Issuer {
  keys: { kid: string; key: KeyObject }[] = [];
  url = "";
  ca = "";
  asked = 0;
  isDown = false;
  stop = () => {};

  async start() {
    const storage = { read: async () => undefined, write: async () => {} };
    const pki = await openPki(storage, { clock: new FakeClock(), names: [] });
    this.ca = pki.ca();
    const server = createServer(pki.serving(), (request, response) => {
      this.asked += 1;
      if (this.isDown) return response.writeHead(503).end();
      const keys = this.keys.map(({ kid, key }) => {
        return { ...createPublicKey(key).export({ format: "jwk" }), kid, use: "sig" };
      });
      const discovery = { issuer: this.url, jwks_uri: `${this.url}/keys` };
      response.end(JSON.stringify(request.url === "/keys" ? { keys } : discovery));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.stop = () => {
      server.closeAllConnections();
      server.close();
    };
  }

  rotate(kid: string) {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.keys = [{ kid, key: privateKey }];
  }

  token(claims: object, { kid, key } = this.keys[0]!) {
    const exp = Math.floor(clock.now() / 1000) + 600;
    return new SignJWT({ iss: this.url, aud: "kerb", sub: "jane", exp, ...claims })
      .setProtectedHeader({ alg: "RS256", kid })
      .sign(key);
  }
}

const clock = new FakeClock();
const issuer = new Issuer();
before(() => issuer.start());
after(() => issuer.stop());

const username = { claim: "sub", prefix: "shop:" };
const open = (more: object = {}) => {
  const { jwt } = readConfiguration({
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "AuthenticationConfiguration",
    jwt: [
      {
        issuer: { url: issuer.url, certificateAuthority: issuer.ca, audiences: ["kerb"] },
        claimMappings: { username },
        ...more,
      },
    ],
  });
  issuer.rotate("one");
  return openOidc(jwt!, { clock, log: silent });
};

test("a token of the issuer names its user", async () => {
  const verify = await open({
    claimMappings: { username, groups: { claim: "roles", prefix: "role:" }, uid: { claim: "id" } },
  });
  const user = await verify(await issuer.token({ roles: ["admin", "ops"], id: "7" }));
  const groups = ["role:admin", "role:ops", "system:authenticated"];
  assert.deepEqual(user, { name: "shop:jane", groups, uid: "7" });
});

test("claims are mapped and judged by expressions", async () => {
  const verify = await open({
    claimValidationRules: [
      { claim: "hd", requiredValue: "example.org" },
      { expression: "claims.exp - claims.iat <= 3600", message: "too long" },
    ],
    claimMappings: {
      username: { expression: "claims.sub + '@' + claims.hd" },
      groups: { expression: "claims.roles.filter(r, r.startsWith('kerb-'))" },
      extra: [{ key: "example.org/team", valueExpression: "claims.team" }],
    },
    userValidationRules: [{ expression: "!user.username.startsWith('system:')" }],
  });
  const iat = Math.floor(clock.now() / 1000);
  const claims = { hd: "example.org", roles: ["kerb-ops", "other"], team: "a", iat };
  assert.deepEqual(await verify(await issuer.token(claims)), {
    name: "jane@example.org",
    groups: ["kerb-ops", "system:authenticated"],
    extra: { "example.org/team": ["a"] },
  });
  for (const wrong of [
    { hd: "else.org" },
    { iat: iat - 4000 },
    { sub: "system:x" },
    { sub: 7 },
    { roles: 7 },
  ]) {
    assert.equal(await verify(await issuer.token({ ...claims, ...wrong })), undefined);
  }
});

test("a token that is another's, too old, unsigned or for others names nobody", async () => {
  const verify = await open();
  const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const now = Math.floor(clock.now() / 1000);
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  const [, body] = (await issuer.token({})).split(".");
  const tokens = [
    await issuer.token({}, { kid: "one", key: stranger }),
    await issuer.token({ exp: now - 1 }),
    await issuer.token({ exp: undefined }),
    await issuer.token({ nbf: now + 60 }),
    await issuer.token({ aud: "else" }),
    await issuer.token({ iss: "https://else" }),
    `${none}.${body}.`,
    "a.b.c",
    "x",
    "",
  ];
  for (const token of tokens) assert.equal(await verify(token), undefined);
  assert.ok(await verify(await issuer.token({})));
});

test("an issuer that changes its keys is asked again, but not for every token", async () => {
  const verify = await open();
  const old = await issuer.token({});
  assert.ok(await verify(old));
  issuer.rotate("two");
  await clock.advance(11_000);
  assert.ok(await verify(await issuer.token({})));
  assert.equal(await verify(old), undefined);
  const { asked } = issuer;
  for (let i = 0; i < 20; i++) assert.equal(await verify(old), undefined);
  assert.ok(issuer.asked <= asked + 2, `${issuer.asked - asked} questions`);
});

test("an issuer that is down is nobody's harm for longer than that", async () => {
  const verify = await open();
  issuer.isDown = true;
  assert.equal(await verify(await issuer.token({})), undefined);
  issuer.isDown = false;
  await clock.advance(11_000);
  assert.ok(await verify(await issuer.token({})));
});

test("an address is a name only once it is verified", async () => {
  const verify = await open({ claimMappings: { username: { claim: "email", prefix: "" } } });
  const email = "jane@example.org";
  assert.equal((await verify(await issuer.token({ email, email_verified: true })))?.name, email);
  assert.equal(await verify(await issuer.token({ email, email_verified: false })), undefined);
});

test("a configuration that is wrong is refused by the name of each field", async () => {
  const jwt = (more: object) => ({
    issuer: { url: "https://a", audiences: ["x"] },
    claimMappings: { username },
    ...more,
  });
  const cases: [unknown, RegExp][] = [
    [jwt({ issuer: { url: "http://a", audiences: ["x"] } }), /jwt\[0\].issuer.url: URL scheme/],
    [jwt({ issuer: { url: "https://a", audiences: [] } }), /audiences: at least one/],
    [jwt({ issuer: { url: "https://a", audiences: ["x", "y"] } }), /audienceMatchPolicy: must be/],
    [jwt({ claimMappings: { username: { claim: "sub" } } }), /username.prefix: required/],
    [jwt({ claimMappings: { username: {} } }), /username: claim or expression is required/],
    [jwt({ claimMappings: { username: { expression: "claims.email" } } }), /email_verified/],
    [
      jwt({ claimMappings: { username, extra: [{ key: "x.k8s.io/a", valueExpression: "1" }] } }),
      /reserved/,
    ],
    [jwt({ nonsense: 1 }), /jwt\[0\].nonsense: unknown field/],
  ];
  const head = { apiVersion: "apiserver.config.k8s.io/v1", kind: "AuthenticationConfiguration" };
  for (const [one, wanted] of cases) {
    assert.throws(() => readConfiguration({ ...head, jwt: [one] }), wanted);
  }
  assert.throws(() => readConfiguration({ ...head, jwt: [jwt({}), jwt({})] }), /is there twice/);
  await assert.rejects(
    open({ claimValidationRules: [{ expression: "claims.x +" }] }),
    /jwt\[0\].claimValidationRules\[0\].expression: compilation failed/,
  );
});
