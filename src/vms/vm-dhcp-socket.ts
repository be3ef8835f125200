// Runs for a moment in a pod's network namespace: opens the DHCP server's socket there and hands it to its parent.
// Arguments: the server's address, which proves that this is the right namespace.
import { createSocket } from "node:dgram";
import { networkInterfaces } from "node:os";

const dhcpPort = 67;
const [server] = process.argv.slice(2);
const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
if (!own.some(({ address }) => address === server)) throw new Error(`no address ${server} here`);
const socket = createSocket("udp4");
socket.bind({ port: dhcpPort, address: "0.0.0.0", exclusive: true }, () => {
  socket.setBroadcast(true);
  process.send!("socket", socket, undefined, () => process.exit(0));
});
