// Connections to one other server that are used again while requests follow each other: to make one costs more than
// most answers, since both ends prove who they are.
import { Agent } from "node:http";
import type { Duplex } from "node:stream";

const keptMax = 4;
/** Sooner than servers close what is idle. */
const idleMsMax = 2000;

export class KeptConnections extends Agent {
  readonly #open: () => Promise<Duplex>;

  constructor(open: () => Promise<Duplex>) {
    super({ keepAlive: true, maxFreeSockets: keptMax, timeout: idleMsMax });
    this.#open = open;
  }

  override createConnection(_options: object, callback?: (error: any, made?: any) => void) {
    this.#open().then(
      (made) => {
        // The request hears of what goes wrong while it lasts; what comes later is nobody's.
        made.on("error", () => {});
        callback?.(null, made);
      },
      (error: unknown) => callback?.(error),
    );
    return undefined;
  }
}
