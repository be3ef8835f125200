import assert from "node:assert/strict";
import { test } from "node:test";
import { rebootEvent } from "./guest-events.ts";

test("a reboot and a reset that people asked for are told of, a guest's own is not", () => {
  const reset = (reason: string) => ({ event: "RESET", data: { reason } });
  const told = (reason: string, asked: boolean) => rebootEvent(reset(reason), asked)?.reason;
  assert.equal(told("host-qmp-system-reset", false), "Reset");
  assert.equal(told("guest-reset", true), "SoftRebooted");
  assert.equal(told("host-qmp-system-reset", true), "SoftRebooted", "by its power button");
  assert.equal(told("guest-reset", false), undefined);
  assert.equal(rebootEvent({ event: "STOP" }, true), undefined);
});
