// `kerb secrets`: asks the running site.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { SecretsReport } from "../cli/secrets.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import { askSite } from "./ask-site.ts";
import { findRunning } from "./run-file.ts";
import { rotationPath, secretsPath } from "./secret-rotation.ts";
import type { RotationStep } from "./secret-rotation.ts";

async function ask(directory: string, method: string, path: string) {
  const folder = resolve(directory);
  if (!findRunning(folder)) {
    throw new Error(`no site runs on ${folder}; start it with: kerb up --data-dir ${folder}`);
  }
  return askSite(parseKubeconfig(readFileSync(join(folder, "kubeconfig"), "utf8")), method, path);
}

export const secretsState = async (directory: string): Promise<SecretsReport> =>
  JSON.parse(await text(await ask(directory, "GET", secretsPath)));

/** Gives Secrets a new key; `tell` hears of the progress. */
export async function rotateSecrets(directory: string, tell: (line: string) => void) {
  let done = false;
  for await (const line of createInterface(await ask(directory, "POST", rotationPath))) {
    const step: RotationStep = JSON.parse(line);
    if (step.step === "failed") throw new Error(step.message);
    if (step.step === "key") tell(`new key ${step.id}`);
    if (step.step === "secrets") tell(`rewritten ${step.done} of ${step.of}`);
    if (step.step === "done") tell(`done: every Secret is under ${step.id}, older keys are gone`);
    done = step.step === "done";
  }
  if (!done) throw new Error("the site stopped in the middle; it goes on at its next start");
}
