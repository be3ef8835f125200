// An import of one of Node's own modules makes a view of all that it exports, and what is lazy there is loaded for it:
// `node:http` brings fetch along, `node:crypto` the web's cryptography. That is three MiB of an idle process. The built
// files take what they name and no more.

/** As esbuild writes them without spaces; strings of ours do not look like that. */
const imported =
  /import(?: (?<all>[\w$]+) |\{(?<some>[^{}"]*)\})from"(?<module>node:[\w/]+)";|import"node:[\w/]+";/g;

const missed = /import[^;"'`()]*from"node:[\w/]+"/;

/** `text` without static imports of Node's own modules. Pure; throws on a form that it does not know. */
export function takeBuiltins(text: string): string {
  const taken = text.replaceAll(imported, (...found) => {
    const { all, some, module } = found.at(-1) as Record<string, string | undefined>;
    if (!module) return "";
    const names = all ?? `{${some!.replaceAll(" as ", ":")}}`;
    return `var ${names}=globalThis.process.getBuiltinModule("${module}");`;
  });
  const left = missed.exec(taken);
  if (left) throw new Error(`not an import that is known here: ${left[0]}`);
  return taken;
}
