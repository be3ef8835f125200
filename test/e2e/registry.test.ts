// Images come from a registry too: with a pull secret, by tag and by digest.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { registryUser, startRegistry } from "../support/registry.ts";
import type { Registry } from "../support/registry.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
let registry: Registry;
const local = "docker.io/library/busybox:kerb";

before(async () => {
  [site, registry] = await Promise.all([startSite("--name", "pulls"), startRegistry()]);
  await importBusybox(site);
  await registry.push(site, local, "tools/busybox:1");
  await site.kerb("image", "remove", local);
});
after(async () => {
  registry.stop();
  await site.remove();
});

const pod = (name: string, image: string, more = "") => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  ${more}
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: "${image}", command: [sleep, "1000"]}]
`;
const waiting = "--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}";

test("a private image without a secret is not pulled, and the pod says so", async () => {
  await site.apply(pod("stranger", `${registry.host}/tools/busybox:1`));
  await site.kubectl(["wait", `${waiting}=ImagePullBackOff`, "pod/stranger", "--timeout=120s"]);
  const why = /Failed to pull image .*(401|authorization|no basic auth)/i;
  const events = () => site.kubectl(["events", "--for", "pod/stranger"]);
  await eventually(async () => why.test(await events()), "the reason");
});

test("an image that does not exist names itself", async () => {
  await site.apply(pod("typo", `${registry.host}/tools/busybux:1`));
  await site.kubectl(["wait", `${waiting}=ImagePullBackOff`, "pod/typo", "--timeout=120s"]);
});

test("a pull secret opens the registry, and the service account can carry it", async () => {
  await site.kubectl([
    "create",
    "secret",
    "docker-registry",
    "login",
    `--docker-server=${registry.host}`,
    `--docker-username=${registryUser.username}`,
    `--docker-password=${registryUser.password}`,
  ]);
  const image = `${registry.host}/tools/busybox:1`;
  await site.apply(pod("guest", image, "imagePullSecrets: [{name: login}]"));
  await site.kubectl(["wait", "--for=condition=Ready", "pod/guest", "--timeout=120s"]);
  const { imageID } = (await site.get("pod", "guest")).status.containerStatuses[0];
  assert.match(imageID, /@sha256:[0-9a-f]{64}$/);

  const account = ["patch", "serviceaccount", "default", "-p"];
  await site.kubectl([...account, '{"imagePullSecrets":[{"name":"login"}]}']);
  await site.apply(pod("by-digest", imageID));
  await site.kubectl(["wait", "--for=condition=Ready", "pod/by-digest", "--timeout=120s"]);
});

test("with the registry gone, what was pulled still starts", async () => {
  registry.stop();
  await site.apply(pod("offline", `${registry.host}/tools/busybox:1`));
  await site.kubectl(["wait", "--for=condition=Ready", "pod/offline", "--timeout=120s"]);
});
