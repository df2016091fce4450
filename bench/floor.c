// The floor: what the kernel takes for a container like that of the benchmark, without a
// runtime. It makes the same namespaces, mounts, devices and protections with system calls
// alone, parses no configuration, checks nothing and keeps no state.
//
//	floor run ROOTFS COMMAND...            without cgroups
//	floor run --cgroups NAME ROOTFS COMMAND...  in a new cgroup of each hierarchy
//	floor exec PID COMMAND...              in the namespaces of a process
//	floor nothing
//
// It is not a way to run containers: see the package compile for all that is missing.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void must(long result, const char *what)
{
	if (result < 0)
		die(what);
}

// The cgroups: a directory in each hierarchy that this process is in.
struct group {
	char controllers[64], parent[512], path[600];
	int unified;
};
static struct group groups[32];
static int group_count;

static char *join(char *to, size_t size, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	if (vsnprintf(to, size, format, list) >= (int)size) {
		errno = ENAMETOOLONG;
		die(format);
	}
	va_end(list);
	return to;
}

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[700];
	int fd = open(join(path, sizeof path, "%s/%s", dir, name), O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	long n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

static void inherit(struct group *g, const char *name)
{
	char path[700], text[256];
	int fd = open(join(path, sizeof path, "%s/%s", g->parent, name), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	long n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	write_file(g->path, name, text);
}

static void find_groups(const char *name)
{
	static char text[8192];
	int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
	must(fd, "/proc/self/cgroup");
	long n = read(fd, text, sizeof text - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	char *save, *line = strtok_r(text, "\n", &save);
	for (; line && group_count < 32; line = strtok_r(NULL, "\n", &save)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!path)
			continue;
		*controllers++ = *path++ = 0;
		struct group *g = &groups[group_count];
		g->unified = !*controllers;
		const char *dir = g->unified ? "unified" : controllers;
		if (!strncmp(dir, "name=", 5))
			dir += 5;
		join(g->controllers, sizeof g->controllers, "%s", dir);
		join(g->parent, sizeof g->parent, "/sys/fs/cgroup/%s%s", dir, strcmp(path, "/") ? path : "");
		if (g->unified && access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
			join(g->parent, sizeof g->parent, "/sys/fs/cgroup%s", strcmp(path, "/") ? path : "");
		if (access(g->parent, F_OK) < 0)
			continue;
		join(g->path, sizeof g->path, "%s/%s", g->parent, name);
		group_count++;
	}
}

static void make_groups(void)
{
	static const char *allowed[] = {"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm", "c 136:* rwm"};
	for (int i = 0; i < group_count; i++) {
		struct group *g = &groups[i];
		must(mkdir(g->path, 0755), g->path);
		if (strstr(g->controllers, "cpuset")) {
			inherit(g, "cpuset.cpus");
			inherit(g, "cpuset.mems");
		}
		if (!strcmp(g->controllers, "devices")) {
			must(write_file(g->path, "devices.deny", "a"), "devices.deny");
			for (unsigned j = 0; j < sizeof allowed / sizeof *allowed; j++)
				must(write_file(g->path, "devices.allow", allowed[j]), "devices.allow");
		}
	}
}

static void enter_groups(void)
{
	for (int i = 0; i < group_count; i++)
		must(write_file(groups[i].path, groups[i].unified ? "cgroup.procs" : "tasks", "0"), groups[i].path);
}

static void remove_groups(void)
{
	for (int i = 0; i < group_count; i++)
		must(rmdir(groups[i].path), groups[i].path);
}

static void put(const char *type, const char *at, unsigned long flags, const char *data)
{
	if (mkdirat(AT_FDCWD, at, 0755) < 0 && errno != EEXIST)
		die(at);
	must(mount(type, at, type, flags, data), at);
}

static void cgroup_mounts(void)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
	char at[700];
	if (group_count == 1 && groups[0].unified) {
		put("cgroup2", "sys/fs/cgroup", flags, NULL);
		return;
	}
	put("tmpfs", "sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=755");
	for (int i = 0; i < group_count; i++) {
		struct group *g = &groups[i];
		char options[128];
		if (g->unified)
			continue;
		join(options, sizeof options, "%s%s", strcmp(g->controllers, "systemd") ? "" : "name=", g->controllers);
		join(at, sizeof at, "sys/fs/cgroup/%s", g->controllers);
		must(mkdir(at, 0755), at);
		must(mount("cgroup", at, "cgroup", flags, options), at);
	}
	must(mount(NULL, "sys/fs/cgroup", NULL, MS_REMOUNT | MS_BIND | flags, NULL), "sys/fs/cgroup");
}

static void devices(void)
{
	static const struct { const char *name; int major, minor; } nodes[] = {
		{"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
	static const char *links[][2] = {{"/proc/self/fd", "dev/fd"}, {"/proc/self/fd/0", "dev/stdin"}, {"/proc/self/fd/1", "dev/stdout"},
		{"/proc/self/fd/2", "dev/stderr"}, {"/proc/kcore", "dev/core"}, {"pts/ptmx", "dev/ptmx"}};
	for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++)
		must(mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), nodes[i].name);
	for (unsigned i = 0; i < sizeof links / sizeof *links; i++)
		must(symlink(links[i][0], links[i][1]), links[i][1]);
}

static void protect(void)
{
	static const char *readonly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
	static const char *masked[] = {"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
		"/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"};
	for (unsigned i = 0; i < sizeof readonly / sizeof *readonly; i++)
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) == 0)
			must(mount(NULL, readonly[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), readonly[i]);
	for (unsigned i = 0; i < sizeof masked / sizeof *masked; i++)
		if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) < 0 && errno == ENOTDIR)
			must(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL), masked[i]);
	must(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), "/");
}

