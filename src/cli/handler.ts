import { Command } from "commander";
import { examples } from "./examples.ts";

export interface HandlerOptions {
  directory: string;
  listen?: string;
}

/** `kerb handler`. `start` resolves with the exit code. */
export function handlerCommand(start: (name: string, options: HandlerOptions) => Promise<number>) {
  return new Command("handler")
    .summary("serve one discovery handler to any agent that speaks Akri's protocol")
    .description(
      "Serves one of Kerb's discovery handlers, in the foreground. It registers with the agent whose " +
        "agent-registration.sock is in the directory, Akri's or Kerb's, and waits for one that is not there.",
    )
    .argument(
      "<name>",
      "bluetooth, coap, debugEcho, gpu, mdns, modbus, mqtt, onvif, opcua, scan, snmp or udev",
    )
    .option("--directory <dir>", "where the agent's socket is", "/var/lib/akri")
    .option("--listen <ip:port>", "be reached over the network instead of by a socket there")
    .addHelpText(
      "after",
      examples({
        "kerb handler mdns --directory /var/lib/akri": "beside an agent of Akri's",
        "kerb handler udev --listen 10.0.0.7:9000": "for agents elsewhere",
      }),
    )
    .action(async (name: string, options: HandlerOptions) => {
      process.exitCode = await start(name, options);
    });
}
