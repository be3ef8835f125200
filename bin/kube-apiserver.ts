import { main } from "../src/main/envtest/kube-apiserver.ts";
import { run } from "../src/main/envtest/run.ts";

await run("kube-apiserver", main);
