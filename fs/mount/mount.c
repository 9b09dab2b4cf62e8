/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mount from its start to its end: the mount point, the daemon, the file
 * system, the signals.
 */
#include <config.h>

#include "fs/mount/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "backends/base/clock.h"
#include "backends/base/io.h"
#include "backends/base/log.h"
#include "fs/mount/control/client.h"
#include "fs/mount/control/control.h"
#include "fs/mount/daemon.h"
#include "fs/mount/fuse/invalidate.h"
#include "fs/mount/notify.h"
#include "fs/mount/point/point.h"
#include "fs/mount/reload.h"
#include "fs/mount/session.h"

#define READ_AHEAD_KIB "1024"	/* see READ_AHEAD_MAX of the operations */
#define DRAIN_STEP_MS 200

struct run {
	const struct mount_options *opt;
	char path[PATH_MAX];
	bool is_fd;		/* /dev/fd/N: the mount is somebody else's */
	struct daemon_link link;
	struct notify notify;
	struct fs fs;
	struct session *session;
	struct control *control;
	char socket_name[CLIENT_NAME_MAX];
	int signals;		/* signalfd */
	int ready;		/* eventfd */
	pthread_t prober;
	bool has_prober;
};

/* As root the kernel may read further ahead than its default of 128 KiB. */
static void set_read_ahead(dev_t dev)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb",
		 major(dev), minor(dev));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (io_write_full(fd, READ_AHEAD_KIB, strlen(READ_AHEAD_KIB)) < 0)
		log_debug("mount", "read-ahead stays as it is: %s", path);
	close(fd);
}

/* Asks the root as a user would; on a thread, for it may never answer. */
static void *prober_main(void *arg)
{
	static const uint64_t one = 1;
	const struct timespec pause = { .tv_nsec = 2000000 };
	struct run *run = arg;
	struct stat st;

	if (!run->is_fd && stat(run->path, &st) == 0)
		set_read_ahead(st.st_dev);
	while (!__atomic_load_n(&run->fs.is_up, __ATOMIC_ACQUIRE)) {
		if (__atomic_load_n(&run->fs.is_stopping, __ATOMIC_ACQUIRE))
			return NULL;
		(void)nanosleep(&pause, NULL);
	}
	if (write(run->ready, &one, sizeof(one)) != sizeof(one))
		log_error("mount", "cannot say that it serves: error=%d",
			  errno);
	return NULL;
}

static int refuse_problems(const struct run *run, struct err *err)
{
	if (!run->opt->strict)
		return 0;
	for (size_t i = 0; i < buckets_count(run->fs.buckets); i++) {
		struct bucket *b = buckets_at(run->fs.buckets, i);

		if (b && bucket_problem(b))
			return err_set(err, ERR_USAGE, EINVAL, "bucket %s: %s",
				       bucket_name(b), bucket_problem(b));
	}
	return 0;
}

static void log_problems(const struct run *run)
{
	for (size_t i = 0; i < buckets_count(run->fs.buckets); i++) {
		struct bucket *b = buckets_at(run->fs.buckets, i);

		if (b && bucket_problem(b))
			log_warn("mount", "bucket cannot be used: bucket=%s error=\"%s\"",
				 bucket_name(b), bucket_problem(b));
	}
}

/* Without it the mount serves all the same, but cannot be asked. */
static void start_control(struct run *run)
{
	cleanup_free struct mountinfo *m = malloc(sizeof(*m));
	struct err err = ERR_INIT;
	int r = -ENOENT;

	if (!m)
		return;
	if (run->is_fd)
		client_process_name(run->socket_name, getpid());
	else if (mountinfo_find(m, run->path, &err) == 0)
		client_socket_name(run->socket_name, m->major, m->minor);
	if (run->socket_name[0])
		r = control_new(&run->control, &run->fs, run->socket_name,
				&err);
	/* By a mount that had that device number, and is about to end. */
	if (r == -EADDRINUSE) {
		err_clear(&err);
		client_process_name(run->socket_name, getpid());
		r = control_new(&run->control, &run->fs, run->socket_name,
				&err);
	}
	if (r == 0)
		run->fs.socket_name = run->socket_name;
	else
		log_warn("mount", "no control socket, status will not work: error=\"%s\"",
			 err.text);
}

