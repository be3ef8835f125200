// `kerb secrets`: asks the running site.
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { SecretsReport } from "../../cli/secrets.ts";
import { askRunning } from "./ask-site.ts";
import { rotationPath, secretsPath } from "../site/secret-rotation.ts";
import type { RotationStep } from "../site/secret-rotation.ts";

export const secretsState = async (directory: string): Promise<SecretsReport> =>
  JSON.parse(await text(await askRunning(directory, "GET", secretsPath)));

/** Gives Secrets a new key; `tell` hears of the progress. */
export async function rotateSecrets(directory: string, tell: (line: string) => void) {
  let done = false;
  for await (const line of createInterface(await askRunning(directory, "POST", rotationPath))) {
    const step: RotationStep = JSON.parse(line);
    if (step.step === "failed") throw new Error(step.message);
    if (step.step === "key") tell(`new key ${step.id}`);
    if (step.step === "secrets") tell(`rewritten ${step.done} of ${step.of}`);
    if (step.step === "done") tell(`done: every Secret is under ${step.id}, older keys are gone`);
    done = step.step === "done";
  }
  if (!done) throw new Error("the site stopped in the middle; it goes on at its next start");
}
