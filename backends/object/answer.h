/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answer to an operation is worth, in every dialect of HTTP stores:
 * where its body goes, whether it is the range that was asked for, and what a
 * broken one means.  A dialect's judge asks here with a 2xx or a transport's
 * failure; refusals are its own (ruling.h).
 *
 * Each attempt asks for the whole of what is wanted: no byte of one that
 * failed is in what a later one returns, since nobody knows what broke it.
 */
#ifndef DATASETFS_OBJECT_ANSWER_H
#define DATASETFS_OBJECT_ANSWER_H

#include "backends/backend_impl.h"
#include "backends/http/exchange.h"
#include "backends/object/ruling.h"

/* No byte for so long ends an attempt, not the call. */
#define ANSWER_STALL_MS 5000
#define ANSWER_STALL_PUT_MS 20000
/* Completing may take a store minutes, though it should send white space. */
#define ANSWER_STALL_COMPLETE_MS 60000

#define ANSWER_LIST_MAX (16 << 20)
#define ANSWER_REPLY_MAX (64 << 10)	/* of everything that is no list */
/* An unreadable answer again and again is what the store has to say. */
#define ANSWER_MALFORMED_MAX 3

/*
 * Where the body of an attempt goes: what an earlier one left there is gone.
 * reply takes what is parsed.
 */
void answer_route(struct http_request *rq, struct backend_op *op,
		  struct buf *reply);
/* Back to len bytes: what an attempt has left behind is no answer. */
void answer_cut(struct buf *buf, size_t len);

/* *out = r, done. */
enum exchange_verdict answer_end(int *out, int r);
/*
 * An answer that makes no sense may do so when asked again: retries -EBADMSG
 * until the op has had ANSWER_MALFORMED_MAX of them.
 */
enum exchange_verdict answer_malformed(struct backend_op *op, int r, int *out);

/*
 * 2xx to a range, to the question for a whole object, to HEAD, to a put or a
 * part (which must have an etag).  They fill in op->info.
 */
enum exchange_verdict answer_range(struct backend_op *op,
				   struct http_response *rs, int *out,
				   struct err *err);
enum exchange_verdict answer_whole(struct backend_op *op,
				   struct http_response *rs, int *out,
				   struct err *err);
enum exchange_verdict answer_head(struct backend_op *op,
				  struct http_response *rs, int *out);
enum exchange_verdict answer_put(struct backend_op *op,
				 struct http_response *rs, int *out,
				 struct err *err);

/* The etag alone: of a completed upload. */
void answer_take_etag(struct backend_op *op, const struct http_response *rs);

/*
 * r < 0 of http, but for a refusal whose body was too long.  is_beside: it was
 * no attempt at the op itself.
 */
enum exchange_verdict answer_broken(struct backend_op *op, bool is_beside,
				    int r, struct http_response *rs, int *out,
				    struct err *err);

/* The first answer's Date tells the store's clock; it is for people only. */
void answer_note_clock(struct backend *b, const struct http_response *rs);

/*
 * Describes a refusal: the status, the store's code ("": a word for the
 * status), advice ("" or ": what to do"), the request's id for the store's
 * support.  Returns -ruling->code.
 */
int answer_refused(const struct ruling *ruling, const struct http_response *rs,
		   const char *code, const char *advice, struct err *err);

#endif
