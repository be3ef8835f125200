import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { hurried, startSearch } from "../../../test/support/handlers.ts";
import { Scope } from "../../lib/scope.ts";
import { startFakeCoapServer } from "../coap/fake-server.ts";
import { contentOf, linksIn } from "../coap/messages.ts";
import { coap } from "./coap.ts";

let scope: Scope;
beforeEach(() => void (scope = new Scope()));
afterEach(() => scope.close());

const links = '</temp>;rt="temperature-c room";if="sensor",</light>;rt=light';

test("a CoAP server is a device with its resources and their types", async () => {
  const port = await startFakeCoapServer(links, scope);
  const addresses = [`127.0.0.1:${port}`];
  const [found] = await startSearch(coap, { addresses }, { scope })();
  assert.equal(found?.id, `coap://127.0.0.1:${port}`);
  assert.equal(found?.properties["COAP_RESOURCES"], "/temp /light");
  assert.equal(found?.properties["COAP_RESOURCE_TYPES"], "light room temperature-c");
});

test("one without a wanted type of resource is left out", async () => {
  const port = await startFakeCoapServer(links, scope);
  const details = {
    addresses: [`127.0.0.1:${port}`],
    resourceTypes: { action: "Include", items: ["motor"] },
  };
  assert.deepEqual(await startSearch(coap, details, { scope, world: { clock: hurried } })(), []);
});

test("broken answers are none", () => {
  const token = Buffer.from("ab");
  for (const bytes of ["", "\x50", "\x52\x45\x00\x00ab\xff", "\x52\x45\x00\x00ab\xf1"]) {
    const read = () => contentOf(Buffer.from(bytes, "latin1"), token);
    if (bytes.endsWith("\xff")) assert.equal(read().length, 0);
    else assert.throws(read);
  }
  assert.deepEqual(linksIn("no links <<<>>>,,,;;;"), [{ path: "", types: [] }]);
});
