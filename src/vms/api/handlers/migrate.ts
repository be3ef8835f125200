// migrate: asks for a live migration by making its object.
import { conflict } from "../../../lib/status-error.ts";
import { migrations } from "../../kinds/resources.ts";
import { accepted } from "../handler.ts";
import type { Handler } from "../handler.ts";

export const migrate: Handler = async ({ access, namespace, name, body, dryRun }) => {
  await access.machine({ namespace, name });
  const vmi = await access.instance({ namespace, name });
  if (vmi.status?.phase !== "Running") {
    throw conflict({ group: "kubevirt.io", resource: "virtualmachine" }, name, "VM is not running");
  }
  const { addedNodeSelector } = body;
  const migration = {
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachineInstanceMigration",
    metadata: { generateName: "kubevirt-migrate-vm-", namespace },
    spec: { vmiName: name, ...(addedNodeSelector && { addedNodeSelector }) },
  };
  await access.client.create({ ...migrations, namespace }, migration, { dryRun });
  return accepted;
};
