/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One question to a token endpoint, for fetch() of cred_remote.h: sent, waited
 * for, and repeated within its bounds.  The answer is at most ASK_BYTES_MAX,
 * is wiped, and is never quoted in an error.  Private to auth/.
 */
#ifndef DATASETFS_AUTH_ASK_H
#define DATASETFS_AUTH_ASK_H

#include "backends/http/http.h"

#define ASK_BYTES_MAX ((size_t)64 << 10)
#define ASK_DEPTH 16		/* of JSON */
/* For endpoints beyond this machine and its neighbours. */
#define ASK_ATTEMPT_MS 5000
#define ASK_TOTAL_MS 20000
#define ASK_ATTEMPTS 3

struct ask_reply {
	int status;
	struct buf body;	/* of any status; data is never NULL after 0 */
	struct buf headers;	/* as in struct http_response */
};
/* Wipes. */
void ask_reply_release(struct ask_reply *reply);
#define cleanup_ask_reply __attribute__((cleanup(ask_reply_release)))

struct ask {
	const char *who;	/* for errors: "STS" */
	enum http_method method;
	const char *url;
	const char *headers;	/* "name: value\n" lines, or NULL */
	const char *body;	/* or NULL */
	bool is_near;		/* on this machine or beside it: no proxy */
	unsigned attempt_ms;	/* 0: ASK_ATTEMPT_MS, and so on */
	unsigned total_ms;
	unsigned attempts;
	/*
	 * May the same question have a better answer soon?  NULL: 408, 429 and
	 * 5xx.  A connection that broke always counts.
	 */
	bool (*is_transient)(const struct ask_reply *reply);
};

/*
 * 0 with any status (*out zeroed before; release it in any case), or http.h's
 * -errno where there was no answer; the text names who.  Not from an I/O
 * thread.
 */
int ask(struct http_engine *engine, const struct ask *question,
	struct ask_reply *out, struct err *err) MUST_CHECK;
bool ask_is_transient(const struct ask_reply *reply);

/*
 * A file that somebody keeps current (a token that Kubernetes projects), to be
 * wiped with ask_wipe().  -EACCES (ERR_AUTH) where it cannot be read, is empty
 * or has a NUL; what names it in the text ("AWS_WEB_IDENTITY_TOKEN_FILE").
 */
#define ASK_FILE_MAX ((size_t)64 << 10)
int ask_file(struct buf *out, const char *what, const char *path,
	     struct err *err) MUST_CHECK;
void ask_wipe(struct buf *buf);
#define cleanup_ask_wipe __attribute__((cleanup(ask_wipe)))

/* Of a reply's or a program's text; an object, or -EBADMSG (ERR_CORRUPT). */
struct json_t;
int ask_json(struct json_t **out, const char *who, const char *text, size_t len,
	     struct err *err) MUST_CHECK;
/* A member that is a string, or NULL; borrowed. */
const char *ask_json_string(const struct json_t *object, const char *name);

#endif
