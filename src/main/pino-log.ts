import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import pino from "pino";
import type { Log } from "../lib/log.ts";
import { spokenLog } from "./spoken-log.ts";

const stderr = 2;

function wrap(logger: pino.Logger): Log {
  return {
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
    with: (fields) => wrap(logger.child(fields)),
  };
}

/** One JSON object a line on stderr, written at once so that a crash loses none. */
export const pinoLog = (level: string): Log =>
  wrap(
    pino(
      { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
      pino.destination({ dest: stderr, sync: true }),
    ),
  );

/** For whoever is at the other end of stderr: sentences at a terminal, JSON everywhere else. */
export const outputLog = (level: string): Log =>
  isatty(stderr) ? spokenLog(level, (line) => writeSync(stderr, `  ${line}\n`)) : pinoLog(level);
