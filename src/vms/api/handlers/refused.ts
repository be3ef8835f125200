// What KubeVirt's API has and Kerb has not, by name.
import { badRequest } from "../../../lib/status-error.ts";
import type { Handler, StreamHandler } from "../handler.ts";

const refuse = (why: string) => async (): Promise<never> => {
  throw badRequest(why);
};

const sev = "launchSecurity: memory that is encrypted (SEV) is not supported by VMs of Kerb";
const vsock = "vsock: streams to a guest's vsock are not forwarded by Kerb, only its ports";

export const sevRefused: Handler = refuse(sev);
export const vsockStream: StreamHandler = refuse(vsock);
