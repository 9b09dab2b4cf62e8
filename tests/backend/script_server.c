/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/script_server.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "backends/base/buf.h"
#include "backends/base/lock.h"

#define REQUESTS_MAX 512

/* lock guards requests and n. */
struct script_server {
	const struct script_step *steps;
	size_t n_steps;
	int fd;
	unsigned port;
	pthread_t thread;
	struct lock lock;
	char *requests[REQUESTS_MAX];
	size_t n;
};

static void broken(const char *what)
{
	perror(what);
	exit(99);
}

static size_t content_length(const char *head)
{
	const char *p = strcasestr(head, "\ncontent-length:");

	return p ? strtoul(p + strlen("\ncontent-length:"), NULL, 10) : 0;
}

/* Head and body, as text; NULL where the client has gone. */
static char *read_request(int fd)
{
	struct buf rq = BUF_INIT;
	size_t want = SIZE_MAX;
	char chunk[65536];

	while (rq.len < want) {
		ssize_t n = read(fd, chunk, sizeof(chunk));
		const char *end;

		if (n <= 0) {
			buf_release(&rq);
			return NULL;
		}
		buf_bytes(&rq, chunk, (size_t)n);
		end = strstr(rq.data, "\r\n\r\n");
		if (want == SIZE_MAX && end)
			want = (size_t)(end + 4 - rq.data) +
			       content_length(rq.data);
		if (end && strcasestr(rq.data, "\nexpect: 100-continue"))
			(void)!write(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	}
	return buf_steal(&rq);
}

static void send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		len -= (size_t)n;
	}
}

static void answer(int fd, const struct script_step *step)
{
	size_t len = step->body ? strlen(step->body) : 0;
	struct buf head = BUF_INIT;

	if (step->before)
		step->before(step->arg);
	if (!step->status)
		return;
	buf_printf(&head, "HTTP/1.1 %s\r\nConnection: close\r\n",
		   step->status);
	for (const char *p = step->headers ? step->headers : ""; *p; p++)
		if (*p == '\n')
			buf_str(&head, "\r\n");
		else
			buf_char(&head, *p);
	if (!strstr(head.data, "Content-Length:") &&
	    !strstr(head.data, "Transfer-Encoding:") &&
	    strncmp(step->status, "204", 3) != 0)
		buf_printf(&head, "Content-Length: %zu\r\n", len);
	buf_str(&head, "\r\n");
	send_all(fd, head.data, head.len);
	if (!step->is_head)
		send_all(fd, step->body,
			 step->cut_at && step->cut_at < len ? step->cut_at :
							      len);
	buf_release(&head);
	/* Until the client has had enough. */
	if (step->is_stalled)
		(void)!read(fd, &(char){ 0 }, 1);
}

static void serve(struct script_server *s, int fd)
{
	char *rq = read_request(fd);
	size_t i;

	if (!rq)
		return;
	lock_take(&s->lock);
	if (s->n == REQUESTS_MAX)
		broken("too many requests");
	i = s->n++;
	s->requests[i] = rq;
	lock_drop(&s->lock);
	answer(fd, &s->steps[i < s->n_steps ? i : s->n_steps - 1]);
}

static void *run(void *arg)
{
	struct script_server *s = arg;
	int fd;

	while ((fd = accept(s->fd, NULL, NULL)) >= 0) {
		serve(s, fd);
		(void)shutdown(fd, SHUT_WR);
		(void)close(fd);
	}
	return NULL;
}

struct script_server *script_start(const struct script_step *steps, size_t n)
{
	struct script_server *s = calloc(1, sizeof(*s));
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);

	if (!s)
		broken("calloc");
	lock_init(&s->lock);
	s->steps = steps;
	s->n_steps = n;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->fd < 0 || bind(s->fd, (void *)&at, sizeof(at)) < 0 ||
	    listen(s->fd, 64) < 0 ||
	    getsockname(s->fd, (void *)&at, &len) < 0)
		broken("listen");
	s->port = ntohs(at.sin_port);
	if (pthread_create(&s->thread, NULL, run, s) != 0)
		broken("thread");
	return s;
}

void script_stop(struct script_server *s)
{
	(void)shutdown(s->fd, SHUT_RDWR);
	(void)pthread_join(s->thread, NULL);
	(void)close(s->fd);
	for (size_t i = 0; i < s->n; i++)
		free(s->requests[i]);
	lock_release(&s->lock);
	free(s);
}

unsigned script_port(const struct script_server *s)
{
	return s->port;
}

size_t script_count(struct script_server *s)
{
	size_t n;

	lock_take(&s->lock);
	n = s->n;
	lock_drop(&s->lock);
	return n;
}

const char *script_request(struct script_server *s, size_t i)
{
	const char *rq;

	lock_take(&s->lock);
	rq = i < s->n ? s->requests[i] : "";
	lock_drop(&s->lock);
	return rq;
}