static int open_signals(struct run *run, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* Before any thread starts, so that all of them inherit it. */
	if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
		return err_errno(err, EINVAL, "pthread_sigmask");
	(void)signal(SIGPIPE, SIG_IGN);
	run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	run->ready = eventfd(0, EFD_CLOEXEC);
	if (run->signals < 0 || run->ready < 0)
		return err_errno(err, errno, "signalfd");
	return 0;
}

/* Without it the mount serves all the same, but what it was told first. */
static void start_reload(struct run *run)
{
	const struct reload_options opt = {
		.strict = run->opt->strict,
		.has_cache_dir = run->opt->has_cache_dir,
		.has_cache_size = run->opt->has_cache_size,
	};
	struct err err = ERR_INIT;

	if (run->opt->settings->n_sources &&
	    reload_new(&run->fs.reload, &run->fs, &opt, &err) < 0)
		log_warn("mount", "changes of the configuration will not be seen: error=\"%s\"",
			 err.text);
}

static int start(struct run *run, struct err *err)
{
	int r;

	daemon_limits();
	r = open_signals(run, err);
	if (r == 0)
		r = fs_open(&run->fs, run->opt->settings, err);
	if (r == 0)
		r = refuse_problems(run, err);
	if (r < 0)
		return r;
	log_problems(run);

	r = session_new(&run->session, &run->fs, run->path, err);
	if (r == 0)
		r = invalidate_new(&run->fs.invalidate, run->fs.session, err);
	if (r < 0)
		return r;
	start_reload(run);
	start_control(run);
	r = session_start(run->session, run->fs.options.threads, err);
	if (r < 0)
		return r;
	r = pthread_create(&run->prober, NULL, prober_main, run);
	if (r)
		return err_errno(err, r, "start a thread");
	run->has_prober = true;
	return 0;
}

/*
 * SIGHUP that somebody sends means the configuration; the one that the kernel
 * sends when its terminal goes is the end of a mount in the foreground.
 */
static bool read_signal(struct run *run)
{
	struct signalfd_siginfo info;
	bool is_end = false;

	while (read(run->signals, &info, sizeof(info)) == sizeof(info)) {
		bool is_hangup = info.ssi_signo == SIGHUP &&
				 info.ssi_code == SI_KERNEL;

		if (info.ssi_signo != SIGHUP ||
		    (is_hangup && run->opt->foreground))
			is_end = true;
		else if (!is_hangup && run->fs.reload)
			reload_now(run->fs.reload);
	}
	return is_end;
}

static int wait_until_ready(struct run *run, struct err *err)
{
	int64_t end = clock_ms() + MOUNT_READY_MS;
	struct pollfd p[] = {
		{ .fd = run->ready, .events = POLLIN },
		{ .fd = session_over_fd(run->session), .events = POLLIN },
		{ .fd = run->signals, .events = POLLIN },
	};

	for (;;) {
		int64_t left = end - clock_ms();

		if (left <= 0)
			return err_set(err, ERR_SYSTEM, ETIMEDOUT,
				       "the root of %s did not answer within %d s",
				       run->path, MOUNT_READY_MS / 1000);
		if (poll(p, ARRAY_SIZE(p), (int)left) < 0 && errno != EINTR)
			return err_errno(err, errno, "poll");
		if (p[0].revents)
			return 0;
		if (p[1].revents)
			return err_set(err, ERR_SYSTEM, ENOTCONN,
				       "%s was unmounted before it served",
				       run->path);
		if (p[2].revents && read_signal(run))
			return err_set(err, ERR_SYSTEM, EINTR,
				       "ended by a signal before it served");
	}
}

/*
 * 1: the mount is gone or the threads are told to end; 0: it is busy, serving
 * goes on.
 */
static int try_end(struct run *run, struct err *err)
{
	cleanup_free struct mountinfo *m = malloc(sizeof(*m));
	int r;

	if (!m)
		return err_nomem(err);
	if (run->is_fd) {
		session_stop(run->session);
		return 1;
	}
	r = mountinfo_find(m, run->path, err);
	if (r == -ENOENT || (r == 0 && !mountinfo_is_ours(m))) {
		/* Detached already: whoever is still inside loses it now. */
		session_stop(run->session);
		return 1;
	}
	if (r == 0)
		r = point_unmount(m, false, err);
	return r < 0 ? r : 1;
}

static void end_or_tell(struct run *run)
{
	int64_t end = clock_ms() + run->opt->drain_timeout_ms;
	struct pollfd over = { .fd = session_over_fd(run->session),
			       .events = POLLIN };
	struct err err = ERR_INIT;

	for (;;) {
		err_clear(&err);
		if (try_end(run, &err) > 0)
			return;
		if (err.class != ERR_CONFLICT || clock_ms() >= end)
			break;
		if (poll(&over, 1, DRAIN_STEP_MS) > 0)
			return;
	}
	log_warn("mount", "not unmounted, serving goes on: error=\"%s\"",
		 err.text);
}

