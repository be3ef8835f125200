// What the kernel answers to a runner: the calls of Node and no others. It starts no processes, makes no
// namespaces, mounts nothing and traces nobody. With a network it has sockets of TCP and UDP and none that lead
// past its pod's network (to the machine's other guests, to what watches the kernel); without one it has none. Pure.

/** Linux's, for each of the architectures Node comes for. */
const architectures: Record<string, string[]> = {
  x64: ["SCMP_ARCH_X86_64"],
  arm64: ["SCMP_ARCH_AARCH64"],
};

const files =
  "access chdir chmod close close_range copy_file_range dup dup2 dup3 faccessat faccessat2 fadvise64 " +
  "fallocate fchmod fchmodat fchown fchownat fcntl fdatasync flock fstat fstatfs fsync ftruncate " +
  "futimesat getcwd getdents getdents64 link linkat lseek lstat mkdir mkdirat newfstatat open openat " +
  "openat2 pipe pipe2 poll ppoll pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readlink " +
  "readlinkat readv rename renameat renameat2 rmdir select pselect6 sendfile stat statfs statx symlink " +
  "symlinkat sync_file_range truncate umask unlink unlinkat utime utimensat utimes write writev";
const memory = "brk madvise membarrier mincore mlock mmap mprotect mremap msync munlock munmap";
const threads =
  "arch_prctl exit exit_group futex get_robust_list getcpu getpid getppid gettid restart_syscall rseq " +
  "sched_getaffinity sched_getparam sched_getscheduler sched_setaffinity sched_setscheduler sched_yield " +
  "set_robust_list set_tid_address";
const signals =
  "kill rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend " +
  "rt_sigtimedwait sigaltstack tgkill tkill pause";
const time =
  "clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time times " +
  "timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create " +
  "timerfd_gettime timerfd_settime";
const events =
  "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 " +
  "inotify_init1 inotify_add_watch inotify_rm_watch";
const itself =
  "capget capset execve wait4 waitid getegid geteuid getgid getgroups getpgrp getpgid getpriority getrandom getresgid " +
  "getresuid getrlimit getrusage getsid getuid ioctl prctl prlimit64 setgid setgroups setpriority " +
  "setresgid setresuid setsid setuid sysinfo uname";
const sockets =
  "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg " +
  "sendmmsg sendmsg sendto setsockopt shutdown";

/** Families, and of each the protocols: what Linux takes for none, TCP and UDP; of netlink the pod's own addresses. */
const [unix, inet, inet6, netlink] = [1, 2, 10, 16];
const [tcp, udp, route] = [6, 17, 0];
const socketKinds: [family: number, protocol?: number][] = [
  [unix],
  ...[inet, inet6].flatMap((family) => [0, tcp, udp].map((one): [number, number] => [family, one])),
  [netlink, route],
];
/** Of an int; what stands above it in its register the kernel does not look at. */
const wholeInt = 0xffffffff;

interface Argument {
  index: number;
  value: number;
  valueTwo: number;
  op: "SCMP_CMP_MASKED_EQ";
}

interface Rule {
  names: string[];
  action: "SCMP_ACT_ALLOW" | "SCMP_ACT_ERRNO";
  args?: Argument[];
  errnoRet?: number;
}

const isInt = (index: number, valueTwo: number): Argument => ({
  ...{ index, value: wholeInt, valueTwo },
  op: "SCMP_CMP_MASKED_EQ",
});

const socketRules = (): Rule[] => [
  ...socketKinds.map(([family, protocol]): Rule => {
    const args = [isInt(0, family), ...(protocol === undefined ? [] : [isInt(2, protocol)])];
    return { names: ["socket"], action: "SCMP_ACT_ALLOW", args };
  }),
  { names: ["socketpair"], action: "SCMP_ACT_ALLOW", args: [isInt(0, unix)] },
];

/** A clone that shares memory and belongs to the same process is a thread. */
const cloneThread = 0x10000;
/** Whatever makes a namespace, of processes as well. */
const cloneNamespaces = 0x7e020000;
const enosys = 38;

export interface SeccompOptions {
  network: boolean;
  /** It starts programs. */
  processes?: boolean;
  arch: string;
}

export function seccompProfile({ network, processes = false, arch }: SeccompOptions) {
  const lists = [files, memory, threads, signals, time, events, itself];
  if (network) lists.push(sockets);
  if (processes) lists.push("fork vfork");
  const [mask, value] = processes ? [cloneNamespaces, 0] : [cloneThread, cloneThread];
  const syscalls: Rule[] = [
    { names: lists.join(" ").split(" "), action: "SCMP_ACT_ALLOW" },
    {
      names: ["clone"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: mask, valueTwo: value, op: "SCMP_CMP_MASKED_EQ" }],
    },
    // Its flags lie in memory, where a filter cannot look; libc takes clone instead.
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: enosys },
    ...(network ? socketRules() : []),
  ];
  return { defaultAction: "SCMP_ACT_ERRNO", architectures: architectures[arch] ?? [], syscalls };
}
