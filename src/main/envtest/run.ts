// How the stand-ins end: with the exit code, and one sentence on stderr when something is wrong.
import { holdOpen } from "../../lib/clock.ts";

export async function run(name: string, main: (args: string[]) => Promise<number>): Promise<void> {
  const release = holdOpen();
  try {
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(`${name}: ${(error as Error).message}`);
    process.exitCode = 1;
  } finally {
    release();
  }
  process.exit();
}
