/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential_process of a profile: a program that prints JSON ("Sourcing
 * credentials with an external process", AWS SDKs and Tools).  No shell; its
 * standard error goes nowhere, as programs print their keys there in debug
 * modes.
 */
#include <config.h>
#include "backends/auth/aws/aws_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "backends/auth/ask.h"
#include "backends/base/clock.h"

#define PROCESS "credential_process"
#define PROCESS_LOOK_MS 100	/* at the engine: is it ending? */

extern char **environ;

/*
 * Words.
 */

struct splitter {
	const char *p;
	char *out;
};

/* Appends what is quoted; false where the quote does not end. */
static bool take_quoted(struct splitter *s, char quote)
{
	for (; *s->p && *s->p != quote; s->p++) {
		/* Within double quotes it keeps its place but before two. */
		if (quote == '"' && s->p[0] == '\\' &&
		    (s->p[1] == '"' || s->p[1] == '\\'))
			s->p++;
		*s->out++ = *s->p;
	}
	return *s->p++ == quote;
}

static bool take_word(struct splitter *s)
{
	while (*s->p && *s->p != ' ' && *s->p != '\t') {
		char c = *s->p++;

		if (c == '\'' || c == '"') {
			if (!take_quoted(s, c))
				return false;
			continue;
		}
		if (c == '\\') {
			if (!*s->p)
				return false;
			c = *s->p++;
		}
		*s->out++ = c;
	}
	*s->out++ = '\0';
	return true;
}

int process_split(char ***argv, const char *command, struct err *err)
{
	size_t room = (PROCESS_ARGS_MAX + 1) * sizeof(char *);
	char **words = calloc(1, room + strlen(command) + 1);
	struct splitter s = { .p = command };
	size_t n = 0;

	if (!words)
		return err_nomem(err);
	s.out = (char *)words + room;
	for (;;) {
		s.p += strspn(s.p, " \t");
		if (!*s.p)
			break;
		words[n] = s.out;
		if (n++ == PROCESS_ARGS_MAX || !take_word(&s)) {
			free(words);
			return err_set(err, ERR_AUTH, EINVAL,
				       PROCESS ": quotes that do not end, or "
					       "more than %d words",
				       PROCESS_ARGS_MAX);
		}
	}
	*argv = words;
	if (n > 0)
		return 0;
	free(words);
	return err_set(err, ERR_AUTH, EINVAL, PROCESS " names no program");
}

/*
 * The program.
 */

/* Its own group, so that its children end with it; no signal blocked. */
static int set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none;
	sigset_t pipe_only;
	int r;

	(void)sigemptyset(&none);
	(void)sigemptyset(&pipe_only);
	(void)sigaddset(&pipe_only, SIGPIPE);
	r = posix_spawnattr_setsigmask(attr, &none);
	if (r == 0)
		r = posix_spawnattr_setsigdefault(attr, &pipe_only);
	if (r == 0)
		r = posix_spawnattr_setpgroup(attr, 0);
	if (r == 0)
		r = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
							   POSIX_SPAWN_SETSIGDEF |
							   POSIX_SPAWN_SETPGROUP);
	return r;
}

static int spawn(pid_t *pid, char **argv, int out_fd)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int r = posix_spawn_file_actions_init(&files);

	if (r != 0)
		return r;
	r = posix_spawnattr_init(&attr);
	if (r != 0) {
		(void)posix_spawn_file_actions_destroy(&files);
		return r;
	}
	r = posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY,
					     0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&files, out_fd, 1);
	if (r == 0)
		r = posix_spawn_file_actions_addopen(&files, 2, "/dev/null",
						     O_WRONLY, 0);
	if (r == 0)
		r = set_attributes(&attr);
	if (r == 0)
		r = posix_spawnp(pid, argv[0], &files, &attr, argv, environ);
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&files);
	return r;
}

