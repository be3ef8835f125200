// `kerb/testing`: in a checkout the sources themselves, in a package what was built of them.
import { existsSync } from "node:fs";

const source = new URL("../src/main/test-server.ts", import.meta.url);
const built = new URL("../dist/testing.js", import.meta.url);

export const { startServer } = await import((existsSync(source) ? source : built).href);
