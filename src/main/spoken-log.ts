// The log for a person at a terminal: a sentence a line, where a file or a service manager gets JSON.
import type { Log } from "../lib/log.ts";

type Level = "debug" | "info" | "warn" | "error";
type Fields = Record<string, unknown>;

const levels: Level[] = ["debug", "info", "warn", "error"];
const words: Record<Level, string> = { debug: ". ", info: "", warn: "! ", error: "! error: " };

/** What others wrote may hold codes that a terminal obeys. */
const printable = (text: string) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`);

const valueText = (value: unknown) =>
  printable(typeof value === "string" ? value : (JSON.stringify(value) ?? String(value)));

/** `no answer (node shop, error: timeout)`; the room is nothing to a reader. */
export function sentenceOf(message: string, fields: Fields = {}): string {
  const told = Object.entries(fields)
    .filter(([name, value]) => name !== "room" && value !== undefined)
    .map(([name, value]) => `${printable(name)}: ${valueText(value)}`);
  return printable(message) + (told.length > 0 ? ` (${told.join(", ")})` : "");
}

/** Calls `say` with each line from `least` up. */
export function spokenLog(least: string, say: (line: string) => void, own: Fields = {}): Log {
  const from = Math.max(0, levels.indexOf(least as Level));
  const at = (level: Level) => (message: string, fields?: Fields) => {
    if (levels.indexOf(level) < from) return;
    say(words[level] + sentenceOf(message, { ...own, ...fields }));
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => spokenLog(least, say, { ...own, ...fields }),
  };
}

/** Says everything twice. */
export const bothLogs = (one: Log, other: Log): Log => {
  const both =
    (level: Level): Log[Level] =>
    (message, fields) => {
      one[level](message, fields);
      other[level](message, fields);
    };
  return {
    debug: both("debug"),
    info: both("info"),
    warn: both("warn"),
    error: both("error"),
    with: (fields) => bothLogs(one.with(fields), other.with(fields)),
  };
};
