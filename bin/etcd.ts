import { main } from "../src/main/envtest/etcd.ts";
import { run } from "../src/main/envtest/run.ts";

await run("etcd", main);
