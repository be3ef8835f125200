import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { readConfiguration, tryOptions, writeConfiguration } from "../configuration/state.ts";
import { ConfigurationSwitch } from "../configuration/switch.ts";
import { readState, tryRelease, writeState } from "./state.ts";
import { ReleaseSwitch } from "./switch.ts";

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), "kerb-switch-"))));
afterEach(() => rmSync(directory, { recursive: true }));

const release = (version: string) => ({ version, root: `/releases/${version}` });
const another = { reason: "Conflict", message: /tries another change/ };

test("no release is tried while other options are", () => {
  const options = tryOptions({ format: 1, good: {} }, "change", { devices: ["true"] });
  writeConfiguration(directory, options);
  assert.throws(() => new ReleaseSwitch(directory).request(release("2.0.0")), another);
  assert.equal(readState(directory), undefined);
});

test("no release is tried while another one is", () => {
  writeState(directory, tryRelease(undefined, release("1.1.0"), "1.0.0"));
  assert.throws(() => new ReleaseSwitch(directory).request(release("2.0.0")), another);
  assert.equal(readState(directory)!.trying!.version, "1.1.0");
});

test("no options are tried while a release is", () => {
  writeState(directory, tryRelease(undefined, release("1.1.0"), "1.0.0"));
  const configuration = new ConfigurationSwitch(directory, { dataDir: directory } as never);
  const settings = [{ option: "devices", value: "true" }];
  assert.throws(() => configuration.request("change", settings), another);
  assert.equal(readConfiguration(directory).trying, undefined);
});
