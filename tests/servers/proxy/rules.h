/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes wrong, for which requests.  A rule is a JSON object; all members
 * are optional, and one that is not known is refused, as a test with a
 * misspelt fault would pass for the wrong reason.
 *
 * Which requests (the first rule that matches is the one used):
 *	method		"GET"
 *	path		extended regular expression on the target with query
 *	range		the same on the Range header; no header never matches
 *	after		the first N that match are left alone (0)
 *	times		then N are hit (all)
 *	every		of those only each N-th (1)
 * What happens to the request:
 *	delay_ms	held before it goes on
 *	drop		true: the connection ends without an answer
 *	status		answered by the proxy; body: its text
 * What happens to the answer (offsets in bytes of its body on the wire):
 *	ttfb_ms		held before its first byte
 *	headers		{"ETag": "x", "Content-Range": null}: set or taken out
 *	stall_ms, stall_at	held after stall_at (0) bytes
 *	rate		bytes a second
 *	cut_at		the connection is closed after so many
 *	reset_at	the same, by RST
 *	short		announces and sends only so many: a whole, shorter answer
 *	corrupt_at	one bit of that byte is flipped
 */
#ifndef DATASETFS_TESTS_PROXY_RULES_H
#define DATASETFS_TESTS_PROXY_RULES_H

#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>

#define RULE_NO_OFFSET UINT64_MAX

struct rule {
	json_int_t index;
	json_int_t delay_ms, ttfb_ms, stall_ms, rate, status;
	uint64_t stall_at, cut_at, reset_at, short_to, corrupt_at;
	bool drop;
	const char *body;	/* borrowed from the rules; may be NULL */
	json_t *headers;	/* the same */
};

/* Replaces the rules.  NULL, or what is wrong with them (a static text). */
const char *rules_set(const json_t *list);

/*
 * The rule for a request, counted as used; false: none.  range may be NULL.
 * What *out borrows lives until rules_set(): so headers and body are used
 * only while rules_generation() is what it was.
 */
bool rules_match(struct rule *out, const char *method, const char *target,
		 const char *range);
unsigned rules_generation(void);

/* The rules with "hits"; the caller's reference. */
json_t *rules_json(void);

#endif
