// Native code in the place of a runner, as if a module had broken out of V8: it tries all that it can think of and says
// how each attempt ended, in its container's log. It is told what to try as a runner is told its program.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

static char told[65536];
static FILE *out;

/** `name: what came of it`, as a line of a container's log. */
static void say(const char *name, const char *what) {
  fprintf(out, "2026-01-01T00:00:00.000000000Z stdout F %s: %s\n", name, what);
  fflush(out);
}

static void tell(const char *name, long result) {
  say(name, result < 0 ? strerrorname_np(errno) : "DONE");
}

/** The text behind `"key":"` in what this was told. */
static const char *setting(const char *key) {
  static char value[4096];
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\":\"", key);
  const char *from = strstr(told, quoted);
  value[0] = 0;
  if (from) sscanf(from + strlen(quoted), "%4095[^\"]", value);
  return value;
}

static void descriptors(void) {
  DIR *folder = opendir("/proc/self/fd");
  for (struct dirent *one; (one = readdir(folder));) {
    char name[64], target[4096];
    if (one->d_name[0] == '.' || atoi(one->d_name) == dirfd(folder)) continue;
    if (atoi(one->d_name) == fileno(out)) continue;
    ssize_t length = readlinkat(dirfd(folder), one->d_name, target, sizeof target - 1);
    target[length < 0 ? 0 : length] = 0;
    snprintf(name, sizeof name, "descriptor %s", one->d_name);
    say(name, target);
  }
  closedir(folder);
}

static void list(const char *path) {
  char name[4096], names[4096] = "";
  snprintf(name, sizeof name, "list %s", path);
  DIR *folder = opendir(path);
  if (!folder) return tell(name, -1);
  for (struct dirent *one; (one = readdir(folder));)
    if (one->d_name[0] != '.' || strlen(one->d_name) > 2) {
      strncat(names, one->d_name, sizeof names - strlen(names) - 2);
      strcat(names, " ");
    }
  closedir(folder);
  say(name, names);
}

static void readFile(const char *path) {
  char name[4096], text[256];
  snprintf(name, sizeof name, "read %s", path);
  int fd = open(path, O_RDONLY);
  ssize_t length = fd < 0 ? -1 : read(fd, text, 1);
  tell(name, length);
  if (fd >= 0) close(fd);
}

static void writeFile(const char *path) {
  char name[4096];
  snprintf(name, sizeof name, "write %s", path);
  int fd = open(path, O_WRONLY | O_APPEND);
  tell(name, fd < 0 ? -1 : write(fd, "x", 1));
  if (fd >= 0) close(fd);
}

static void makeFile(const char *path) {
  char name[4096];
  snprintf(name, sizeof name, "make %s", path);
  int fd = open(path, O_WRONLY | O_CREAT, 0644);
  tell(name, fd);
  if (fd >= 0) close(fd);
}

static void mounts(void) {
  char line[4096];
  FILE *file = fopen("/proc/self/mountinfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    line[strcspn(line, "\n")] = 0;
    say("mount", line);
  }
  if (file) fclose(file);
}

static void socketOf(const char *what, int family, int type, int protocol) {
  char name[64];
  snprintf(name, sizeof name, "socket %s", what);
  int fd = socket(family, type, protocol);
  tell(name, fd);
  if (fd >= 0) close(fd);
}

static void sockets(void) {
  socketOf("tcp", AF_INET, SOCK_STREAM, 0);
  socketOf("raw", AF_INET, SOCK_RAW, IPPROTO_ICMP);
  socketOf("raw6", AF_INET6, SOCK_RAW, 58);
  socketOf("packet", AF_PACKET, SOCK_RAW, 0x300);
  socketOf("vsock", 40, SOCK_STREAM, 0);
  socketOf("alg", 38, SOCK_SEQPACKET, 0);
  socketOf("bluetooth", 31, SOCK_RAW, 1);
  socketOf("can", 29, SOCK_RAW, 1);
  socketOf("rds", 21, SOCK_SEQPACKET, 0);
  socketOf("tipc", 30, SOCK_SEQPACKET, 0);
  socketOf("xdp", 44, SOCK_RAW, 0);
  socketOf("key", 15, SOCK_RAW, 2);
  socketOf("smc", 43, SOCK_STREAM, 0);
  socketOf("mptcp", AF_INET, SOCK_STREAM, 262);
  socketOf("netfilter", AF_NETLINK, SOCK_RAW, 12);
  socketOf("audit", AF_NETLINK, SOCK_RAW, 9);
}

