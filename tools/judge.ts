// `node tools/judge.ts FILE`: asks Kubernetes' own API server (FILE, built from its source, over Debian's etcd) what it
// says of the objects in test/judged/data and of everything that may be wrong in them, and writes that down there.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { httpsClient } from "../src/client/https.ts";
import { parseKubeconfig } from "../src/client/kubeconfig.ts";
import { mutations } from "../test/judged/mutations.ts";
import { verdictOf } from "../test/judged/verdict.ts";
import { startKubeApiServer } from "../test/support/kube-apiserver.ts";

const atOnce = 20;
const data = join(import.meta.dirname, "../test/judged/data");
const [program] = process.argv.slice(2);
if (!program) throw new Error("which kube-apiserver? node tools/judge.ts FILE");

const drafts = [...mutations(JSON.parse(readFileSync(join(data, "objects.json"), "utf8")))];
const peer = await startKubeApiServer(resolve(program));
const client = httpsClient(parseKubeconfig(readFileSync(peer.kubeconfig, "utf8")));
try {
  const said: string[] = [];
  for (let i = 0; i < drafts.length; i += atOnce) {
    const some = drafts.slice(i, i + atOnce).map((draft) => verdictOf(client, draft));
    said.push(...(await Promise.all(some)));
  }
  const told = [...new Set(said)];
  const index = new Map(told.map((text, i) => [text, i]));
  const verdicts = JSON.stringify(said.map((text) => index.get(text)));
  const lines = told.map((text) => JSON.stringify(text)).join(",\n");
  const path = join(data, "verdicts.json");
  writeFileSync(path, `{\n"told":[\n${lines}\n],\n"verdicts":${verdicts}\n}\n`);
  console.log(`${said.length} objects judged, ${told.length} different verdicts`);
} finally {
  client.close();
  await peer.stop();
}
