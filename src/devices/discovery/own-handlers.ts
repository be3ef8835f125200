// The handlers that come with Kerb.
import type { DiscoveryHandler } from "./handler.ts";
import { bluetooth } from "../handlers/bluetooth.ts";
import { coap } from "../handlers/coap.ts";
import { debugEcho } from "../handlers/debug-echo.ts";
import { gpu } from "../handlers/gpu.ts";
import { mdns } from "../handlers/mdns.ts";
import { modbus } from "../handlers/modbus.ts";
import { mqtt } from "../handlers/mqtt.ts";
import { onvif } from "../handlers/onvif.ts";
import { opcua } from "../handlers/opcua.ts";
import { scan } from "../handlers/scan.ts";
import { snmp } from "../handlers/snmp.ts";
import { udev } from "../handlers/udev.ts";

export const ownHandlers: DiscoveryHandler[] = [
  bluetooth,
  coap,
  debugEcho,
  gpu,
  mdns,
  modbus,
  mqtt,
  onvif,
  opcua,
  scan,
  snmp,
  udev,
];
