/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libcurl wants to hear of its sockets, in epoll's terms.
 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool remember(struct http_thread *t, int fd, uint32_t events)
{
	size_t need = (size_t)fd + 1;
	size_t cap = t->watched_cap ? t->watched_cap : 64;
	uint32_t *grown;

	while (cap < need)
		cap *= 2;
	if (cap > t->watched_cap) {
		grown = realloc(t->watched, cap * sizeof(*grown));
		if (!grown)
			return false;
		memset(grown + t->watched_cap, 0,
		       (cap - t->watched_cap) * sizeof(*grown));
		t->watched = grown;
		t->watched_cap = cap;
	}
	t->watched[fd] = events;
	return true;
}

static int watch(struct http_thread *t, int op, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(t->epoll_fd, op, fd, &event);
}

/*
 * libcurl may have closed the socket already, and the number may be another
 * thread's by now: the kernel finds no such pair in our epoll and refuses.
 * ThreadSanitizer would call that a race, so it is not shown the call.
 */
static void forget(struct http_thread *t, int fd)
{
	(void)syscall(SYS_epoll_ctl, t->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	t->watched[fd] = 0;
}

/*
 * While it connects, libcurl (7.88 at least) closes an address that failed
 * without a word, and where the next one's socket gets the same number it
 * takes what was watched for watched still.
 */
void http_watch_opened(struct http_thread *t, int fd)
{
	if (fd >= 0 && (size_t)fd < t->watched_cap && t->watched[fd])
		(void)watch(t, EPOLL_CTL_ADD, fd, t->watched[fd]);
}

int http_watch_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
		      void *unused)
{
	struct http_thread *t = arg;
	uint32_t events = 0;
	bool is_known = (size_t)fd < t->watched_cap && t->watched[fd];
	struct http_transfer *x = NULL;

	(void)unused;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &x);
	if (x && is_known == (what == CURL_POLL_REMOVE))
		x->n_sockets += is_known ? -1 : 1;
	if (what == CURL_POLL_REMOVE) {
		if (is_known)
			forget(t, fd);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	if (!remember(t, fd, events))
		return -1;
	/* Known to us and not to the kernel: closed and opened meanwhile. */
	if (is_known && watch(t, EPOLL_CTL_MOD, fd, events) == 0)
		return 0;
	return watch(t, EPOLL_CTL_ADD, fd, events);
}

/*
 * libcurl (7.88 at least), after an address that refused, goes to the next one
 * only when a timer brings it there, up to seconds later.  A transfer without
 * any socket is at that point, and this is the call that looks at all.
 */
void http_watch_nudge(struct http_thread *t)
{
	int running;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	(void)curl_multi_socket_all(t->multi, &running);
#pragma GCC diagnostic pop
}
