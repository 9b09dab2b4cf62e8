/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/control/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "backends/base/pool.h"
#include "fs/mount/control/client.h"
#include "fs/mount/control/errand.h"
#include "fs/mount/control/status.h"
#include "fs/mount/mount.h"

#define CONTROL_BACKLOG 16
#define QUESTION_MAX (MOUNT_QUESTION_MAX + 2)	/* newline and NUL */

struct control {
	struct fs *fs;
	int listener;
	int stop;	/* eventfd */
	pthread_t thread;
	bool has_thread;
	struct pool *errands;
	struct fill_jobs *jobs;
	bool is_stopping;	/* atomic */
};

/* Who waits for an errand. */
struct caller {
	struct control *control;
	int fd;
	int64_t next_ms;	/* when a sign of life is due */
	char question[QUESTION_MAX];
};

static bool wait_for(int fd, short events, int64_t end)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left = end - clock_ms();

	return left > 0 && poll(&p, 1, (int)left) > 0;
}

static bool read_question(int fd, int64_t end, char out[QUESTION_MAX])
{
	size_t used = 0;

	while (used < QUESTION_MAX - 1 && wait_for(fd, POLLIN, end)) {
		ssize_t n = read(fd, out + used, QUESTION_MAX - 1 - used);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return false;
		used += (size_t)n;
		out[used] = '\0';
		if (memchr(out, '\n', used)) {
			*strchr(out, '\n') = '\0';
			return true;
		}
	}
	return false;
}

static void send_answer(int fd, int64_t end, const struct buf *answer)
{
	size_t sent = 0;

	while (sent < answer->len && wait_for(fd, POLLOUT, end)) {
		ssize_t n = send(fd, answer->data + sent, answer->len - sent,
				 MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n < 0)
			return;
		sent += (size_t)n;
	}
}

static void answer_status(struct control *c, int fd, int64_t end,
			  bool is_owner)
{
	cleanup_buf struct buf answer = BUF_INIT;
	struct err err = ERR_INIT;

	if (status_build(c->fs, c->jobs, is_owner, &answer, &err) < 0)
		log_warn("control", "status failed: error=\"%s\"", err.text);
	else
		send_answer(fd, end, &answer);
}

/* False: nobody waits any more, or the mount ends. */
static bool beat(void *arg)
{
	struct caller *caller = arg;
	int64_t now = clock_ms();

	if (__atomic_load_n(&caller->control->is_stopping, __ATOMIC_ACQUIRE))
		return false;
	if (now < caller->next_ms)
		return true;
	caller->next_ms = now + CONTROL_BEAT_MS;
	return send(caller->fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ||
	       errno == EAGAIN;
}

static void run_errand(void *arg)
{
	struct caller *caller = arg;
	struct errand errand = {
		.fs = caller->control->fs, .jobs = caller->control->jobs,
		.beat = beat, .arg = caller,
	};
	cleanup_buf struct buf answer = BUF_INIT;

	if (beat(caller)) {
		errand_answer(&errand, caller->question, &answer);
		send_answer(caller->fd, clock_ms() + CONTROL_OWNER_MS,
			    &answer);
	}
	close(caller->fd);
	free(caller);
}

/* Takes fd over; false: it has not. */
static bool start_errand(struct control *c, int fd, const char *question,
			 int64_t end)
{
	struct caller *caller = calloc(1, sizeof(*caller));
	cleanup_buf struct buf answer = BUF_INIT;
	struct err err = ERR_INIT;

	if (!caller)
		return false;
	caller->control = c;
	caller->fd = fd;
	snprintf(caller->question, sizeof(caller->question), "%s", question);
	if (pool_submit(c->errands, run_errand, caller, &err) == 0)
		return true;
	free(caller);
	errand_refuse(&answer, &err);
	send_answer(fd, end, &answer);
	return false;
}

/* True: fd is somebody else's now. */
static bool serve_client(struct control *c, int fd)
{
	char question[QUESTION_MAX];
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;
	bool is_owner;
	int64_t end;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	is_owner = peer.uid == 0 || peer.uid == geteuid();
	if (!is_owner && !c->fs->options.allow_other)
		return false;
	end = clock_ms() + (is_owner ? CONTROL_OWNER_MS : CONTROL_OTHER_MS);
	if (!read_question(fd, end, question))
		return false;
	if (is_owner && errand_is_one(question))
		return start_errand(c, fd, question, end);
	if (strcmp(question, "status") == 0)
		answer_status(c, fd, end, is_owner);
	else
		log_debug("control", "unknown question: uid=%u",
			  (unsigned)peer.uid);
	return false;
}

static void *control_main(void *arg)
{
	struct control *c = arg;
	struct pollfd p[] = {
		{ .fd = c->stop, .events = POLLIN },
		{ .fd = c->listener, .events = POLLIN },
	};

	for (;;) {
		int fd;

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents)
			break;
		fd = accept4(c->listener, NULL, NULL,
			     SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0)
			continue;
		if (!serve_client(c, fd))
			close(fd);
	}
	return NULL;
}

static int control_listen(struct control *c, const char *name, struct err *err)
{
	struct sockaddr_un addr;
	socklen_t len = client_address(&addr, name);

	c->stop = eventfd(0, EFD_CLOEXEC);
	if (c->stop < 0)
		return err_errno(err, errno, "eventfd");
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
			     SOCK_NONBLOCK, 0);
	if (c->listener < 0)
		return err_errno(err, errno, "control socket");
	if (bind(c->listener, (struct sockaddr *)&addr, len) < 0 ||
	    listen(c->listener, CONTROL_BACKLOG) < 0)
		return err_errno(err, errno, "control socket @%s", name);
	return 0;
}

static void control_close(struct control *c)
{
	if (c->errands)
		pool_free(c->errands);
	fill_jobs_free(c->jobs);
	if (c->listener >= 0)
		close(c->listener);
	if (c->stop >= 0)
		close(c->stop);
	free(c);
}

int control_new(struct control **out, struct fs *fs, const char *name,
		struct err *err)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_nomem(err);
	c->fs = fs;
	c->listener = c->stop = -1;
	r = control_listen(c, name, err);
	if (r == 0)
		r = pool_new(&c->errands, "errands", 1, CONTROL_ERRANDS_MAX,
			     err);
	if (r == 0)
		r = fill_jobs_new(&c->jobs, fs, err);
	if (r == 0) {
		r = pthread_create(&c->thread, NULL, control_main, c);
		if (r)
			r = err_errno(err, r, "start the control thread");
		c->has_thread = r == 0;
	}
	if (r < 0) {
		control_close(c);
		return r;
	}
	*out = c;
	return 0;
}

void control_hang_up(struct control *c)
{
	static const uint64_t one = 1;

	if (!c || !c->has_thread)
		return;
	if (write(c->stop, &one, sizeof(one)) != sizeof(one))
		log_warn("control", "cannot stop: error=%d", errno);
	pthread_join(c->thread, NULL);
	c->has_thread = false;
	close(c->listener);
	c->listener = -1;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	/* An errand may wait for a store. */
	__atomic_store_n(&c->is_stopping, true, __ATOMIC_RELEASE);
	buckets_stop(c->fs->buckets);
	control_hang_up(c);
	control_close(c);
}
