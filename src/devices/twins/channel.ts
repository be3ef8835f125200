// How a handler reads and writes the values of one device.

export type Access = Record<string, any>;

export interface TwinChannel {
  /** The value as text; undefined while the device has not said it. Throws for a property that cannot be read. */
  read(access: Access): Promise<string | undefined>;
  /** Throws when the device did not take it. */
  write(access: Access, value: string): Promise<void>;
  /** Resolves when the device is gone; pending otherwise. */
  closed?: Promise<unknown>;
  close(): void;
}

/** The device answered, and what was asked of it cannot be: the others go on. */
export class PropertyRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = "PropertyRefused";
  }
}

/** Equal as numbers where both are numbers. */
export function sameValue(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.trim() === "" || b.trim() === "") return false;
  const [x, y] = [Number(a), Number(b)];
  return (
    Number.isFinite(x) && Number.isFinite(y) && Math.abs(x - y) <= 1e-6 * Math.max(1, Math.abs(x))
  );
}
