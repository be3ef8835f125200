// A camera for tests: answers WS-Discovery and two questions of ONVIF's device service on the loopback.
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import type { RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Scope } from "../../lib/scope.ts";
import { passwordDigest } from "./messages.ts";
import { probeGroup, probePort } from "./network.ts";
import { parseXml, textOf } from "./xml.ts";

export interface FakeCameraOptions {
  uuid: string;
  scopes?: string[];
  ip?: string;
  mac?: string;
  credential?: { username: string; password: string };
  /** PEM, of one that is asked by HTTPS. */
  identity?: { key: string; cert: string };
  /** Where it is; default: the loopback. Anywhere else it hears WS-Discovery's group too. */
  address?: string;
  /** What it answers a Probe with, in place of what a camera says. */
  probeAnswer?: string;
  scope: Scope;
}

const loopback = "127.0.0.1";

const envelope = (body: string) =>
  `<?xml version="1.0"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"><SOAP-ENV:Body>${body}</SOAP-ENV:Body></SOAP-ENV:Envelope>`;

const faces = (ip: string, mac: string) =>
  envelope(
    `<tds:GetNetworkInterfacesResponse xmlns:tds="x" xmlns:tt="y"><tds:NetworkInterfaces token="eth0">` +
      `<tt:Info><tt:Name>eth0</tt:Name><tt:HwAddress>${mac}</tt:HwAddress></tt:Info>` +
      `<tt:IPv4><tt:Config><tt:FromDHCP><tt:Address>${ip}</tt:Address></tt:FromDHCP></tt:Config></tt:IPv4>` +
      `</tds:NetworkInterfaces></tds:GetNetworkInterfacesResponse>`,
  );

function mayAsk(body: string, wanted: FakeCameraOptions["credential"]): boolean {
  if (!wanted) return true;
  const asked = parseXml(body);
  const salt = {
    nonce: Buffer.from(textOf(asked, "Nonce") ?? "", "base64").toString(),
    created: textOf(asked, "Created") ?? "",
  };
  const digest = passwordDigest(wanted.password, salt);
  return textOf(asked, "Username") === wanted.username && textOf(asked, "Password") === digest;
}

/** Resolves with where it is asked and the address of its service. */
export async function startFakeCamera(options: FakeCameraOptions) {
  const { uuid, scopes = [], scope, address = loopback } = options;
  const { ip = "10.1.2.3", mac = "aa:bb:cc:dd:ee:ff" } = options;
  const answer: RequestListener = (request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      if (body.includes("GetSystemDateAndTime")) return response.end(envelope("<now/>"));
      if (!mayAsk(body, options.credential)) return response.writeHead(401).end();
      response.end(faces(ip, mac));
    });
  };
  const { identity } = options;
  const http = identity ? createTlsServer(identity, answer) : createServer(answer);
  await new Promise<void>((resolve) => http.listen(0, address, resolve));
  const url = `${identity ? "https" : "http"}://${address}:${(http.address() as AddressInfo).port}/onvif/device_service`;
  const socket = createSocket("udp4");
  socket.on("message", (bytes, from) => {
    if (!bytes.toString().includes("NetworkVideoTransmitter")) return;
    const match =
      `<d:ProbeMatches xmlns:d="p" xmlns:a="q"><d:ProbeMatch><a:EndpointReference>` +
      `<a:Address>urn:uuid:${uuid.toUpperCase()}</a:Address></a:EndpointReference>` +
      `<d:Scopes>${scopes.join(" ")}</d:Scopes><d:XAddrs>${url}</d:XAddrs></d:ProbeMatch></d:ProbeMatches>`;
    socket.send(options.probeAnswer ?? envelope(match), from.port, from.address);
  });
  const isAlone = address === loopback;
  await new Promise<void>((resolve) =>
    isAlone ? socket.bind(0, address, resolve) : socket.bind(probePort, resolve),
  );
  if (!isAlone) socket.addMembership(probeGroup, address);
  scope.defer(() => {
    socket.close();
    http.close();
    http.closeAllConnections();
  });
  return { url, port: socket.address().port };
}
