// Quantities: `quantity("1.5Gi")` with comparison and sums.
import type { Environment } from "@marcbachmann/cel-js";
import { parseQuantity } from "../../../lib/quantity.ts";

export class Quantity {
  readonly amount: number;

  constructor(amount: number) {
    this.amount = amount;
  }
}

const amountOf = (value: Quantity | bigint) =>
  value instanceof Quantity ? value.amount : Number(value);

function isQuantity(text: string): boolean {
  try {
    parseQuantity(text);
    return true;
  } catch {
    return false;
  }
}

export function addQuantity(environment: Environment) {
  environment
    .registerType("kubernetes.Quantity", { ctor: Quantity } as never)
    .registerOperator(
      "kubernetes.Quantity == kubernetes.Quantity",
      (a: Quantity, b: Quantity) => a.amount === b.amount,
    )
    .registerFunction("isQuantity(string): bool", isQuantity)
    .registerFunction(
      "quantity(string): kubernetes.Quantity",
      (text: string) => new Quantity(parseQuantity(text)),
    );
  const method = (signature: string, run: (a: Quantity, b: Quantity) => unknown) =>
    environment.registerFunction(`kubernetes.Quantity.${signature}`, run);
  method("isGreaterThan(kubernetes.Quantity): bool", (a, b) => a.amount > b.amount);
  method("isLessThan(kubernetes.Quantity): bool", (a, b) => a.amount < b.amount);
  method("compareTo(kubernetes.Quantity): int", (a, b) => BigInt(Math.sign(a.amount - b.amount)));
  method("sign(): int", (a) => BigInt(Math.sign(a.amount)));
  method("isInteger(): bool", (a) => Number.isSafeInteger(a.amount));
  method("asInteger(): int", (a) => BigInt(a.amount));
  method("asApproximateFloat(): double", (a) => a.amount);
  for (const other of ["kubernetes.Quantity", "int"]) {
    method(`add(${other}): kubernetes.Quantity`, (a, b) => new Quantity(a.amount + amountOf(b)));
    method(`sub(${other}): kubernetes.Quantity`, (a, b) => new Quantity(a.amount - amountOf(b)));
  }
}
