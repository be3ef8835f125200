// Leaf devices as Akri's users have them: Configurations of the shape of its samples, with kubectl.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import { startSite } from "../support/site.ts";
import { importModule } from "../support/wasm-module.ts";
import type { Site } from "../support/site.ts";

let site: Site;
const far = new Machine();
/** Others' cameras are heard as well. */
const cameraUuid = randomUUID();
let camera: ChildProcess;

before(async () => {
  [site] = await Promise.all([startSite("--name", "leaf", "--devices"), far.start()]);
  await importBusybox(site);
  const script = join(import.meta.dirname, "../support/camera.ts");
  const inside = [`--net=/var/run/netns/${far.name}`, process.execPath, script];
  camera = spawn("nsenter", [...inside, far.address, cameraUuid], { stdio: "ignore" });
});
after(async () => {
  camera?.kill();
  await Promise.all([site.remove(), far.remove()]);
});

const ports = "ports: [{name: http, port: 80, protocol: TCP, targetPort: 8080}]";

const configuration = (name: string, handler: string, details: string, more = "") => `
apiVersion: akri.sh/v0
kind: Configuration
metadata: {name: ${name}}
spec:
  discoveryHandler:
    name: ${handler}
    discoveryDetails: |+
${details.trim().replaceAll(/^/gm, "      ")}
  brokerSpec:
    brokerPodSpec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: broker
        image: docker.io/library/busybox:kerb
        command: [sh, -c, "cd /tmp; env > index.html; httpd -f -p 8080"]
        resources: {limits: {"{{PLACEHOLDER}}": "1"}}
  instanceServiceSpec: {type: ClusterIP, ${ports}}
  configurationServiceSpec: {type: ClusterIP, ${ports}}
  brokerProperties: {}
  capacity: 5
${more}`;

const named = async (kind: string, label: string): Promise<string[]> => {
  const { items } = await site.get(kind, "-l", label);
  return items.map(({ metadata }: any) => metadata.name).sort();
};

const ofConfiguration = async (name: string): Promise<any[]> =>
  (await site.get("akrii")).items.filter((one: any) => one.spec.configurationName === name);

const untilFound = (name: string, count: number) =>
  eventually(async () => {
    const found = await ofConfiguration(name);
    return found.length === count && found;
  }, `${count} Instances of ${name}`);

const untilRunning = (name: string, count: number) =>
  eventually(async () => {
    const { items } = await site.get("pods", "-l", `akri.sh/configuration=${name}`);
    const running = items.filter(({ metadata, status }: any) => {
      return status.phase === "Running" && !metadata.deletionTimestamp;
    });
    return items.length === count && running.length === count && items;
  }, `${count} brokers of ${name}`);

test("debugEcho: two devices, two brokers, three Services; none while it is OFFLINE; back again", async () => {
  const name = "akri-debug-echo-foo";
  await site.apply(configuration(name, "debugEcho", 'descriptions: ["foo0", "foo1"]'));
  await untilRunning(name, 2);
  const brokers = [`leaf-${name}-8120fe-pod`, `leaf-${name}-a19705-pod`];
  assert.deepEqual(await named("pods", `akri.sh/configuration=${name}`), brokers);
  const services = () => named("services", "controller=akri.sh");
  const wanted = [`${name}-8120fe-svc`, `${name}-a19705-svc`, `${name}-svc`];
  await eventually(async () => (await services()).length === 3, "three Services");
  assert.deepEqual(await services(), wanted);
  const { deviceUsage } = (await site.get("akrii", `${name}-8120fe`)).spec;
  assert.deepEqual(Object.values(deviceUsage), ["leaf"]);
  const page = ["exec", brokers[0]!, "--", "wget", "-qO-", `http://${name}-8120fe-svc`];
  const said = await eventually(() => site.kubectl(page), "the broker's page");
  assert.match(said, /^DEBUG_ECHO_DESCRIPTION=foo0$/m);
  assert.match(said, /^DEBUG_ECHO_DESCRIPTION_8120FE=foo0$/m);

  const file = join(site.directory, "devices/debug-echo-availability.txt");
  writeFileSync(file, "OFFLINE");
  await untilFound(name, 0);
  await untilRunning(name, 0);
  await eventually(async () => (await services()).length === 0, "no Services");
  writeFileSync(file, "ONLINE");
  await untilRunning(name, 2);
  await site.kubectl(["delete", "akric", name]);
  await untilRunning(name, 0);
});

test("udev: nodes of the machine, each in the container that has it", async () => {
  const rules = `
udevRules:
- 'KERNEL=="null", SUBSYSTEM=="mem"'
- 'SUBSYSTEM=="block", KERNEL=="loop[01]"'
- 'KERNEL=="tty0"'
permissions: rwm`;
  await site.apply(configuration("machine", "udev", rules));
  const found = await untilFound("machine", 4);
  const nodes = found.map(({ spec }) => spec.brokerProperties.UDEV_DEVNODE).sort();
  assert.deepEqual(nodes, ["/dev/loop0", "/dev/loop1", "/dev/null", "/dev/tty0"]);
  await untilRunning("machine", 4);
  for (const { metadata, spec } of found) {
    const node = spec.brokerProperties.UDEV_DEVNODE;
    const look = `test -c ${node} || test -b ${node}; echo $?; ls /dev/loop0 /dev/loop1`;
    const said = await site.tryKubectl(["exec", `${metadata.name}-pod`, "--", "sh", "-c", look]);
    assert.match(said.stdout, /^0\n/, node);
    // Of others it sees none.
    assert.equal(said.stdout.includes("loop"), node.includes("loop"), node);
  }
  await site.kubectl(["delete", "akric", "machine"]);
  await untilFound("machine", 0);
});

