// The handlers that come with Kerb.
import type { DiscoveryHandler } from "./handler.ts";
import { debugEcho } from "./handlers/debug-echo.ts";
import { onvif } from "./handlers/onvif.ts";
import { opcua } from "./handlers/opcua.ts";
import { udev } from "./handlers/udev.ts";

export const ownHandlers: DiscoveryHandler[] = [debugEcho, onvif, opcua, udev];