static void connectTo(const char *what, const struct sockaddr *address, socklen_t length) {
  char name[256];
  snprintf(name, sizeof name, "connect %s", what);
  int fd = socket(address->sa_family, SOCK_STREAM, 0);
  tell(name, fd < 0 ? -1 : connect(fd, address, length));
  if (fd >= 0) close(fd);
}

static void neighbours(void) {
  struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_port = htons(atoi(setting("PORT")))};
  inet_pton(AF_INET, "127.0.0.1", &loopback.sin_addr);
  connectTo("loopback", (struct sockaddr *)&loopback, sizeof loopback);
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  strncpy(path.sun_path, setting("SOCKET"), sizeof path.sun_path - 1);
  connectTo("path", (struct sockaddr *)&path, sizeof path);
  struct sockaddr_un abstract = {.sun_family = AF_UNIX};
  const char *named = setting("ABSTRACT");
  strncpy(abstract.sun_path + 1, named, sizeof abstract.sun_path - 2);
  socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen(named);
  connectTo("abstract", (struct sockaddr *)&abstract, length);
}

static void processes(void) {
  char pids[4096] = "";
  DIR *folder = opendir("/proc");
  for (struct dirent *one; (one = readdir(folder));)
    if (atoi(one->d_name) > 0) {
      strncat(pids, pids[0] ? " " : "", sizeof pids - strlen(pids) - 1);
      strncat(pids, one->d_name, sizeof pids - strlen(pids) - 1);
    }
  closedir(folder);
  say("list processes", pids);
}

static void files(void) {
  const char *places[] = {"/", "/etc", "/dev", "/sys", "/proc/1/root", "/proc/1/fd", "/.kerb/shared"};
  for (int i = 0; i < 7; i++) list(places[i]);
  const char *secrets[] = {
    setting("SECRET"), "/etc/shadow", "/proc/1/environ", "/proc/1/mem", "/proc/kcore", "/proc/kmsg",
    "/proc/keys", "/proc/timer_list", "/dev/mem", "/dev/kmsg",
  };
  for (int i = 0; i < 10; i++) readFile(secrets[i]);
  const char *targets[] = {
    "/.kerb/node", "/.kerb/libc.so.6", "/.kerb/setpriv", "/.kerb/shared/module.wasm",
    "/.kerb/shared/hosts", "/.kerb/shared/resolv.conf", "/etc/hosts", "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hostname", "/proc/sys/net/ipv4/ip_forward", "/proc/sysrq-trigger",
    "/proc/1/oom_score_adj", "/proc/self/uid_map",
  };
  for (int i = 0; i < 13; i++) writeFile(targets[i]);
  const char *fresh[] = {"/new", "/etc/new", "/dev/new", "/.kerb/new", "/.kerb/code/new", "/.kerb/shared/new",
                         "/proc/new", "/tmp/new", "/dev/shm/new", "/.kerb/shared/volumes/data/new"};
  for (int i = 0; i < 10; i++) makeFile(fresh[i]);
  tell("unlink log", unlink("/.kerb/shared/log"));
  tell("rename log", rename("/.kerb/shared/log", "/.kerb/shared/other"));
  tell("chmod module", chmod("/.kerb/shared/module.wasm", 0777));
  tell("chmod shared", chmod("/.kerb/shared", 0777));
  tell("link module", link("/.kerb/shared/module.wasm", "/.kerb/shared/volumes/data/taken"));
  tell("device", mknod("/.kerb/shared/volumes/data/disk", S_IFBLK | 0666, 0x800));
}

static void privileges(void) {
  gid_t none[1] = {0};
  char ids[64];
  tell("setuid", setuid(0));
  tell("setgid", setgid(0));
  tell("setgroups", setgroups(1, none));
  unsigned head[2] = {0x20080522, 0}, data[6] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u};
  tell("capset", syscall(SYS_capset, head, data));
  struct rlimit most = {1 << 20, 1 << 20};
  tell("descriptors", setrlimit(RLIMIT_NOFILE, &most));
  tell("priority", setpriority(PRIO_PROCESS, 0, -20));
  struct sched_param first = {.sched_priority = 50};
  tell("real time", sched_setscheduler(0, SCHED_FIFO, &first));
  snprintf(ids, sizeof ids, "%d %d %d", geteuid(), getegid(), getgroups(0, NULL));
  say("ids", ids);
}

