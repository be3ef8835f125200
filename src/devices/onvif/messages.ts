// The SOAP messages that discovery needs: WS-Discovery's Probe, and two questions to a camera. Pure.
import { createHash } from "node:crypto";
import { all, escaped, first, parseXml, textOf } from "./xml.ts";

const soap = "http://www.w3.org/2003/05/soap-envelope";
const addressing = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
const discovery = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
const network = "http://www.onvif.org/ver10/network/wsdl";
const device = "http://www.onvif.org/ver10/device/wsdl";
const security =
  "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
const utility =
  "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
const digestType =
  "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest";

const declaration = '<?xml version="1.0" encoding="UTF-8"?>';

export const probe = (uuid: string) =>
  `${declaration}<s:Envelope xmlns:s="${soap}" xmlns:a="${addressing}" xmlns:d="${discovery}" ` +
  `xmlns:netwsdl="${network}"><s:Header><a:MessageID>uuid:${uuid}</a:MessageID>` +
  `<a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To>` +
  `<a:Action>${discovery}/Probe</a:Action></s:Header><s:Body><d:Probe>` +
  `<d:Types>netwsdl:NetworkVideoTransmitter</d:Types></d:Probe></s:Body></s:Envelope>`;

export interface Credential {
  username: string;
  password: string;
}

/** What makes a password's digest unlike every other. */
export interface Salt {
  nonce: string;
  /** RFC 3339 with milliseconds. */
  created: string;
}

export const passwordDigest = (password: string, { nonce, created }: Salt) =>
  createHash("sha1").update(`${nonce}${created}${password}`).digest("base64");

function securityHeader({ username, password }: Credential, salt: Salt): string {
  const nonce = Buffer.from(salt.nonce).toString("base64");
  return (
    `<s:Header><w:Security s:mustUnderstand="1" xmlns:w="${security}" xmlns:u="${utility}">` +
    `<w:UsernameToken><w:Username>${escaped(username)}</w:Username>` +
    `<w:Password Type="${digestType}">${passwordDigest(password, salt)}</w:Password>` +
    `<w:Nonce>${nonce}</w:Nonce><u:Created>${salt.created}</u:Created>` +
    `</w:UsernameToken></w:Security></s:Header>`
  );
}

export type Question = "GetSystemDateAndTime" | "GetNetworkInterfaces";

export const actionOf = (question: Question) => `${device}/${question}`;

export function ask(question: Question, credential?: Credential, salt?: Salt): string {
  const header = credential && salt ? securityHeader(credential, salt) : "";
  return (
    `${declaration}<s:Envelope xmlns:s="${soap}">${header}` +
    `<s:Body><q:${question} xmlns:q="${device}"/></s:Body></s:Envelope>`
  );
}

export interface ProbeMatch {
  /** Service addresses. */
  urls: string[];
  uuid: string;
  scopes: string[];
}

const words = (text: string | undefined) => (text ?? "").split(/\s+/).filter(Boolean);

const plainUuid = (address: string) =>
  address
    .trim()
    .toLowerCase()
    .replace(/^urn:/, "")
    .replace(/^uuid:/, "");

/** The cameras that an answer speaks of. Throws XmlError. */
export const probeMatches = (document: string): ProbeMatch[] =>
  [...all(parseXml(document), "ProbeMatch")].map((match) => ({
    urls: words(textOf(match, "XAddrs")),
    uuid: plainUuid(textOf(first(match, "EndpointReference"), "Address") ?? ""),
    scopes: words(textOf(match, "Scopes")),
  }));

export interface CameraAddress {
  ip: string;
  mac: string;
}

/** Of the first interface that has an IPv4 address. Throws XmlError. */
export function cameraAddress(document: string): CameraAddress | undefined {
  for (const face of all(parseXml(document), "NetworkInterfaces")) {
    const mac = textOf(face, "HwAddress");
    // However it came by it: by hand, by DHCP or by itself.
    const ip = textOf(first(first(face, "IPv4"), "Config"), "Address");
    if (ip && mac) return { ip, mac };
  }
  return undefined;
}
