/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An HTTP server on loopback that answers the requests that it gets, one a
 * connection, with the steps of a script in their order; the last step answers
 * all that come after it.  It keeps what it was asked.
 */
#ifndef DATASETFS_TESTS_BACKEND_SCRIPT_SERVER_H
#define DATASETFS_TESTS_BACKEND_SCRIPT_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct script_step {
	const char *status;	/* "206 Partial Content"; NULL: hangs up */
	const char *headers;	/* lines that end in "\n", or NULL */
	const char *body;	/* NULL: none */
	size_t cut_at;		/* hang up behind so many bytes of it */
	bool is_stalled;	/* ... or rather fall silent there */
	bool is_head;		/* the answer to HEAD: the length alone */
	void (*before)(void *arg);
	void *arg;
};

struct script_server;

struct script_server *script_start(const struct script_step *steps, size_t n);
void script_stop(struct script_server *server);

unsigned script_port(const struct script_server *server);

/* How many requests came so far, and the text of one, head and body. */
size_t script_count(struct script_server *server);
const char *script_request(struct script_server *server, size_t i);

#endif
