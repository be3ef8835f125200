// A machine joins, has pods, is killed and cut off, and leaves: nothing of it stays, neither on the site's side nor on
// its own.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxArchive } from "../support/image.ts";
import { Machine } from "../support/machine.ts";
import type { Site } from "../support/site.ts";
import { deployment } from "./trials.ts";
import type { Trial } from "./trials.ts";

let joins = 0;

const there = (name: string, node: string) =>
  deployment(name, 2).replace("    spec:\n", `    spec:\n      nodeName: ${node}\n`);

async function rollout(site: Site, name: string) {
  const wait = ["rollout", "status", `deployment/${name}`, "--timeout=120s"];
  await site.kubectl(wait, { timeoutMs: 130_000 });
}

async function live(site: Site, machine: Machine, node: string) {
  await machine.join(...(await site.joinWords()), "--name", node);
  const archive = join(machine.directory, "busybox.tar");
  writeFileSync(archive, busyboxArchive());
  await machine.kerb("image", "import", archive);
  await site.apply(there("joined", node));
  await rollout(site, "joined");
  await machine.kill();
  await machine.join();
  await machine.plug(false);
  await machine.kill();
  await machine.join();
  await machine.plug(true);
  await site.kubectl(["wait", `node/${node}`, "--for=condition=Ready", "--timeout=90s"], {
    timeoutMs: 100_000,
  });
  await site.kubectl(["delete", "deployment/joined", "--timeout=60s"], { timeoutMs: 90_000 });
  const pods = ["wait", "--for=delete", "pod", "-l", "app=joined", "--timeout=90s"];
  await site.kubectl(pods, { timeoutMs: 100_000 });
}

export const joinedMachine: Trial = {
  name: "a machine joins, is killed and cut off, and leaves",
  async run(site) {
    const machine = new Machine();
    const node = `joined-${joins++}`;
    await machine.start();
    try {
      await live(site, machine, node);
    } finally {
      await machine.remove();
      await site.kubectl(["delete", "node", node, "--ignore-not-found"]);
    }
  },
};
