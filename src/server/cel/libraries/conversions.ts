// Conversions of CEL that the evaluator lacks.
import type { Environment } from "@marcbachmann/cel-js";
import type { Duration } from "@marcbachmann/cel-js/evaluator";

/** RFC 3339, without a fraction that is zero. */
const timeText = (time: Date) => time.toISOString().replace(/\.000Z$/, "Z");

function durationText({ seconds, nanos }: Duration): string {
  const negative = seconds < 0n || nanos < 0;
  const fraction = String(Math.abs(nanos)).padStart(9, "0").replace(/0+$/, "");
  const whole = seconds < 0n ? -seconds : seconds;
  return `${negative ? "-" : ""}${whole}${fraction && `.${fraction}`}s`;
}

export function addConversions(environment: Environment) {
  const add = (signature: string, run: (...args: any[]) => unknown) =>
    environment.registerFunction(signature, run);
  add("int(uint): int", (value: { valueOf(): bigint }) => {
    const number = BigInt(value.valueOf());
    if (number > 2n ** 63n - 1n) throw new Error("integer overflow");
    return number;
  });
  add("int(google.protobuf.Timestamp): int", (time: Date) =>
    BigInt(Math.floor(time.getTime() / 1000)),
  );
  add("string(google.protobuf.Timestamp): string", timeText);
  add("string(google.protobuf.Duration): string", durationText);
  add("timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp", (time: Date) => time);
  add(
    "duration(google.protobuf.Duration): google.protobuf.Duration",
    (duration: Duration) => duration,
  );
}
