/** Imports of guests that may wait, as jco names them: of wasi:io/poll and wasi:io/streams. */
export const waitingCalls = [
  "block",
  "poll",
  "blockingRead",
  "blockingSkip",
  "blockingWriteAndFlush",
  "blockingWriteZeroesAndFlush",
  "blockingFlush",
  "blockingSplice",
] as const;
export type WaitingCall = (typeof waitingCalls)[number];

/** By this name a component's script finds the way to wait. */
export const suspensionImport = "kerb:suspension";
