/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "backends/base/log.h"
#include "fs/mount/point/point.h"

#define SESSION_STACK ((size_t)512 << 10)
#define SESSION_WORDS_MAX 512
/* Interrupts read(2) of /dev/fuse; nobody else uses it here. */
#define SESSION_WAKE_SIGNAL SIGUSR2
#define SESSION_WAKE_MS 50

struct session {
	struct fuse_session *fuse;
	pthread_t threads[FUSE_OPTIONS_THREADS_MAX];
	unsigned n_threads;
	unsigned n_running;	/* atomic */
	int over;		/* eventfd */
	int is_stopping;	/* atomic */
};

static void log_libfuse(enum fuse_log_level level, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static void log_libfuse(enum fuse_log_level level, const char *fmt, va_list ap)
{
	char line[SESSION_WORDS_MAX];
	int n;

	(void)level;
	n = vsnprintf(line, sizeof(line), fmt, ap);
	while (n > 0 && n < (int)sizeof(line) && line[n - 1] == '\n')
		line[--n] = '\0';
	log_warn("fuse", "libfuse: text=\"%s\"", line);
}

/* libfuse and fusermount3 say what is wrong on stderr only. */
struct words {
	int file, saved;
};

static int words_begin(struct words *w, struct err *err)
{
	int r;

	w->file = memfd_create("libfuse", MFD_CLOEXEC);
	if (w->file < 0)
		return err_errno(err, errno, "memfd_create");
	fflush(stderr);
	w->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (w->saved >= 0 && dup2(w->file, STDERR_FILENO) >= 0)
		return 0;
	/* Without a way back stderr stays: what failed is told there. */
	r = err_errno(err, errno, "dup of stderr");
	if (w->saved >= 0)
		close(w->saved);
	close(w->file);
	return r;
}

static void words_end(struct words *w, char out[SESSION_WORDS_MAX])
{
	fflush(stderr);
	(void)dup2(w->saved, STDERR_FILENO);
	close(w->saved);
	point_words(w->file, out, SESSION_WORDS_MAX);
	close(w->file);
}

static int session_mount(struct session *s, struct fs *fs, const char *path,
			 struct err *err)
{
	char *argv[] = { (char *)"datasetfs", (char *)"-o",
			 fs->options.kernel.data, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	char text[SESSION_WORDS_MAX];
	struct words words = { .file = -1, .saved = -1 };
	bool is_mounted = false;
	int r;

	r = words_begin(&words, err);
	if (r < 0)
		return r;
	s->fuse = fuse_session_new(&args, &fs_operations,
				   sizeof(fs_operations), fs);
	if (s->fuse)
		is_mounted = fuse_session_mount(s->fuse, path) == 0;
	fuse_opt_free_args(&args);
	words_end(&words, text);
	if (!is_mounted)
		return err_set(err, ERR_SYSTEM, EIO, "mount %s: %s", path,
			       text[0] ? text : "FUSE refused without a word");
	if (text[0])
		log_warn("fuse", "libfuse: text=\"%s\"", text);
	return 0;
}

int session_new(struct session **out, struct fs *fs, const char *path,
		struct err *err)
{
	struct session *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_nomem(err);
	s->over = eventfd(0, EFD_CLOEXEC);
	r = s->over < 0 ? err_errno(err, errno, "eventfd") :
			  session_mount(s, fs, path, err);
	if (r < 0) {
		session_free(s);
		return r;
	}
	fuse_set_log_func(log_libfuse);
	fs->session = s->fuse;
	*out = s;
	return 0;
}

void session_unmount(struct session *s)
{
	fuse_session_unmount(s->fuse);
}

void session_free(struct session *s)
{
	if (!s)
		return;
	if (s->fuse)
		fuse_session_destroy(s->fuse);
	if (s->over >= 0)
		close(s->over);
	free(s);
}

static void *session_main(void *arg)
{
	static const uint64_t one = 1;
	struct session *s = arg;
	struct fuse_buf buf = { .mem = NULL };

	while (!__atomic_load_n(&s->is_stopping, __ATOMIC_ACQUIRE) &&
	       !fuse_session_exited(s->fuse)) {
		int r = fuse_session_receive_buf(s->fuse, &buf);

		if (r == -EINTR || r == -EAGAIN)
			continue;
		if (r <= 0)
			break;
		fuse_session_process_buf(s->fuse, &buf);
	}
	free(buf.mem);
	if (__atomic_sub_fetch(&s->n_running, 1, __ATOMIC_ACQ_REL) == 0 &&
	    write(s->over, &one, sizeof(one)) != sizeof(one))
		log_error("mount", "cannot say that the mount is over: error=%d",
			  errno);
	return NULL;
}

static void wake(int sig)
{
	(void)sig;
}

int session_start(struct session *s, unsigned threads, struct err *err)
{
	struct sigaction action = { .sa_handler = wake };
	pthread_attr_t attr;
	int r = 0;

	if (sigaction(SESSION_WAKE_SIGNAL, &action, NULL) < 0)
		return err_errno(err, errno, "sigaction");
	if (pthread_attr_init(&attr) != 0)
		return err_nomem(err);
	(void)pthread_attr_setstacksize(&attr, SESSION_STACK);
	/* All are counted first: an early end of one is not the end of all. */
	__atomic_store_n(&s->n_running, threads, __ATOMIC_RELEASE);
	while (s->n_threads < threads && !r) {
		r = pthread_create(&s->threads[s->n_threads], &attr,
				   session_main, s);
		if (!r)
			s->n_threads++;
	}
	pthread_attr_destroy(&attr);
	if (!r)
		return 0;
	__atomic_sub_fetch(&s->n_running, threads - s->n_threads,
			   __ATOMIC_ACQ_REL);
	return err_errno(err, r, "start a FUSE thread");
}

int session_over_fd(const struct session *s)
{
	return s->over;
}

void session_stop(struct session *s)
{
	struct pollfd over = { .fd = s->over, .events = POLLIN };

	__atomic_store_n(&s->is_stopping, 1, __ATOMIC_RELEASE);
	fuse_session_exit(s->fuse);
	/* Again and again: a signal just before read(2) is lost. */
	while (__atomic_load_n(&s->n_running, __ATOMIC_ACQUIRE) &&
	       poll(&over, 1, 0) == 0) {
		for (unsigned i = 0; i < s->n_threads; i++)
			(void)pthread_kill(s->threads[i], SESSION_WAKE_SIGNAL);
		(void)poll(&over, 1, SESSION_WAKE_MS);
	}
}

void session_join(struct session *s)
{
	for (unsigned i = 0; i < s->n_threads; i++)
		(void)pthread_join(s->threads[i], NULL);
	s->n_threads = 0;
}
