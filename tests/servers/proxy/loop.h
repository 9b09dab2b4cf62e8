/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a line needs from the program's one loop: events of its two sockets,
 * and being run again at a time.
 */
#ifndef DATASETFS_TESTS_PROXY_LOOP_H
#define DATASETFS_TESTS_PROXY_LOOP_H

#include <stdint.h>
#include <netinet/in.h>

struct line;

struct endpoint {
	struct line *line;
	int fd;			/* -1: none */
	uint32_t wanted;	/* as epoll has it now */
	bool is_watched;
};

/* events 0: the socket is not watched at all, also not for its end. */
void loop_watch(struct endpoint *endpoint, uint32_t events);
/* Milliseconds on the monotonic clock, the same for one round. */
int64_t loop_now_ms(void);

extern struct sockaddr_in loop_upstream;
extern int64_t loop_latency_ms;

#endif
