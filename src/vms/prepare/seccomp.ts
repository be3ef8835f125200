// What a container's programs may ask of the kernel beside what its profile says.

export interface Seccomp {
  defaultAction: string;
  syscalls?: { names: string[]; action: string; errnoRet?: number }[];
}

/** Pure. Where no profile is, all may be asked already. */
export const allowing = (given: Seccomp | undefined, names: string[]): Seccomp | undefined =>
  given && {
    ...given,
    syscalls: [...(given.syscalls ?? []), { names, action: "SCMP_ACT_ALLOW" }],
  };
