// guestosinfo, userlist, filesystemlist, vnc/screenshot: what the guest tells and shows.
import { badRequest, conflict } from "../../../lib/status-error.ts";
import type { VmControl } from "../../control.ts";
import { hasCondition } from "../handler.ts";
import type { Handler } from "../handler.ts";

const of = { group: "kubevirt.io", resource: "virtualmachineinstance" };

const telling =
  (kind: string, tell: (control: VmControl) => Promise<object>): Handler =>
  async (call) => {
    const vmi = await call.access.runningInstance(call);
    if (!hasCondition(vmi, "AgentConnected")) {
      throw conflict(of, call.name, "VMI does not have guest agent connected");
    }
    const json = await tell(await call.access.controlOf(vmi));
    return { code: 200, json: { apiVersion: "kubevirt.io/v1", kind, ...json } };
  };

const list = (items: object[]) => ({ metadata: {}, items });

export const guestosinfo = telling("VirtualMachineInstanceGuestAgentInfo", (control) =>
  control.guestInfo(),
);

export const userlist = telling("VirtualMachineInstanceGuestOSUserList", async (control) =>
  list(await control.users()),
);

export const filesystemlist = telling("VirtualMachineInstanceFileSystemList", async (control) =>
  list(await control.filesystems()),
);

export const screenshot: Handler = async (call) => {
  const vmi = await call.access.runningInstance(call);
  if (vmi.spec.domain.devices?.autoattachGraphicsDevice === false) {
    throw badRequest("No graphics devices are present.");
  }
  const data = await (await call.access.controlOf(vmi)).screenshot();
  return { code: 200, bytes: { type: "image/png", data } };
};
