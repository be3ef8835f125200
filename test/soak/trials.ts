// What a site has to live through, each as one trial: the power of processes that end where they stand, of disks
// that are full, of pods that take more than they may.
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { runToEnd } from "../support/command.ts";
import { importBusybox } from "../support/image.ts";
import { atInterrupt, isInterrupted } from "../support/interrupt.ts";
import type { Site } from "../support/site.ts";
import { ownAddress } from "./own-machine.ts";

export interface Trial {
  name: string;
  run(site: Site): Promise<void>;
}

const image = "busybox:kerb";
const loop = "trap 'exit 0' TERM; while true; do sleep 1 & wait; done";

export const deployment = (name: string, replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}, soak: "yes"}}
    spec:
      terminationGracePeriodSeconds: 2
      volumes:
      - {name: config, configMap: {name: ${name}, optional: true}}
      - {name: scratch, emptyDir: {}}
      - {name: ram, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
      containers:
      - name: main
        image: ${image}
        command: [sh, -c, ${JSON.stringify(loop)}]
        volumeMounts: [{name: config, mountPath: /config}, {name: scratch, mountPath: /scratch}, {name: ram, mountPath: /ram}]
        readinessProbe: {exec: {command: ["true"]}, periodSeconds: 2}
`;

const service = (name: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {type: NodePort, selector: {app: ${name}}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: ${name}}
spec: {podSelector: {matchLabels: {app: ${name}}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {}}]}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}}
data: {a: b}
`;

const pod = (name: string, script: string, more = "") => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {soak: "yes"}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  containers:
  - {name: main, image: "${image}", command: [sh, -c, ${JSON.stringify(script)}]${more}}
`;

const gone = (site: Site, what: string) =>
  site.kubectl(["delete", ...what.split(" "), "--ignore-not-found", "--timeout=60s"], {
    timeoutMs: 90_000,
  });

const ended = (site: Site, name: string) =>
  site.kubectl(["wait", `pod/${name}`, "--for=jsonpath={.status.phase}=Failed", "--timeout=90s"], {
    timeoutMs: 100_000,
  });

async function until(look: () => Promise<boolean>, what: string) {
  for (let tries = 0; tries < 300; tries++) {
    if (await look().catch(() => false)) return;
    await setTimeout(300);
  }
  throw new Error(`it did not come: ${what}`);
}

const answers = (site: Site) =>
  until(async () => (await site.tryKubectl(["get", "--raw", "/readyz"])).code === 0, "the API");

const killed = (pid: number) => {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It was gone already.
  }
};

/** Pids of this site's shims; each holds a pod. */
const shims = (site: Site) =>
  readdirSync("/proc")
    .filter((one) => /^\d+$/.test(one))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return command.includes("containerd-shim") && command.includes(site.directory);
      } catch {
        return false;
      }
    })
    .map(Number);

const churn: Trial = {
  name: "deployments with services, policies and volumes come and go",
  async run(site) {
    await site.apply(`${deployment("churn", 3)}---${service("churn")}`);
    await site.kubectl(["rollout", "status", "deployment/churn", "--timeout=120s"], {
      timeoutMs: 130_000,
    });
    await site.kubectl(["scale", "deployment/churn", "--replicas=1"]);
    await site.kubectl(["rollout", "restart", "deployment/churn"]);
    await site.kubectl(["rollout", "status", "deployment/churn", "--timeout=120s"], {
      timeoutMs: 130_000,
    });
    await gone(site, "deployment/churn service/churn networkpolicy/churn configmap/churn");
  },
};

const kerbKilled: Trial = {
  name: "Kerb is killed while pods come and go",
  async run(site) {
    await site.apply(deployment("killed", 2));
    await setTimeout(700);
    killed(site.pid);
    await setTimeout(500);
    await site.up(...upOptions);
    await site.kubectl(["rollout", "status", "deployment/killed", "--timeout=120s"], {
      timeoutMs: 130_000,
    });
    await site.kubectl(["delete", "deployment/killed", "--wait=false"]);
    killed(site.pid);
    await site.up(...upOptions);
    await gone(site, "deployment/killed");
  },
};

const shimKilled: Trial = {
  name: "what holds a pod is killed",
  async run(site) {
    await site.apply(deployment("shim", 2));
    await site.kubectl(["rollout", "status", "deployment/shim", "--timeout=120s"], {
      timeoutMs: 130_000,
    });
    const [first] = shims(site).reverse();
    if (first) killed(first);
    await setTimeout(1000);
    await site.kubectl(["rollout", "status", "deployment/shim", "--timeout=120s"], {
      timeoutMs: 130_000,
    });
    await gone(site, "deployment/shim");
  },
};

const runtimeKilled: Trial = {
  name: "containerd is killed",
  async run(site) {
    killed(Number(readFileSync(join(site.directory, "containerd/containerd.pid"), "utf8")));
    await site.apply(deployment("runtime", 1));
    await site.kubectl(["rollout", "status", "deployment/runtime", "--timeout=120s"], {
      timeoutMs: 130_000,
    });
    await gone(site, "deployment/runtime");
  },
};

const outOfMemory: Trial = {
  name: "a pod runs out of memory",
  async run(site) {
    const limits = ", resources: {limits: {memory: 20Mi}}";
    await site.apply(pod("oom", "x=a; while true; do x=$x$x$x; done", limits));
    await ended(site, "oom");
    const { status } = await site.get("pod", "oom");
    const { reason } = status.containerStatuses[0].state.terminated;
    if (reason !== "OOMKilled") throw new Error(`it ended as ${reason}`);
    await gone(site, "pod/oom");
  },
};

const forks: Trial = {
  name: "a pod runs out of process numbers",
  async run(site) {
    await site.apply(pod("forks", "while true; do sleep 600 & done"));
    await ended(site, "forks");
    await gone(site, "pod/forks");
  },
};

/** Pods try to start meanwhile. Whoever takes the site down needs the room. */
async function whileFull(site: Site, name: string, fill: (folder: string) => Promise<void>) {
  const folder = join(site.directory, "filler");
  const empty = () => rm(folder, { recursive: true, force: true });
  const forget = atInterrupt(empty);
  await mkdir(folder);
  await fill(folder);
  await site.tryKubectl(["apply", "-f", "-"], { input: deployment(name, 2) });
  await setTimeout(8000);
  await empty();
  forget();
  await recovered(site, name);
}

const fullDisk: Trial = {
  name: "the disk is full",
  run: (site) =>
    whileFull(site, "full", async (folder) => {
      const { stdout } = await runToEnd("df", ["--output=avail", "-B1", folder]);
      const most = String(Number(stdout.split("\n")[1]) - 4096);
      await runToEnd("fallocate", ["-l", most, join(folder, "most")]);
      await runToEnd("dd", ["if=/dev/zero", `of=${join(folder, "rest")}`, "bs=64k"]);
    }),
};

const noInodes: Trial = {
  name: "there are no inodes left",
  run: (site) =>
    whileFull(site, "inodes", async (folder) => {
      try {
        for (let i = 0; !isInterrupted(); i++) await writeFile(join(folder, String(i)), "");
      } catch {
        // That was the last.
      }
    }),
};

/** Images that nothing used were taken away meanwhile. */
async function recovered(site: Site, name: string) {
  if ((await site.tryKubectl(["get", "--raw", "/readyz"])).code !== 0) {
    await site.up(...upOptions).catch(() => {});
  }
  await answers(site);
  await importBusybox(site);
  await until(async () => {
    await site.apply(deployment(name, 2));
    return true;
  }, "a write");
  await site.kubectl(["rollout", "status", `deployment/${name}`, "--timeout=180s"], {
    timeoutMs: 200_000,
  });
  await gone(site, `deployment/${name}`);
  await gone(site, "pods -l soak=yes");
}

const execs: Trial = {
  name: "people look inside, and go away in the middle",
  async run(site) {
    await site.apply(pod("inside", loop));
    await site.kubectl(["wait", "pod/inside", "--for=condition=Ready", "--timeout=60s"]);
    for (let i = 0; i < 5; i++) {
      await site.kubectl(["exec", "inside", "--", "echo", "hello"]);
      await site
        .kubectl(["exec", "inside", "--", "sleep", "600"], { timeoutMs: 500 })
        .catch(() => {});
      await site.kubectl(["logs", "-f", "inside"], { timeoutMs: 300 }).catch(() => {});
    }
    await gone(site, "pod/inside");
  },
};

/** Of one machine. */
export const ownTrials: Trial[] = [
  churn,
  execs,
  outOfMemory,
  forks,
  kerbKilled,
  shimKilled,
  runtimeKilled,
  fullDisk,
  noInodes,
];

/** Between them they use every class of service, and containerd makes the folder of its execs. */
export const firstTrials = [churn, outOfMemory, execs];

export const upOptions = [
  ...["--name", "soak", "--listen", ownAddress],
  ...["--eviction-pressure-transition-period", "5s"],
  ...["--eviction-hard", "memory.available<50Mi,nodefs.available<5%,nodefs.inodesFree<3%"],
];