test("a WebAssembly module has the device that its pod was given, and no other", async () => {
  await importModule(site, "test/wasm/device.c", "device:1");
  await site.apply(`
apiVersion: akri.sh/v0
kind: Configuration
metadata: {name: zeros}
spec:
  discoveryHandler:
    name: udev
    discoveryDetails: |
      udevRules: ['KERNEL=="zero", SUBSYSTEM=="mem"']
      permissions: rw
  capacity: 2
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: zero}
spec:
  devices:
    requests:
    - name: device
      firstAvailable:
      - name: better
        deviceClassName: akri.sh
        selectors: [{cel: {expression: 'device.attributes["akri.sh"].configuration == "ones"'}}]
      - name: good
        deviceClassName: akri.sh
        selectors: [{cel: {expression: 'device.attributes["akri.sh"].configuration == "zeros"'}}]`);
  await untilFound("zeros", 1);
  const pod = (name: string, resources: string, more = "") => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  runtimeClassName: wasm
  restartPolicy: Never
  ${more}
  containers: [{name: module, image: "device:1", resources: {${resources}}}]`;
  const byClaim = "resourceClaims: [{name: device, resourceClaimName: zero}]";
  const pods = [
    pod("has-one", "limits: {akri.sh/zeros: 1}"),
    pod("has-none", ""),
    pod("claims-one", "claims: [{name: device}]", byClaim),
  ];
  await site.apply(pods.join("\n---"));
  const wait = "--timeout=120s";
  const ended = (name: string) =>
    site.kubectl(["wait", `pod/${name}`, "--for=jsonpath={.status.phase}=Succeeded", wait]);
  await Promise.all(["has-one", "has-none", "claims-one"].map(ended));
  assert.equal(await site.kubectl(["logs", "has-one"]), "zero read 4 wrote 5\n");
  assert.equal(await site.kubectl(["logs", "claims-one"]), "zero read 4 wrote 5\n");
  assert.equal(await site.kubectl(["logs", "has-none"]), "no devices\n");
  const made = ["akric/zeros", "pod/has-one", "pod/has-none", "pod/claims-one"];
  await site.kubectl(["delete", ...made, "resourceclaim/zero"]);
});

test("ONVIF: a camera on another machine of the network", async () => {
  const details = `
ipAddresses: {action: Exclude, items: [10.0.0.1]}
scopes: {action: Include, items: ["onvif://www.onvif.org/name/Gate"]}
uuids: {action: Include, items: ["${cameraUuid}"]}
discoveryTimeoutSeconds: 1`;
  await site.apply(configuration("cameras", "onvif", details));
  const [found] = await untilFound("cameras", 1);
  const { brokerProperties, shared } = found.spec;
  assert.equal(shared, true);
  assert.equal(brokerProperties.ONVIF_DEVICE_UUID, cameraUuid);
  assert.equal(brokerProperties.ONVIF_DEVICE_IP_ADDRESS, far.address);
  await untilRunning("cameras", 1);
  await site.kubectl(["delete", "akric", "cameras"]);
});

test("a Configuration that cannot be understood is refused, each fault by its field", async () => {
  const rules = "udevRules: ['KERNEL==\"video[0-9]*\"']\npermissions: rx";
  const wrong = configuration("wrong", "udev", rules).replace("image:", "imagee:");
  const { code, stderr } = await site.tryKubectl(["apply", "-f", "-"], { input: wrong });
  assert.notEqual(code, 0);
  assert.match(stderr, /spec.brokerSpec.brokerPodSpec.containers\[0\].imagee: .*unknown field/);
  assert.match(stderr, /discoveryDetails: .*permissions: expected one of r, w, m/);
});

test("a pod claims a device by its properties, and has its node and variables", async () => {
  const rules = 'udevRules: [\'KERNEL=="loop[0-3]", SUBSYSTEM=="block"\']\npermissions: r';
  const [top] = configuration("disks", "udev", rules).split("  brokerSpec:");
  await site.apply(`${top}  capacity: 1\n`);
  await site.apply(`
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: disk}
spec:
  spec:
    devices:
      requests:
      - name: disk
        exactly:
          deviceClassName: akri.sh
          selectors:
          - cel: {expression: 'device.attributes["akri.sh"].UDEV_DEVNODE == "/dev/loop2"'}
---
apiVersion: v1
kind: Pod
metadata: {name: claimer}
spec:
  terminationGracePeriodSeconds: 0
  resourceClaims: [{name: disk, resourceClaimTemplateName: disk}]
  containers:
  - name: main
    image: docker.io/library/busybox:kerb
    command: [sleep, "1000"]
    resources: {claims: [{name: disk}]}
`);
  await site.kubectl(["wait", "--for=condition=Ready", "pod/claimer", "--timeout=120s"]);
  const look = "env | grep UDEV_DEVNODE=; ls /dev/loop*";
  const said = await site.kubectl(["exec", "claimer", "--", "sh", "-c", look]);
  assert.equal(said, "UDEV_DEVNODE=/dev/loop2\n/dev/loop2\n");
  const held = async () =>
    (await ofConfiguration("disks")).flatMap(({ spec }) => Object.values(spec.deviceUsage ?? {}));
  assert.match(String((await held())[0]), /^C:dra\..*:leaf$/);
  await site.kubectl(["delete", "pod", "claimer"]);
  await eventually(async () => (await held()).length === 0, "a free slot");
  await site.kubectl(["delete", "akric", "disks"]);
  const slices = async () => (await site.get("resourceslices")).items.length === 0;
  await eventually(slices, "no slices");
});
