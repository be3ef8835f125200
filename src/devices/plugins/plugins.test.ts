import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { pathsAnnotation } from "../agent/plan-instances.ts";
import type { Device } from "../discovery/handler.ts";
import type { Claims } from "./claims.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Instance } from "../kinds/instance.ts";
import { allocationOf } from "./instance-plugin.ts";
import { Plugins } from "./plugins.ts";

const metadata = { name: "cam", namespace: "default", uid: "1" };
const configuration = {
  apiVersion: "akri.sh/v0",
  kind: "Configuration",
  metadata,
} as Configuration;
const named: Configuration = { ...configuration, status: { resourceName: "a.akri.sh/cam" } };
const instance = {
  apiVersion: "akri.sh/v0",
  kind: "Instance",
  metadata: { ...metadata, name: "cam-8120fe" },
  spec: { configurationName: "cam", cdiName: "akri.sh/cam=8120fe", capacity: 1, nodes: ["a"] },
} as Instance;

function offering({
  of = instance,
  device,
}: { of?: Instance; device?: () => Device | undefined } = {}) {
  const offered = new Set<string>();
  const add = ({ resourceName }: { resourceName: string }) => {
    offered.add(resourceName);
    return () => void offered.delete(resourceName);
  };
  let isAlone = true;
  const plugins = new Plugins({
    host: { add, freshMs: 0 },
    node: "a",
    clock: new FakeClock(),
    claims: {} as Claims,
    deviceOf: () => device?.(),
    isAlone: () => isAlone,
  });
  const follow = (configuration: Configuration, alone: boolean) => {
    isAlone = alone;
    plugins.follow("default/cam", configuration, [of]);
    return [...offered].sort();
  };
  return follow;
}

test("resources have the name that a controller gave", () => {
  assert.deepEqual(offering()(named, false), ["a.akri.sh/cam", "a.akri.sh/cam-8120fe"]);
});

test("beside Akri's controller, which gives none, a name that nobody else has is its own", () => {
  const follow = offering();
  const own = ["akri.sh/cam", "akri.sh/cam-8120fe"];
  assert.deepEqual(follow(configuration, true), own);
  assert.deepEqual(follow(configuration, false), own, "what pods may have is not taken away");
});

test("a name that two namespaces have waits for a controller", () => {
  assert.deepEqual(offering()(configuration, false), []);
});

test("a container is told where a device lies, so that it may be passed to a guest", () => {
  const brokerProperties = { UDEV_DEVNODE: "/dev/bus/usb/001/004" };
  const stick = { ...instance, spec: { ...instance.spec, brokerProperties } };
  const { envs } = allocationOf(stick, undefined, "akri.sh/cam-8120fe");
  assert.equal(envs["USB_RESOURCE_AKRI_SH_CAM-8120FE"], "1:4");
});

test("a device with nodes is offered once this node's handler told which they are", () => {
  const annotations = { [pathsAnnotation]: "1" };
  const of = { ...instance, metadata: { ...instance.metadata, annotations } };
  let device: Device | undefined;
  const follow = offering({ of, device: () => device });
  assert.deepEqual(follow(named, true), []);
  device = { id: "cam", properties: {}, mounts: [], nodes: [] };
  assert.deepEqual(follow(named, true), ["a.akri.sh/cam", "a.akri.sh/cam-8120fe"]);
});
