/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What passed: totals, one sum a path (without query), and a log of the last
 * exchanges.
 */
#ifndef DATASETFS_TESTS_PROXY_TALLY_H
#define DATASETFS_TESTS_PROXY_TALLY_H

#include <stdint.h>
#include <jansson.h>

#define TALLY_LOG_MAX 20000

struct exchange {
	char *method, *target, *range;
	int status;		/* as the client saw it; 0: none */
	uint64_t sent;		/* bytes of body to the client */
	uint64_t received;	/* bytes of body from the client */
	int64_t start_ms, end_ms;
	json_int_t rule;	/* -1: none */
	unsigned line;		/* which connection */
};

void tally_connection(void);
void tally_begin(void);
/* Takes what the exchange holds; it is empty after. */
void tally_end(struct exchange *exchange);
void tally_reset(void);

/* Of all paths, or of those that begin with prefix. */
json_t *tally_json(const char *prefix);
json_t *tally_log_json(void);

#endif
