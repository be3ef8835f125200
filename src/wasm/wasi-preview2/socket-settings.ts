/**
 * Gives a kind of sockets settings that the kernel's own values stand in for: `name()` tells the value, and what is
 * given to `setName()` is heard and does nothing.
 */
export function fixSettings(kind: { prototype: object }, settings: Record<string, unknown>) {
  for (const [name, value] of Object.entries(settings)) {
    const setter = `set${name[0]!.toUpperCase()}${name.slice(1)}`;
    Object.assign(kind.prototype, { [name]: () => value, [setter]: () => {} });
  }
}
