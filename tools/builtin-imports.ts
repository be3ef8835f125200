// An import of one of Node's own modules makes a view of all that it exports, and what is lazy there is loaded for it:
// `node:http` brings fetch along, `node:crypto` the web's cryptography. The built files take what they name and no more.

/** As esbuild writes them without spaces; strings of ours do not look like that. */
const imported =
  /import(?: (?<all>[\w$]+) |\{(?<some>[^{}"]*)\})from"(?<module>node:[\w/]+)";|import"node:[\w/]+";/g;

const renamed = / as /g;

/** `text` without static imports of Node's own modules. Pure. */
export function takeBuiltins(text: string): string {
  return text.replaceAll(imported, (statement, ...rest) => {
    const { all, some, module } = rest.at(-1) as Record<string, string | undefined>;
    if (!module) return "";
    const names = all ?? `{${some!.replaceAll(renamed, ":")}}`;
    return `var ${names}=globalThis.process.getBuiltinModule("${module}");`;
  });
}
