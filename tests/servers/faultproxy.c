/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP proxy on loopback that delays, cuts, changes and counts: what tests
 * put between the program and a real store.
 *
 *	faultproxy [-p PORT] [-l MS] [-d] HOST:PORT
 *
 *	-p	listen there (a free port unless given)
 *	-l	milliseconds of round-trip time to begin with
 *	-d	end with the process that started it
 *
 * Prints "listening 127.0.0.1:PORT".  What goes wrong is set over HTTP: see
 * proxy/control.h and proxy/rules.h.
 *
 * One thread.  Bodies go from socket to socket by splice(2), so that it passes
 * what the server gives.  Latency is one round trip before each request and
 * one more for the first on a connection, which is what HTTP/1.1 without
 * pipelining sees of a distant server; windows and loss are not modelled.
 */
#include <config.h>
#include "tests/servers/proxy/line.h"

#include "backends/base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define EVENTS 256

struct sockaddr_in loop_upstream;
int64_t loop_latency_ms;

static int epoll_fd;
static int64_t now_ms;
static struct line *lines;

int64_t loop_now_ms(void)
{
	return now_ms;
}

void loop_watch(struct endpoint *endpoint, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = endpoint };
	int verb = EPOLL_CTL_MOD;

	if (endpoint->is_watched && endpoint->wanted == events && events)
		return;
	if (!events && !endpoint->is_watched)
		return;
	if (!events)
		verb = EPOLL_CTL_DEL;
	else if (!endpoint->is_watched)
		verb = EPOLL_CTL_ADD;
	if (epoll_ctl(epoll_fd, verb, endpoint->fd, &event) < 0) {
		perror("faultproxy: epoll_ctl");
		abort();
	}
	endpoint->is_watched = events != 0;
	endpoint->wanted = events;
}

static void accept_all(int listener)
{
	int on = 1, fd;

	while ((fd = accept4(listener, NULL, NULL,
			     SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct line *line = line_new(fd);

		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		*line_next(line) = lines;
		lines = line;
		line_run(line);
	}
}

static int next_timeout(void)
{
	int64_t first = INT64_MAX;

	for (struct line *line = lines; line; line = *line_next(line))
		if (line_wake_ms(line) < first)
			first = line_wake_ms(line);
	if (first == INT64_MAX)
		return -1;
	return first > now_ms ? (int)(first - now_ms) : 0;
}

static void run_due(void)
{
	for (struct line *line = lines; line; line = *line_next(line))
		if (line_wake_ms(line) <= now_ms)
			line_run(line);
}

static void free_ended(void)
{
	struct line **place = &lines;

	while (*place) {
		struct line *line = *place;

		if (line_is_over(line)) {
			*place = *line_next(line);
			line_free(line);
		} else {
			place = line_next(line);
		}
	}
}

static void handle(const struct epoll_event *event, int listener)
{
	struct endpoint *endpoint = event->data.ptr;

	if (!endpoint)
		accept_all(listener);
	else if (line_is_over(endpoint->line))
		return;
	else if (event->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP))
		line_hung_up(endpoint->line, endpoint);
	else
		line_run(endpoint->line);
}

static int listen_on(int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);
	int on = 1;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, len) < 0 ||
	    listen(fd, 1024) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
		perror("faultproxy: listen");
		exit(1);
	}
	printf("listening 127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

static void parse_upstream(char *text)
{
	char *colon = strrchr(text, ':');

	if (!colon) {
		fprintf(stderr, "faultproxy: %s: not HOST:PORT\n", text);
		exit(2);
	}
	*colon = '\0';
	loop_upstream.sin_family = AF_INET;
	loop_upstream.sin_port = htons(atoi(colon + 1));
	if (inet_pton(AF_INET, text, &loop_upstream.sin_addr) != 1) {
		fprintf(stderr, "faultproxy: %s: not an IPv4 address\n", text);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	struct epoll_event event = { .events = EPOLLIN };
	struct rlimit files;
	int port = 0, option, listener;

	while ((option = getopt(argc, argv, "p:l:d")) != -1) {
		if (option == 'p')
			port = atoi(optarg);
		else if (option == 'l')
			loop_latency_ms = atoi(optarg);
		else if (option == 'd')
			prctl(PR_SET_PDEATHSIG, SIGTERM);
		else
			return 2;
	}
	if (optind + 1 != argc) {
		fprintf(stderr, "usage: faultproxy [-p PORT] [-l MS] [-d] "
				"HOST:PORT\n");
		return 2;
	}
	parse_upstream(argv[optind]);
	signal(SIGPIPE, SIG_IGN);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	listener = listen_on(port);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event) < 0)
		return 1;

	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, next_timeout());

		if (n < 0 && errno != EINTR)
			return 1;
		now_ms = clock_ms();
		for (int i = 0; i < n; i++)
			handle(&events[i], listener);
		run_due();
		free_ended();
	}
}