static void others(void) {
  tell("kill first", kill(1, SIGKILL));
  tell("kill above", kill(getppid() ? getppid() : 1, SIGKILL));
  tell("kill machine", kill(atoi(setting("PID")), SIGKILL));
  tell("trace", syscall(SYS_ptrace, PTRACE_ATTACH, 1, 0, 0));
  tell("fork", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
  tell("new users", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0));
  tell("clone3", syscall(SYS_clone3, 0, 0));
}

struct call { const char *name; long number; };
#define CALL(name) {#name, SYS_##name}
static const struct call closed[] = {
  CALL(mount), CALL(umount2), CALL(pivot_root), CALL(chroot), CALL(unshare), CALL(setns),
  CALL(open_tree), CALL(move_mount), CALL(fsopen), CALL(fsmount), CALL(mount_setattr),
  CALL(bpf), CALL(keyctl), CALL(add_key), CALL(request_key), CALL(io_uring_setup),
  CALL(io_uring_enter), CALL(io_setup), CALL(userfaultfd), CALL(perf_event_open), CALL(memfd_create),
  CALL(pidfd_open), CALL(pidfd_getfd), CALL(pidfd_send_signal), CALL(process_vm_readv),
  CALL(process_vm_writev), CALL(process_madvise), CALL(open_by_handle_at), CALL(name_to_handle_at),
  CALL(kexec_load), CALL(init_module), CALL(finit_module), CALL(delete_module), CALL(reboot),
  CALL(swapon), CALL(syslog), CALL(settimeofday), CALL(clock_settime), CALL(adjtimex), CALL(acct),
  CALL(quotactl), CALL(personality), CALL(seccomp), CALL(mq_open), CALL(shmget), CALL(msgget),
  CALL(semget), CALL(fanotify_init), CALL(sethostname), CALL(mbind), CALL(migrate_pages),
  CALL(vhangup), CALL(lookup_dcookie), CALL(execveat), CALL(setdomainname), CALL(kcmp),
#ifdef __x86_64__
  CALL(iopl), CALL(ioperm), CALL(modify_ldt), CALL(fork), CALL(vfork), CALL(uselib), CALL(ustat),
#endif
};

static void calls(void) {
  for (size_t i = 0; i < sizeof closed / sizeof *closed; i++)  {
    char name[64];
    snprintf(name, sizeof name, "call %s", closed[i].name);
    tell(name, syscall(closed[i].number, 0, 0, 0, 0, 0, 0));
  }
}

static void *sleepOn(void *_) {
  pause();
  return _;
}

static void threads(void) {
  char said[64];
  pthread_attr_t small;
  pthread_t one;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 16384);
  int count = 0;
  while (count < 100000 && pthread_create(&one, &small, sleepOn, NULL) == 0) count++;
  snprintf(said, sizeof said, "%d", count);
  say("threads", said);
}

#ifdef __x86_64__
static void *otherAbi(void *_) {
  long result;
  // fork, as a program of 32 bits calls it.
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(2L) : "memory");
  say("call of 32 bits", "DONE");
  return _;
}

static void *x32(void *_) {
  syscall(0x40000000 | SYS_getpid);
  say("call of x32", "DONE");
  return _;
}
#endif

static void abis(void) {
#ifdef __x86_64__
  pthread_t one;
  pthread_create(&one, NULL, otherAbi, NULL);
  usleep(50000);
  pthread_create(&one, NULL, x32, NULL);
  usleep(50000);
#endif
  say("abis", "ALIVE");
}

static void memory(void) {
  for (long i = 0; i < 4096; i++) {
    volatile char *block = malloc(1 << 20);
    for (long at = 0; at < 1 << 20; at += 4096) block[at] = 1;
  }
  say("memory", "DONE");
}

/** Writes where no module can: to what Node itself says. */
static void flood(void) {
  char block[65536];
  memset(block, 'x', sizeof block);
  for (int i = 0; i < 1024; i++) if (write(2, block, sizeof block) < 0) break;
}

int main(void) {
  ssize_t length = read(3, told, sizeof told - 1);
  out = fopen("/.kerb/shared/log", "a");
  if (!out || length < 0) return 1;
  extern char **environ;
  for (char **one = environ; *one; one++) say("environment", *one);
  const char *what = setting("ATTACK");
  if (strcmp(what, "memory") == 0) memory();
  if (strcmp(what, "flood") == 0) flood();
  if (strcmp(what, "mounts") == 0) mounts();
  if (strcmp(what, "threads") == 0) threads();
  if (strcmp(what, "all") == 0) {
    descriptors();
    processes();
    files();
    sockets();
    neighbours();
    privileges();
    others();
    calls();
    abis();
  }
  say("end", "DONE");
  if (*setting("STAY")) pause();
  return 7;
}
