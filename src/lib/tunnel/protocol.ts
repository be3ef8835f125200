// What goes through a node's tunnel. The node opens one connection to the server, upgrades it, and then
// serves HTTP/2 on it: every call to the node is a stream, so that a log that nobody reads holds nothing up.
//
// A call is `POST /NAME`; its body begins with the arguments as JSON in a frame, and goes on with what the call
// takes. An answer of 200 is followed by what the call gives; any other has a Status as its body.

/** The HTTP/1.1 protocol that the connection is upgraded to. */
export const tunnelProtocol = "kerb-tunnel/1";

/** Header of the upgrade: how many seconds may pass between the server's pings, when the link is thin. */
export const pingHeader = "kerb-tunnel-ping-seconds";

/** Between pings, when nobody asks for another time. */
export const pingSecondsDefault = 15;

export type TunnelCall =
  | "logs"
  | "exec"
  | "attach"
  | "port-forward"
  | "dial"
  | "usage"
  | "ask"
  | "open";
