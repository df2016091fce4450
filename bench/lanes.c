// lanes COUNT LANES COMMAND... runs a command COUNT times, LANES of them at a time, and prints
// as JSON what that took: time and processor time of all processes that were waited for, in
// seconds, how long the single runs took, in milliseconds, context switches and page faults.
// In the arguments, {} stands for the number of the run. Standard streams are /dev/null.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "lanes: %s: %s\n", what, strerror(errno));
	exit(1);
}

static char *numbered(const char *word, int number)
{
	const char *place = strstr(word, "{}");
	char *result;
	if (asprintf(&result, "%.*s%.*d%s", place ? (int)(place - word) : (int)strlen(word), word, place ? 1 : 0, place ? number : 0, place ? place + 2 : "") < 0)
		die("memory");
	return result;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int count = argc > 3 ? atoi(argv[1]) : 0, lanes = argc > 3 ? atoi(argv[2]) : 0;
	if (count < 1 || lanes < 1) {
		fprintf(stderr, "usage: lanes COUNT LANES COMMAND...\n");
		return 2;
	}
	double *took = calloc(count, sizeof *took), *began = calloc(count, sizeof *began);
	pid_t *pids = calloc(count, sizeof *pids);
	posix_spawn_file_actions_t files;
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	double start = now();
	int next = 0, done = 0, failed = 0;
	while (done < count) {
		for (; next < count && next - done < lanes; next++) {
			char **words = calloc(argc - 2, sizeof *words);
			for (int i = 3; i < argc; i++)
				words[i - 3] = numbered(argv[i], next);
			began[next] = now();
			if ((errno = posix_spawn(&pids[next], words[0], &files, NULL, words, environ)))
				die(words[0]);
			for (int i = 0; words[i]; i++)
				free(words[i]);
			free(words);
		}
		int status;
		pid_t pid = wait(&status);
		if (pid < 0)
			die("wait");
		for (int i = 0; i < next; i++)
			if (pids[i] == pid) {
				pids[i] = 0;
				took[i] = (now() - began[i]) * 1000;
				done++;
				failed += status != 0;
				break;
			}
	}
	double wall = now() - start;
	struct rusage used;
	getrusage(RUSAGE_CHILDREN, &used);
	qsort(took, count, sizeof *took, by_value);
	printf("{\"wall\": %.4f, \"user\": %ld.%06ld, \"system\": %ld.%06ld, \"median\": %.3f, \"p99\": %.3f, \"switches\": %ld, \"faults\": %ld, \"failed\": %d}\n",
		wall, used.ru_utime.tv_sec, used.ru_utime.tv_usec, used.ru_stime.tv_sec, used.ru_stime.tv_usec,
		took[count / 2], took[count * 99 / 100], used.ru_nvcsw + used.ru_nivcsw, used.ru_minflt, failed);
	return failed ? 1 : 0;
}
