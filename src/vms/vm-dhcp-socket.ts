// Runs for a moment in a pod's network namespace: opens the DHCP server's socket there and hands it to its parent.
// Arguments: the server's address. That it can be bound to proves that this is the right namespace, also before QEMU
// has plugged itself in, while the cable carries nothing and programs that list interfaces leave it out.
import { createSocket } from "node:dgram";

const dhcpPort = 67;
const [server = ""] = process.argv.slice(2);

function open() {
  const socket = createSocket("udp4");
  socket.bind({ port: dhcpPort, address: "0.0.0.0", exclusive: true }, () => {
    socket.setBroadcast(true);
    process.send!("socket", socket, undefined, () => process.exit(0));
  });
}

const proof = createSocket("udp4");
proof.once("error", () => {
  throw new Error(`no address ${server} here`);
});
proof.bind({ port: 0, address: server, exclusive: true }, () => proof.close(open));
