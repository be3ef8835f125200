// A site with machines is killed and comes back while somebody goes on writing machines: whatever answers, takes them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { startSite } from "../support/site.ts";
import type { Site } from "../support/site.ts";

let site: Site | undefined;
after(() => site?.remove());

const machine = {
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: { generateName: "till-" },
  spec: { runStrategy: "Halted", template: { spec: { domain: { devices: {} } } } },
};

interface Answer {
  code?: number | undefined;
  text: string;
}

function write({ server, kubeconfig }: Site): Promise<Answer> {
  const text = readFileSync(kubeconfig, "utf8");
  const pem = (name: string) =>
    Buffer.from(new RegExp(`${name}-data"?: "?([^"\\s]+)`).exec(text)![1]!, "base64");
  const url = `${server}/apis/kubevirt.io/v1/namespaces/default/virtualmachines?dryRun=All`;
  const options = {
    ...{ ca: pem("certificate-authority"), cert: pem("client-certificate") },
    ...{ key: pem("client-key"), method: "POST", agent: false },
    headers: { "content-type": "application/json" },
  };
  return new Promise((resolve) => {
    const asked = request(url, options, async (response) => {
      const chunks = await response.toArray();
      resolve({ code: response.statusCode, text: Buffer.concat(chunks).toString() });
    });
    asked.on("error", ({ message }) => resolve({ text: message }));
    asked.end(JSON.stringify(machine));
  });
}

test("no write of a machine fails for webhooks that are not back yet", async () => {
  site = await startSite("--vms", "--no-node");
  const addresses = () => site!.get("cdiconfig", "config");
  const told = (await addresses()).status.uploadProxyURL;
  assert.equal((await write(site)).code, 201);
  process.kill(site.pid, "SIGKILL");
  let isUp = false;
  const coming = site.up("--vms", "--no-node").finally(() => (isUp = true));
  const answers: Answer[] = [];
  while (!isUp) {
    answers.push(await write(site));
    await setTimeout(20);
  }
  await coming;
  const failed = answers.filter(({ code }) => code !== undefined && code !== 201);
  assert.deepEqual(failed, []);
  assert.ok(answers.some(({ code }) => code === undefined) && (await write(site)).code === 201);
  assert.equal((await addresses()).status.uploadProxyURL, told);
});
