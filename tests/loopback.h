/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tiny HTTP/1.1 server on 127.0.0.1 for tests of the engine: it reads whole
 * requests, and the test writes the answers byte for byte, wrong ones too.
 * One thread a connection; everything ends with loopback_stop().
 *
 *	static int serve(struct loopback *lb, struct loopback_call *call)
 *	{
 *		loopback_send(call, "HTTP/1.1 204 No Content\r\n\r\n");
 *		return LOOPBACK_KEEP;
 *	}
 */
#ifndef DATASETFS_TESTS_LOOPBACK_H
#define DATASETFS_TESTS_LOOPBACK_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOPBACK_CONNECTIONS_MAX 1024
#define LOOPBACK_HEAD_MAX (64 << 10)

enum { LOOPBACK_KEEP, LOOPBACK_CLOSE, LOOPBACK_RESET };

struct loopback;

struct loopback_call {
	int fd;
	unsigned nth;		/* of its connection, from 0 */
	char *head;		/* request line and headers, terminated */
	const char *path;	/* in a copy of the request line */
	char *body;
	size_t body_len;
};

typedef int (*loopback_fn)(struct loopback *lb, struct loopback_call *call);

struct loopback {
	int fd;
	int port;
	pthread_t thread;
	loopback_fn serve;
	bool keeps_bodies_unread;	/* serve() is called behind the head */
	atomic_bool is_stopping;
	atomic_int is_faulty;		/* for serve() to read */
	atomic_uint connections;
	atomic_uint requests;
	pthread_t threads[LOOPBACK_CONNECTIONS_MAX];
	atomic_int fds[LOOPBACK_CONNECTIONS_MAX];
};

struct loopback_connection {
	struct loopback *lb;
	unsigned index;
	int fd;
};

/* False when the client has gone. */
static inline bool loopback_write(struct loopback_call *call, const void *data,
				  size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(call->fd, (const char *)data + done,
				 len - done, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static inline bool loopback_send(struct loopback_call *call, const char *text)
{
	return loopback_write(call, text, strlen(text));
}

/* A whole response with that status and body. */
static inline int loopback_answer(struct loopback_call *call, int status,
				  const char *headers, const char *body,
				  size_t len)
{
	char head[1024];

	(void)snprintf(head, sizeof(head),
		       "HTTP/1.1 %d Whatever\r\n%sContent-Length: %zu\r\n\r\n",
		       status, headers, len);
	if (!loopback_send(call, head) || !loopback_write(call, body, len))
		return LOOPBACK_CLOSE;
	return LOOPBACK_KEEP;
}

static inline size_t loopback_length(const char *head)
{
	const char *line = strcasestr(head, "\r\ncontent-length:");

	return line ? strtoul(line + 17, NULL, 10) : 0;
}

static inline bool loopback_read_body(struct loopback_call *call)
{
	size_t done = 0;

	if (strcasestr(call->head, "\r\nexpect: 100-continue") &&
	    !loopback_send(call, "HTTP/1.1 100 Continue\r\n\r\n"))
		return false;
	call->body_len = loopback_length(call->head);
	call->body = calloc(1, call->body_len + 1);
	while (call->body && done < call->body_len) {
		ssize_t n = recv(call->fd, call->body + done,
				 call->body_len - done, 0);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return call->body;
}

/* Byte by byte, so that nothing behind the head is taken. */
static inline bool loopback_read_head(struct loopback_call *call)
{
	size_t len = 0;

	while (len < LOOPBACK_HEAD_MAX) {
		if (recv(call->fd, call->head + len, 1, 0) <= 0)
			return false;
		len++;
		call->head[len] = '\0';
		if (len >= 4 && !memcmp(call->head + len - 4, "\r\n\r\n", 4))
			return true;
	}
	return false;
}

static inline int loopback_call_once(struct loopback *lb, int fd, unsigned nth)
{
	struct loopback_call call = { .fd = fd, .nth = nth };
	char line[2048] = "";
	char *space;
	int what = LOOPBACK_CLOSE;

	call.head = malloc(LOOPBACK_HEAD_MAX + 1);
	if (call.head && loopback_read_head(&call) &&
	    (lb->keeps_bodies_unread || loopback_read_body(&call))) {
		(void)sscanf(call.head, "%*s %2047[^\r]", line);
		space = strrchr(line, ' ');
		if (space)
			*space = '\0';
		call.path = line;
		atomic_fetch_add(&lb->requests, 1);
		what = lb->serve(lb, &call);
	}
	free(call.head);
	free(call.body);
	return what;
}

static inline void *loopback_connection_run(void *arg)
{
	struct loopback_connection *c = arg;
	struct linger at_once = { .l_onoff = 1 };
	int what = LOOPBACK_KEEP;
	int one = 1;

	/* A body behind its head does not wait for an acknowledgement. */
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (unsigned n = 0; what == LOOPBACK_KEEP; n++)
		what = loopback_call_once(c->lb, c->fd, n);
	if (what == LOOPBACK_RESET)
		(void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once,
				 sizeof(at_once));
	/* Before the number can be another connection's. */
	atomic_store(&c->lb->fds[c->index], -1);
	(void)close(c->fd);
	free(c);
	return NULL;
}

static inline void *loopback_run(void *arg)
{
	struct loopback *lb = arg;

	for (;;) {
		int fd = accept(lb->fd, NULL, NULL);
		unsigned i = atomic_load(&lb->connections);
		struct loopback_connection *c;

		if (fd < 0 || atomic_load(&lb->is_stopping) ||
		    i == LOOPBACK_CONNECTIONS_MAX) {
			if (fd >= 0)
				(void)close(fd);
			return NULL;
		}
		c = malloc(sizeof(*c));
		if (!c)
			abort();
		*c = (struct loopback_connection){ lb, i, fd };
		atomic_store(&lb->fds[i], fd);
		if (pthread_create(&lb->threads[i], NULL,
				   loopback_connection_run, c))
			abort();
		atomic_store(&lb->connections, i + 1);
	}
}

/* Port 0: any that is free. */
static inline void loopback_start_at(struct loopback *lb, loopback_fn serve,
				     const char *at, int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = inet_addr(at),
		.sin_port = htons((uint16_t)port),
	};
	socklen_t len = sizeof(address);

	lb->serve = serve;
	lb->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (lb->fd < 0 || bind(lb->fd, (struct sockaddr *)&address, len) ||
	    listen(lb->fd, 1024) ||
	    getsockname(lb->fd, (struct sockaddr *)&address, &len) ||
	    pthread_create(&lb->thread, NULL, loopback_run, lb)) {
		perror("loopback");
		abort();
	}
	lb->port = ntohs(address.sin_port);
}

static inline void loopback_start(struct loopback *lb, loopback_fn serve)
{
	loopback_start_at(lb, serve, "127.0.0.1", 0);
}

static inline void loopback_stop(struct loopback *lb)
{
	atomic_store(&lb->is_stopping, true);
	(void)shutdown(lb->fd, SHUT_RDWR);
	(void)pthread_join(lb->thread, NULL);
	(void)close(lb->fd);
	for (unsigned i = 0; i < atomic_load(&lb->connections); i++) {
		int fd = atomic_load(&lb->fds[i]);

		if (fd >= 0)
			(void)shutdown(fd, SHUT_RDWR);
		(void)pthread_join(lb->threads[i], NULL);
	}
}

#endif
