// Policies on real pods: who reaches whom is tried from inside the pods.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { importBusybox } from "../support/image.ts";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site;
const ips = new Map<string, string>();

const pod = (name: string, app: string, command: string[]) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { app } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: "main",
        image: "busybox:kerb",
        imagePullPolicy: "Never",
        command,
        ports: [{ name: "http", containerPort: 8080 }],
      },
    ],
  },
});
const serve = ["sh", "-c", "mkdir /www && echo hello >/www/index.html && httpd -f -p 8080 -h /www"];

const policy = (name: string, spec: object) =>
  site.apply(
    JSON.stringify({
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name },
      spec,
    }),
  );
const unpolicy = () => site.kubectl(["delete", "networkpolicy", "--all"]);
const app = (name: string) => ({ matchLabels: { app: name } });

const fetchFrom = async (from: string, url: string) => {
  const command = ["exec", from, "--", "timeout", "1", "wget", "-q", "-O", "-", url];
  return (await site.tryKubectl(command)).code === 0;
};
/** Rules follow a policy within moments; what never comes fails. */
const becomes = (wanted: boolean, from: string, url: string) =>
  eventually(
    async () => (await fetchFrom(from, url)) === wanted,
    `${from} ${wanted ? "reaches" : "does not reach"} ${url}`,
  );

before(async () => {
  site = await startSite("--name", "policy");
  await importBusybox(site);
  const pods = [
    pod("web", "web", serve),
    pod("friend", "friend", ["sleep", "3600"]),
    pod("stranger", "stranger", ["sleep", "3600"]),
  ];
  await site.apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: pods }));
  await site.kubectl(["expose", "pod", "web", "--port=80", "--target-port=8080"]);
  await site.kubectl(["wait", "pod", "--all", "--for=condition=Ready", "--timeout=120s"]);
  for (const { metadata, status } of (await site.get("pods")).items) {
    ips.set(metadata.name, status.podIP);
  }
});
after(() => site.remove());

const webByIp = () => `http://${ips.get("web")}:8080/`;
const webByService = "http://web/";

test("without policies everybody reaches everybody", async () => {
  await becomes(true, "friend", webByIp());
  await becomes(true, "stranger", webByService);
});

test("a closed pod opens to those whom a policy names, also through its Service", async () => {
  await policy("closed", { podSelector: app("web"), policyTypes: ["Ingress"] });
  await becomes(false, "friend", webByIp());
  await becomes(false, "stranger", webByService);
  await policy("friends", {
    podSelector: app("web"),
    ingress: [{ from: [{ podSelector: app("friend") }], ports: [{ port: "http" }] }],
  });
  await becomes(true, "friend", webByIp());
  await becomes(true, "friend", webByService);
  await becomes(false, "stranger", webByIp());
  await site.kubectl(["label", "pod", "stranger", "--overwrite", "app=friend"]);
  await becomes(true, "stranger", webByService);
  await site.kubectl(["label", "pod", "stranger", "--overwrite", "app=stranger"]);
  await becomes(false, "stranger", webByService);
  await unpolicy();
  await becomes(true, "stranger", webByIp());
});

test("the node reaches a closed pod, so its probes do", async () => {
  await policy("closed", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  await becomes(false, "friend", webByIp());
  assert.equal((await fetch(webByIp())).status, 200);
  await unpolicy();
});

test("a pod that may ask nobody asks nobody, and one that may ask DNS gets names", async () => {
  await policy("mute", { podSelector: app("friend"), policyTypes: ["Egress"] });
  await becomes(false, "friend", webByIp());
  const lookUp = async () =>
    (await site.tryKubectl(["exec", "friend", "--", "nslookup", "web.default.svc.cluster.local"]))
      .code === 0;
  assert.equal(await lookUp(), false);
  const dns = {
    to: [{ namespaceSelector: {}, podSelector: { matchLabels: { "k8s-app": "kube-dns" } } }],
    ports: [{ protocol: "UDP", port: 53 }],
  };
  await policy("mute", { podSelector: app("friend"), policyTypes: ["Egress"], egress: [dns] });
  await eventually(lookUp, "a name");
  assert.equal(await fetchFrom("friend", webByIp()), false);
  await unpolicy();
});

test("blocks of addresses open but for their holes", async () => {
  const open = (except: string[]) =>
    policy("blocks", {
      podSelector: app("web"),
      ingress: [{ from: [{ ipBlock: { cidr: "0.0.0.0/0", except } }] }],
    });
  await open([`${ips.get("stranger")}/32`]);
  await becomes(false, "stranger", webByIp());
  await becomes(true, "friend", webByIp());
  await unpolicy();
});

test("a policy stands before a new pod says its first word", async () => {
  await policy("mute", { podSelector: app("new"), policyTypes: ["Egress"] });
  const tell = `timeout 1 wget -q -O - ${webByIp()} && echo SAID; echo tried; sleep 3600`;
  await site.apply(JSON.stringify(pod("new", "new", ["sh", "-c", tell])));
  await site.kubectl(["wait", "pod", "new", "--for=condition=Ready", "--timeout=120s"]);
  const said = await eventually(async () => {
    const log = await site.kubectl(["logs", "new"]);
    return log.includes("tried") && log;
  }, "its try");
  assert.doesNotMatch(said, /SAID|hello/);
  await unpolicy();
});

test("a pod that takes another's address is not heard", async () => {
  await policy("friends", {
    podSelector: app("web"),
    ingress: [{ from: [{ podSelector: app("friend") }] }],
  });
  await becomes(false, "stranger", webByIp());
  const spoofer = pod("spoofer", "stranger", ["sleep", "3600"]) as any;
  spoofer.spec.containers[0].securityContext = { capabilities: { add: ["NET_ADMIN", "NET_RAW"] } };
  await site.apply(JSON.stringify(spoofer));
  await site.kubectl(["wait", "pod", "spoofer", "--for=condition=Ready", "--timeout=120s"]);
  const [own, taken] = [ips.get("web"), ips.get("friend")];
  const heard = async () => {
    const lines = (await site.kubectl(["exec", "web", "--", "grep", "Icmp:", "/proc/net/snmp"]))
      .split("\n")
      .map((line) => line.split(" "));
    return Number(lines[1]![lines[0]!.indexOf("InEchos")]);
  };
  const ping = (from: string, command: string) =>
    site.tryKubectl(["exec", from, "--", "sh", "-c", `${command}; true`]);
  const before = await heard();
  await ping("spoofer", `ip addr add ${taken}/32 dev lo; ping -c 3 -W 1 -I ${taken} ${own}`);
  assert.equal(await heard(), before);
  await ping("friend", `ping -c 1 -W 1 ${own}`);
  assert.equal(await heard(), before + 1, "who speaks with an address of its own is heard");
});
