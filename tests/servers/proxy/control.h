/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests to the proxy itself, on the same port:
 *
 *	POST /__fault		a list of rules (rules.h) replaces those before
 *	GET /__fault		the rules, with "hits"
 *	POST /__latency		a number: milliseconds of round-trip time
 *	GET /__stats[?prefix=/BUCKET/...]	sums of ended requests (tally.h)
 *	GET /__log		the last exchanges
 *	POST /__reset		no rules, no latency, all sums 0
 */
#ifndef DATASETFS_TESTS_PROXY_CONTROL_H
#define DATASETFS_TESTS_PROXY_CONTROL_H

#include "backends/base/buf.h"

bool control_is_for(const char *target);

/* Appends a whole HTTP answer to *out. */
void control_answer(struct buf *out, const char *method, const char *target,
		    const char *body, size_t body_len);

/* An HTTP answer; no body is sent, but its length is told, for HEAD. */
void control_respond(struct buf *out, int status, const char *type,
		     const char *body, bool head_only);

#endif