static void loopback(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(fd, "socket");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	must(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
	close(fd);
}

static void identity(void)
{
	// The capabilities of the default configuration: audit_write, kill, net_bind_service.
	const uint32_t set = 1u << 29 | 1u << 5 | 1u << 10;
	for (int c = 0; c < 41; c++)
		if (c >= 32 || !(set >> c & 1))
			prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
	struct { uint32_t version; int pid; } header = {0x20080522, 0};
	struct { uint32_t effective, permitted, inheritable; } data[2] = {{set, set, 0}, {0, 0, 0}};
	must(syscall(SYS_setgroups, 0, NULL), "setgroups");
	must(syscall(SYS_capset, &header, data), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static void init(const char *rootfs, char **command)
{
	must(setsid(), "setsid");
	umask(0);
	if (group_count)
		enter_groups();
	must(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP), "unshare");
	loopback();
	must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave");
	must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), rootfs);
	must(chdir(rootfs), rootfs);
	put("proc", "proc", 0, NULL);
	put("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	put("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	put("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=1777,size=65536k");
	put("mqueue", "dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	put("sysfs", "sys", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, NULL);
	if (group_count)
		cgroup_mounts();
	devices();
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount");
	must(chdir("/"), "/");
	must(sethostname("floor", 5), "sethostname");
	protect();
	umask(022);
	identity();
	execve(command[0], command, (char *[]){"PATH=/bin:/usr/bin", NULL});
	die(command[0]);
}

static int wait_for(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(const char *name, const char *rootfs, char **command)
{
	if (name) {
		find_groups(name);
		make_groups();
	}
	struct clone_args args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
	pid_t pid = syscall(SYS_clone3, &args, sizeof args);
	must(pid, "clone3");
	if (pid == 0)
		init(rootfs, command);
	int status = wait_for(pid);
	remove_groups();
	return status;
}

static int enter(pid_t target, char **command)
{
	int fd = syscall(SYS_pidfd_open, target, 0);
	must(fd, "pidfd_open");
	must(setns(fd, CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP), "setns");
	pid_t pid = fork();
	must(pid, "fork");
	if (pid == 0) {
		must(setsid(), "setsid");
		identity();
		execve(command[0], command, (char *[]){"PATH=/bin:/usr/bin", NULL});
		die(command[0]);
	}
	return wait_for(pid);
}

int main(int argc, char **argv)
{
	if (argc > 5 && !strcmp(argv[1], "run") && !strcmp(argv[2], "--cgroups"))
		return run(argv[3], argv[4], argv + 5);
	if (argc > 3 && !strcmp(argv[1], "run"))
		return run(NULL, argv[2], argv + 3);
	if (argc > 3 && !strcmp(argv[1], "exec"))
		return enter(atoi(argv[2]), argv + 3);
	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return 0;
	fprintf(stderr, "usage: floor run [--cgroups NAME] ROOTFS COMMAND... | exec PID COMMAND... | nothing\n");
	return 2;
}
