// The zone of this machine's clock, by its IANA name. The engine knows it as well, but to ask it makes a process
// seven MiB larger: it brings in the tables of all languages.
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { zoneVariable } from "./config.ts";

export interface ZoneSources {
  /** The variable TZ. */
  variable?: string | undefined;
  /** Where /etc/localtime leads. */
  link?: string | undefined;
  /** What /etc/timezone says. */
  written?: string | undefined;
  /** Whether /etc/localtime is there at all; without it a clock is in UTC. */
  isSet: boolean;
}

const name = String.raw`(UTC|[A-Z][\w+-]*(?:/[A-Za-z][\w+-]*)+)`;
const plain = new RegExp(`^:?${name}$`);
const below = new RegExp(`/zoneinfo/(?:posix/|right/)?${name}$`);

/** Undefined when they do not say it by name. */
export function zoneOf({ variable, link, written, isSet }: ZoneSources): string | undefined {
  if (variable) return (plain.exec(variable) ?? below.exec(variable))?.[1];
  if (!isSet) return "UTC";
  const named = link === undefined ? plain.exec(written?.trim() ?? "") : below.exec(link);
  return named?.[1];
}

const unlessMissing = (read: () => string): string | undefined => {
  try {
    return read();
  } catch {
    return undefined;
  }
};

export function timeZone(): string {
  const sources = {
    variable: zoneVariable,
    link: unlessMissing(() => readlinkSync("/etc/localtime")),
    written: unlessMissing(() => readFileSync("/etc/timezone", "utf8")),
    isSet: existsSync("/etc/localtime"),
  };
  return zoneOf(sources) ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
}
