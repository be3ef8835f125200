// Looks at bundles as they come by a pipe, so that a container's start need not wait for one of Node. It goes when
// nobody has asked for a while, or when Kerb has gone, since most machines start such containers seldom.
import { closeSync, constants, openSync, rmSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemClock } from "./clock.ts";
import type { Clock } from "./clock.ts";

/** In the bundle's folder: a pipe that whoever asks has opened. */
const answerPipe = "prepared";
const quietMs = 60_000;
/** For those who asked while the pipe was taken away. */
const lateMs = 1500;

interface WaitOptions {
  look: (bundle: string) => Promise<string>;
  clock: Clock;
}

function answer(bundle: string, text: string) {
  try {
    const pipe = openSync(join(bundle, answerPipe), constants.O_WRONLY | constants.O_NONBLOCK);
    writeSync(pipe, `${text}\n`);
    closeSync(pipe);
  } catch {
    // Whoever asked has gone.
  }
}

/** Ends the process when it is done. */
function waitForBundles(ask: string, { look, clock }: WaitOptions) {
  let looking = 0;
  let cancel = () => {};
  const leave = () => {
    rmSync(ask, { force: true });
    clock.after(lateMs, () => (looking === 0 ? process.exit(0) : leave()));
  };
  const settle = () => {
    cancel();
    cancel = clock.after(quietMs, leave);
  };
  // Opened for both, the pipe has no end when those who ask close it.
  const fd = openSync(ask, constants.O_RDWR | constants.O_NONBLOCK);
  createInterface({ input: new Socket({ fd, writable: false }) }).on("line", (bundle) => {
    settle();
    looking += 1;
    void look(bundle).then((text) => {
      looking -= 1;
      answer(bundle, text);
    });
  });
  process.stdin.on("end", leave).resume();
  settle();
}

/** Resolves with what is wrong with the bundle, in one line; empty when all is well. */
export type Look = (bundle: string, directory: string) => Promise<string>;

async function lookOnce(look: Look, bundle: string, directory: string) {
  const problem = await look(bundle, directory);
  if (problem === "") return;
  process.stderr.write(`${problem}\n`);
  process.exit(1);
}

/** A program that looks at bundles. Its words: a bundle and a folder of Kerb's; or `--wait`, a pipe and that folder. */
export function lookAtBundles(words: string[], look: Look) {
  if (words[0] === "--wait") {
    const [, ask = "", directory = ""] = words;
    waitForBundles(ask, { look: (bundle) => look(bundle, directory), clock: systemClock });
  } else void lookOnce(look, words[0] ?? "", words[1] ?? "");
}
