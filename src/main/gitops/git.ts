// Git by Debian's own program: one bare repository for each source, so that only what is new crosses the link. It is
// given no configuration but what stands here, credentials by its environment alone, and HTTPS as its only way.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Access, Found, GitAsk } from "../../gitops/host.ts";
import { treeBytesMax } from "../../gitops/files.ts";
import { newestTag } from "../../gitops/sources/versions.ts";
import { searchPath } from "../config.ts";

const run = promisify(execFile);
const listBytesMax = 16 * 2 ** 20;
const program = "/usr/bin/git";
const commitPattern = /^[0-9a-f]{40}$/;

/** As `GIT_CONFIG_KEY_n`: what is on a command line others can read. */
function configuration(access: Access, caFile: string | undefined): Record<string, string> {
  const settings: [string, string][] = [
    ["protocol.allow", "never"],
    ["protocol.https.allow", "always"],
    ["http.followRedirects", "initial"],
    ["credential.helper", ""],
    ["core.hooksPath", "/dev/null"],
    ["gc.auto", "0"],
  ];
  const { username, password = "", bearerToken } = access;
  const basic = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
  const authorization = bearerToken ? `Bearer ${bearerToken}` : username !== undefined && basic;
  if (authorization) settings.push(["http.extraHeader", `Authorization: ${authorization}`]);
  if (caFile) settings.push(["http.sslCAInfo", caFile]);
  return Object.fromEntries([
    ["GIT_CONFIG_COUNT", String(settings.length)],
    ...settings.flatMap(([key, value], i) => [
      [`GIT_CONFIG_KEY_${i}`, key],
      [`GIT_CONFIG_VALUE_${i}`, value],
    ]),
  ]);
}

class Repository {
  readonly #ask: GitAsk;
  readonly #folder: string;

  constructor(ask: GitAsk, folder: string) {
    this.#ask = ask;
    this.#folder = folder;
  }

  async git(
    args: string[],
    more: { encoding?: "utf8" | "buffer"; maxBuffer?: number } = {},
  ): Promise<any> {
    const { access, timeoutMs } = this.#ask;
    const { encoding = "utf8", maxBuffer = listBytesMax } = more;
    let caFile: string | undefined;
    if (access.ca)
      writeFileSync((caFile = join(this.#folder, "ca.pem")), access.ca, { mode: 0o600 });
    const env = {
      ...{ PATH: searchPath, HOME: this.#folder, LC_ALL: "C", GIT_TERMINAL_PROMPT: "0" },
      ...{ GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null", GIT_DIR: this.#folder },
      ...configuration(access, caFile),
    };
    try {
      const options = {
        env,
        encoding,
        maxBuffer,
        timeout: timeoutMs,
        killSignal: "SIGKILL" as const,
      };
      return (await run(program, args, options)).stdout;
    } catch (error: any) {
      if (error.code === "ENOENT")
        throw new Error("git is not installed on this machine", { cause: error });
      if (error.killed)
        throw new Error(`git ${args[0]} took longer than ${timeoutMs} ms`, { cause: error });
      const said = String(error.stderr || error.message)
        .trim()
        .split("\n")
        .at(-1);
      throw new Error(`git ${args[0]}: ${said}`, { cause: error });
    }
  }

  /** Names of the source with their commits. */
  async #list(...patterns: string[]): Promise<Map<string, string>> {
    const out: string = await this.git(["ls-remote", "--", this.#ask.url, ...patterns]);
    return new Map(
      out
        .split("\n")
        .filter(Boolean)
        .map((line) => {
          const [commit = "", name = ""] = line.split("\t");
          return [name, commit];
        }),
    );
  }

  /** Which reference is meant, what it is called in a revision, and its commit. */
  async resolve(): Promise<{ name: string; label: string; commit: string }> {
    const { branch, tag, semver, name, commit } = this.#ask.ref;
    if (commit !== undefined) {
      if (!commitPattern.test(commit))
        throw new Error("spec.ref.commit: forty hexadecimal digits are needed");
      return { name: branch ? `refs/heads/${branch}` : "", label: branch ?? "", commit };
    }
    let wanted = name ?? (tag ? `refs/tags/${tag}` : `refs/heads/${branch ?? "master"}`);
    if (!name && semver !== undefined) {
      const all = [...(await this.#list("refs/tags/*")).keys()];
      const tags = all
        .filter((one) => !one.endsWith("^{}"))
        .map((one) => one.slice("refs/tags/".length));
      wanted = `refs/tags/${newestTag(tags, semver)}`;
    }
    const found = await this.#list(wanted, `${wanted}^{}`);
    const at = found.get(`${wanted}^{}`) ?? found.get(wanted);
    if (!at) throw new Error(`couldn't find remote ref ${JSON.stringify(wanted)}`);
    return { name: wanted, label: wanted.replace(/^refs\/(heads|tags)\//, ""), commit: at };
  }

  /** The tree of `commit` as tar. Not every server gives out a commit by its name alone. */
  async archive(name: string, commit: string): Promise<Uint8Array> {
    const { url } = this.#ask;
    const has = () =>
      this.git(["cat-file", "-e", `${commit}^{commit}`]).then(
        () => true,
        () => false,
      );
    const fetch = (...args: string[]) =>
      this.git(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", ...args]);
    if (!(await has())) {
      await fetch("--depth", "1", "--", url, commit).catch(async (error: Error) => {
        if (!name) throw error;
        await fetch("--", url, name);
      });
    }
    if (!(await has())) throw new Error(`commit ${commit} is not in ${name || url}`);
    return this.git(["archive", "--format=tar", commit], {
      encoding: "buffer",
      maxBuffer: 2 * treeBytesMax,
    });
  }
}

/** `directory` keeps the repositories. */
export async function findInGit(directory: string, ask: GitAsk): Promise<Found> {
  const folder = join(directory, "git", ask.id);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const repository = new Repository(ask, folder);
  if (!existsSync(join(folder, "HEAD"))) await repository.git(["init", "--quiet", "--bare"]);
  const { name, label, commit } = await repository.resolve();
  const revision = label ? `${label}@sha1:${commit}` : `sha1:${commit}`;
  return { revision, fetch: () => repository.archive(name, commit) };
}
