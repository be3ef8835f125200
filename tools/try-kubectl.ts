// Tries every kubectl given against a running site and prints what worked: how the list of releases in
// docs/compatibility.md is made.
//
//   node tools/try-kubectl.ts KUBECONFIG IMAGE path/to/kubectl...
//
// IMAGE has a busybox at /bin/busybox and is on the site already.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";

const [kubeconfig, image, ...clients] = process.argv.slice(2) as [string, string, ...string[]];
const commandMsMax = 30_000;
const namespace = "try-kubectl";

const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web" },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: "main",
        image,
        imagePullPolicy: "Never",
        command: [
          "/bin/busybox",
          "sh",
          "-c",
          "echo hello > /tmp/x; echo up; exec /bin/busybox httpd -f -p 8080 -h /tmp",
        ],
      },
    ],
  },
};

function run(client: string, args: string[], input = "") {
  const all = ["--kubeconfig", kubeconfig, "-n", namespace, ...args];
  const { status, stdout, stderr } = spawnSync(client, all, {
    input,
    encoding: "utf8",
    timeout: commandMsMax,
  });
  return { status, text: stdout + stderr };
}

type Check = (client: string) => boolean | Promise<boolean>;

const says =
  (pattern: RegExp, args: string[], input?: string): Check =>
  (client) => {
    const { status, text } = run(client, args, input);
    return status === 0 && pattern.test(text);
  };

/** Asks through a forwarded port. */
async function portForward(client: string): Promise<boolean> {
  const args = ["--kubeconfig", kubeconfig, "-n", namespace, "port-forward", "pod/web", ":8080"];
  const child = spawn(client, args);
  try {
    const [line] = await once(child.stdout, "data", { signal: AbortSignal.timeout(commandMsMax) });
    const port = /127\.0\.0\.1:(\d+)/.exec(String(line))?.[1];
    return (await (await fetch(`http://127.0.0.1:${port}/x`)).text()) === "hello\n";
  } catch {
    return false;
  } finally {
    child.kill();
  }
}

const exec = (...command: string[]) => ["exec", "web", "--", "/bin/busybox", ...command];
const wide = JSON.stringify({ ...pod, metadata: { name: "web", labels: { a: "b" } } });

const checks: Record<string, Check> = {
  version: says(/server version/i, ["version"]),
  get: says(/Ready/, ["get", "nodes", "-o", "wide"]),
  "api-resources": says(/deployments/, ["api-resources"]),
  apply: says(/created/, ["apply", "-f", "-"], JSON.stringify(pod)),
  "apply again": says(/configured/, ["apply", "-f", "-"], wide),
  "apply --server-side": says(
    /applied/,
    ["apply", "--server-side", "--force-conflicts", "-f", "-"],
    wide,
  ),
  wait: says(/condition met/, ["wait", "--for=condition=Ready", "pod/web", "--timeout=20s"]),
  exec: says(/^hi$/m, exec("echo", "hi")),
  "exec -i": says(/^typed$/m, ["exec", "-i", "web", "--", "/bin/busybox", "cat"], "typed\n"),
  "exit code": (client) => run(client, exec("sh", "-c", "exit 3")).status === 3,
  logs: says(/^up$/m, ["logs", "web"]),
  "port-forward": portForward,
  describe: says(/Containers:/, ["describe", "pod", "web"]),
  explain: says(/metadata/, ["explain", "deployment.spec.template"]),
  diff: says(/^$/, ["diff", "-f", "-"], wide),
  patch: says(/patched/, ["patch", "pod", "web", "-p", '{"metadata":{"labels":{"c":"d"}}}']),
  "auth can-i": says(/yes/, ["auth", "can-i", "create", "pods"]),
  delete: says(/deleted/, ["delete", "pod", "web"]),
};

for (const client of clients) {
  run(client, ["create", "namespace", namespace]);
  const failed: string[] = [];
  for (const [name, check] of Object.entries(checks)) {
    if (!(await check(client))) failed.push(name);
  }
  const release = /v1\.\d+\.\d+/.exec(run(client, ["version", "--client"]).text)?.[0] ?? client;
  const worked = Object.keys(checks).length - failed.length;
  console.log(
    `${release}: ${worked} of ${Object.keys(checks).length}${failed.map((one) => `, not ${one}`).join("")}`,
  );
}