static void serve(struct run *run)
{
	struct pollfd p[] = {
		{ .fd = session_over_fd(run->session), .events = POLLIN },
		{ .fd = run->signals, .events = POLLIN },
	};

	for (;;) {
		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR) {
			log_error("mount", "poll failed: error=%d", errno);
			return;
		}
		if (p[0].revents)
			return;
		if (p[1].revents && read_signal(run))
			end_or_tell(run);
	}
}

static void finish(struct run *run)
{
	control_hang_up(run->control);
	reload_stop(run->fs.reload);
	if (run->session) {
		session_stop(run->session);
		session_join(run->session);
	}
	control_free(run->control);
	reload_free(run->fs.reload);
	fs_stop(&run->fs);
	if (run->session)
		session_unmount(run->session);
	/* A stat(2) that hung has ended with the connection. */
	if (run->has_prober)
		pthread_join(run->prober, NULL);
	/* The last callbacks from below still queue notices. */
	fs_close_buckets(&run->fs);
	invalidate_free(run->fs.invalidate);
	session_free(run->session);
	fs_close(&run->fs);
	if (run->signals >= 0)
		close(run->signals);
	if (run->ready >= 0)
		close(run->ready);
}

static int run_mount(struct run *run, struct err *err)
{
	int r = start(run, err);

	if (r == 0)
		r = wait_until_ready(run, err);
	if (r == 0) {
		daemon_ready(&run->link);
		notify_send(&run->notify, "READY=1");
		log_info("mount", "serving: mountpoint=%s buckets=%zu pid=%d",
			 run->path, buckets_count(run->fs.buckets),
			 (int)getpid());
		serve(run);
		notify_send(&run->notify, "STOPPING=1");
		log_info("mount", "unmounted: mountpoint=%s", run->path);
	}
	finish(run);
	return r;
}

static int find_point(struct run *run, struct err *err)
{
	const char *given = run->opt->mountpoint;
	int r;

	run->is_fd = point_fd(given) >= 0;
	if (run->is_fd) {
		if (fcntl(point_fd(given), F_GETFD) < 0)
			return err_set(err, ERR_USAGE, EBADF,
				       "mount point %s: no such descriptor is open",
				       given);
		snprintf(run->path, sizeof(run->path), "%s", given);
		return 0;
	}
	r = mountinfo_path(run->path, given, err);
	if (r < 0)
		return r == -ENOENT ? point_missing(given, err) :
				      err_wrap(err, "mount point");
	return point_prepare(run->path, run->fs.options.nonempty, err);
}

/* Returns in the daemon too: what it could not do is said to its parent. */
static int run_daemon(struct run *run, struct err *err)
{
	int r;

	/* What the daemon says of it itself, nobody who stands here sees. */
	(void)buckets_cache_check(run->opt->settings);
	r = daemon_start(&run->link, err);
	if (r != 0)
		return r < 0 ? r : 0;
	log_init(LOG_TO_SYSLOG, log_enabled(LOG_LEVEL_DEBUG) ?
				LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	/* So that no file system is kept busy; relative paths stay right. */
	if (run->opt->settings->cache_dir[0] == '/' && chdir("/") < 0)
		log_debug("mount", "chdir failed: error=%d", errno);
	r = run_mount(run, err);
	if (r < 0) {
		daemon_failed(&run->link, err);
		_exit(EXIT_FAILURE);
	}
	return 0;
}

int mount_run(const struct mount_options *opt, struct err *err)
{
	struct run *run = calloc(1, sizeof(*run));
	int r;

	if (!run)
		return err_nomem(err);
	run->opt = opt;
	run->link.fd = run->signals = run->ready = -1;
	run->fs.mountpoint = run->path;
	/* A service that goes to the background is not of Type=notify. */
	if (opt->foreground)
		notify_init(&run->notify);
	r = fuse_options_parse(&run->fs.options, opt->fuse_options,
			       geteuid() == 0, err);
	if (r == 0)
		r = find_point(run, err);
	if (r == 0)
		r = opt->foreground ? run_mount(run, err) :
				      run_daemon(run, err);
	fuse_options_release(&run->fs.options);
	free(run);
	return r;
}
