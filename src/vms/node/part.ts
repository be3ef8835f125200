// The node's part that answers for VMs (`vmControl` asks it).
import type { NodePart } from "../../lib/node-connection.ts";
import { StatusError } from "../../lib/status-error.ts";
import { agentProbe } from "../domain.ts";
import { QemuProcesses } from "./qemu-times.ts";
import type { Vm } from "./vm.ts";
import { lookAt, vmFamilies } from "./vm-families.ts";
import { probeVm } from "./probe-vm.ts";
import { openStream, vmAnswers } from "./vm-control.ts";
import type { ControlOptions } from "./vm-control.ts";

interface Question {
  podUid: string;
  method: string;
  args?: unknown[];
}

export interface VmPlace {
  node: string;
  find: (podUid: string) => Vm | undefined;
  /** Those whose guests run here. */
  all: () => Vm[];
}

export function vmPart({ node, find, all }: VmPlace, options: ControlOptions): NodePart {
  const vmOf = (podUid: string) => {
    const vm = find(podUid);
    if (vm) return vm;
    throw new StatusError("NotFound", "this virtual machine does not run on this node");
  };
  const processes = new QemuProcesses();
  return {
    async ask({ podUid, method, args = [] }: Question) {
      const answers = vmAnswers(vmOf(podUid), options);
      if (!Object.hasOwn(answers, method)) throw new StatusError("NotFound", `no ${method}`);
      const answer = answers[method as keyof typeof answers] as (...all: any[]) => Promise<unknown>;
      return answer(...args);
    },
    async families(used) {
      const here = all();
      processes.keep(here.map((vm) => vm.options.podUid));
      const looks = here.map((vm) => lookAt(vm, used(vm.options.podUid), processes));
      return vmFamilies(node, await Promise.all(looks));
    },
    probe(podUid, probe) {
      const vm = find(podUid);
      if (vm) return probeVm(vm, probe);
      if (probe.command?.[0] !== agentProbe) return undefined;
      return Promise.resolve({ ok: false, output: "QEMU does not answer yet" });
    },
    open: async ({ podUid, ...asked }: Question) => openStream(vmOf(podUid), asked, options),
  };
}