static int read_some(int fd, struct buf *out, bool *is_end, struct err *err)
{
	char piece[4096];
	ssize_t n = read(fd, piece, sizeof(piece));
	int r = 0;

	if (n < 0 && errno != EINTR && errno != EAGAIN)
		r = err_errno(err, errno, PROCESS ": read");
	else if (n == 0)
		*is_end = true;
	else if (n > 0 && out->len + (size_t)n > ASK_BYTES_MAX)
		r = err_set(err, ERR_CORRUPT, EBADMSG,
			    PROCESS " printed more than %zu bytes",
			    ASK_BYTES_MAX);
	else if (n > 0)
		r = buf_add(out, piece, (size_t)n, err);
	explicit_bzero(piece, sizeof(piece));
	return r;
}

/* Until it closes its standard output; -ETIMEDOUT, -ECANCELED. */
static int read_all(int fd, const struct http_engine *engine, struct buf *out,
		    struct err *err)
{
	int64_t deadline_ms = clock_ms() + PROCESS_MS;
	bool is_end = false;
	int r = 0;

	while (r == 0 && !is_end) {
		struct pollfd ready = { .fd = fd, .events = POLLIN };

		if (engine && http_engine_is_stopping(engine))
			return err_set(err, ERR_RETRY, ECANCELED, "canceled");
		if (clock_ms() >= deadline_ms)
			return err_set(err, ERR_RETRY, ETIMEDOUT,
				       PROCESS " took longer than %d s",
				       PROCESS_MS / 1000);
		if (poll(&ready, 1, PROCESS_LOOK_MS) > 0)
			r = read_some(fd, out, &is_end, err);
	}
	return r;
}

/*
 * Whoever closed its output is expected to end; whoever failed, or is late, is
 * ended.  The status, or -1 where somebody else has reaped it.
 */
static int reap(pid_t pid, bool is_done)
{
	int64_t deadline_ms = clock_ms() + PROCESS_LOOK_MS;
	int status = -1;
	pid_t got = 0;

	while (is_done && got == 0 && clock_ms() < deadline_ms) {
		got = waitpid(pid, &status, WNOHANG);
		if (got == 0)
			(void)usleep(1000);
	}
	if (got == 0) {
		(void)kill(-pid, SIGKILL);
		do
			got = waitpid(pid, &status, 0);
		while (got < 0 && errno == EINTR);
	}
	return got == pid ? status : -1;
}

static int run(char **argv, const struct http_engine *engine, struct buf *out,
	       struct err *err)
{
	int fds[2];
	pid_t pid;
	int status;
	int r;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_errno(err, errno, PROCESS ": pipe");
	r = spawn(&pid, argv, fds[1]);
	(void)close(fds[1]);
	if (r != 0) {
		(void)close(fds[0]);
		return err_set(err, ERR_AUTH, EACCES,
			       PROCESS " cannot be started: %s", strerror(r));
	}
	r = read_all(fds[0], engine, out, err);
	(void)close(fds[0]);
	status = reap(pid, r == 0);
	if (r < 0)
		return r;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(err, ERR_AUTH, EACCES,
		       PROCESS " failed (%s %d): run it by hand to see why",
		       WIFSIGNALED(status) ? "signal" : "exit status",
		       WIFSIGNALED(status) ? WTERMSIG(status) :
					     WEXITSTATUS(status));
}

static int take_keys(const struct buf *text, struct cred *out, struct err *err)
{
	json_t *object = NULL;
	int r = ask_json(&object, PROCESS, text->data ? text->data : "",
			 text->len, err);

	if (r == 0 &&
	    json_integer_value(json_object_get(object, "Version")) != 1)
		r = err_set(err, ERR_AUTH, EACCES,
			    PROCESS ": the answer is not of Version 1");
	if (r == 0)
		r = aws_keys(out, PROCESS, object, "SessionToken", err);
	json_decref(object);
	return r;
}

int process_fetch(const char *command, const struct http_engine *engine,
		  struct cred *out, struct err *err)
{
	cleanup_ask_wipe struct buf text = BUF_INIT;
	char **argv;
	int r = process_split(&argv, command, err);

	if (r < 0)
		return r;
	/* All of it at once, so that growing leaves no copies behind. */
	r = buf_reserve(&text, ASK_BYTES_MAX, err);
	if (r == 0)
		r = run(argv, engine, &text, err);
	free(argv);
	if (r == 0)
		r = take_keys(&text, out, err);
	return r;
}
