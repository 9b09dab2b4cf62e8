/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes in somebody else's store.  A struct backend is one location (a
 * container and a key prefix, or a local directory) opened with one identity.
 * Keys are relative to the location: "ID/hashes/abc" below "s3://b/p" is the
 * object "p/ID/hashes/abc".
 *
 * Every operation is asynchronous: it copies what it needs of the request
 * (keys, conditions), borrows the data buffers until done, and calls done()
 * exactly once, on a thread of the backend's own, never from inside the call.
 * done() must not block; it may start other operations.  An operation has
 * always ended by its deadline (and a little: BACKEND_GRACE_MS); retries
 * happen inside, here and nowhere above.
 *
 * Any thread may call.  Objects are reference-counted; free waits for nothing:
 * an operation in flight holds a reference of its own.
 *
 * It must not know: datasets, manifests, caches, FUSE.
 */
#ifndef DATASETFS_BACKENDS_BACKEND_H
#define DATASETFS_BACKENDS_BACKEND_H

#include <stdint.h>
#include <string.h>
#include "backends/base/buf.h"
#include "backends/uri.h"

struct backend;
struct http_engine;
struct cred_source;

#define BACKEND_GRACE_MS 500
#define BACKEND_ETAG_MAX 256	/* bytes with NUL; longer ones are refused */
#define BACKEND_FILE_ETAG_LEN 40 /* digits of file://'s; an MD5 has 32 */
#define BACKEND_GENERATION_MAX 20 /* digits of an int64, and NUL */
#define BACKEND_KEY_MAX 1024	/* bytes of a whole key, as S3, GCS, Azure */
#define BACKEND_REGION_MAX 64	/* bytes with NUL */
#define BACKEND_SIZE_UNKNOWN UINT64_MAX

/* What is known of an object after an operation. */
struct object_info {
	uint64_t size;			/* whole object; BACKEND_SIZE_UNKNOWN */
	char etag[BACKEND_ETAG_MAX];	/* opaque validator without quotes; "" */
	/* Google's: a number that no two contents of a key share; "" */
	char generation[BACKEND_GENERATION_MAX];
	int64_t mtime_s;		/* 0 where unknown */
};

/*
 * The validator to keep and to send back: what every if_match below takes.  A
 * generation where the store has them, as Google's writes know no other and
 * its reads stay exact by it where an ETag may come back; else the ETag; "".
 */
static inline const char *object_validator(const struct object_info *info)
{
	return info->generation[0] ? info->generation : info->etag;
}

/* Is it what this validator, of either kind, was of? */
static inline bool object_is(const struct object_info *info,
			     const char *validator)
{
	return !strcmp(info->generation, validator) ||
	       !strcmp(info->etag, validator);
}

/* r: 0 or -errno with *err set; info is valid when r is 0. */
typedef void (*backend_done_fn)(void *arg, int r,
				const struct object_info *info,
				const struct err *err);

struct backend_get {
	const char *key;
	uint64_t offset;
	size_t len;		/* exactly this many bytes are delivered ... */
	void *dst;		/* ... here */
	const char *if_match;	/* NULL or a validator: else -ESTALE */
	uint64_t expect_size;	/* whole size, or BACKEND_SIZE_UNKNOWN */
	int64_t deadline_ms;	/* clock_ms() time */
};
/*
 * A range.  Errors: ERR_MISSING -ENOENT; ERR_CONFLICT -ESTALE (if_match does
 * not hold any more); ERR_CORRUPT -EBADMSG (the object's size is not
 * expect_size, the range ends beyond the object, or the server answered
 * another range); ERR_AUTH -EACCES; ERR_RETRY -ETIMEDOUT or -EIO at the
 * deadline.  len 0 is refused (-EINVAL): nobody asks a store for nothing.
 */
void backend_get(struct backend *b, const struct backend_get *get,
		 backend_done_fn done, void *arg);

/*
 * The whole of a small object, appended to *out, which must stay valid until
 * done.  ERR_CORRUPT -EFBIG above limit.
 */
void backend_get_all(struct backend *b, const char *key, size_t limit,
		     struct buf *out, int64_t deadline_ms,
		     backend_done_fn done, void *arg);

void backend_head(struct backend *b, const char *key, int64_t deadline_ms,
		  backend_done_fn done, void *arg);

struct backend_put {
	const char *key;
	const void *data;
	size_t len;
	const char *content_type;	/* NULL: application/octet-stream */
	bool create_only;		/* else -EEXIST (ERR_CONFLICT) */
	const char *if_match;		/* NULL or a validator: else -ESTALE */
	int64_t deadline_ms;
	bool is_spoiled;	/* backend_probe()'s own: with another MD5 than
				   the data's; -EBADMSG where that is noticed */
};
/*
 * One whole object.  info has the new validator.  A time-out or a reset
 * is retried, so with a condition the loser may be our own earlier try: the
 * caller reads back and compares before it believes -EEXIST or -ESTALE.
 * -ENOTSUP where the store cannot hold the condition (see backend_probe).
 */
void backend_put(struct backend *b, const struct backend_put *put,
		 backend_done_fn done, void *arg);

/*
 * if_match NULL: unconditional.  A missing key is success (idempotent); but a
 * store with generations says -ESTALE of one that it should have had.
 */
void backend_delete(struct backend *b, const char *key, const char *if_match,
		    int64_t deadline_ms, backend_done_fn done, void *arg);

struct list_entry {
	const char *key;	/* relative to the location */
	bool is_prefix;		/* a common prefix, ending in the delimiter */
	struct object_info info;
};
struct list_page {
	const struct list_entry *entries;
	size_t n_entries;
	const char *next;	/* token for the next page; NULL: the last */
};
struct backend_list {
	const char *prefix;		/* relative; "" for all */
	const char *delimiter;		/* NULL or "/" */
	const char *start_after;	/* NULL or a relative key */
	const char *token;		/* NULL: the first page */
	unsigned max_keys;		/* 0: the store's own limit */
	int64_t deadline_ms;
};
/* page and what it points to are valid during the call only. */
typedef void (*backend_list_fn)(void *arg, int r, const struct list_page *page,
				const struct err *err);
/* One page, in the byte order of the keys.  Pages may be empty. */
void backend_list(struct backend *b, const struct backend_list *list,
		  backend_list_fn done, void *arg);

/*
 * Multipart upload, for what publishing will need.  upload ids and part etags
 * are strings of the store, at most BACKEND_UPLOAD_ID_MAX bytes.
 */
#define BACKEND_UPLOAD_ID_MAX 1024
struct part_etag {
	unsigned number;	/* from 1 */
	char etag[BACKEND_ETAG_MAX];
};
/* etag of info carries nothing; the id arrives in upload_id (caller's). */
void backend_multipart_create(struct backend *b, const char *key,
			      char upload_id[BACKEND_UPLOAD_ID_MAX],
			      int64_t deadline_ms, backend_done_fn done,
			      void *arg);
void backend_multipart_put(struct backend *b, const char *key,
			   const char *upload_id, unsigned number,
			   const void *data, size_t len, int64_t deadline_ms,
			   backend_done_fn done, void *arg);
/* create_only: -ENOTSUP unless a probe has seen that it is honoured. */
void backend_multipart_complete(struct backend *b, const char *key,
				const char *upload_id,
				const struct part_etag *parts, size_t n_parts,
				bool create_only, int64_t deadline_ms,
				backend_done_fn done, void *arg);
void backend_multipart_abort(struct backend *b, const char *key,
			     const char *upload_id, int64_t deadline_ms,
			     backend_done_fn done, void *arg);

/* What a store was seen to honour; see backend_probe(). */
struct backend_caps {
	bool probed;
	bool create_only;	/* PUT If-None-Match: * */
	bool complete_create_only; /* the same of a completed upload */
	bool if_match;		/* PUT If-Match */
	bool if_match_unquoted;	/* ... only with the etag unquoted (Ceph) */
	bool delete_if_match;
	bool checks_md5;	/* a body that Content-MD5 does not fit */
};
/*
 * Writes and deletes one small random key below ".datasetfs/probe/" to see
 * which conditions hold; the result is kept in the backend.  Synchronous.
 * Called once a location, before the first conditional write.
 */
int backend_probe(struct backend *b, int64_t deadline_ms, struct err *err)
	MUST_CHECK;
const struct backend_caps *backend_caps(const struct backend *b);
/*
 * What an earlier probe of that location has seen, remembered by the caller;
 * to be called before the first write.  forget: it will be probed anew.
 */
void backend_caps_set(struct backend *b, const struct backend_caps *caps);
void backend_caps_forget(struct backend *b);

/*
 * The store's clock less ours, as its first answer said; false where there was
 * none, or the store is this machine.
 */
bool backend_clock_skew(const struct backend *b, int64_t *seconds) MUST_CHECK;

/* "s3://bucket/prefix": for messages, never with a secret. */
const char *backend_name(const struct backend *b);
/* The URI's profile: the credential's scope and part of a blob's identity. */
const char *backend_profile(const struct backend *b);
/*
 * Appends the object's full name below the profile ("bucket/p/ID/hashes/x"):
 * with the profile it identifies the object whatever location it was opened by.
 */
void backend_full_key(const struct backend *b, const char *key,
		      struct buf *out);

/* From now on writes answer -EROFS at once, or do not; see backend_spec. */
void backend_set_read_only(struct backend *b, bool read_only);

struct backend *backend_get_ref(struct backend *b);
void backend_put_ref(struct backend *b);
static inline void backend_cleanup_(struct backend **b)
{
	if (*b)
		backend_put_ref(*b);
}
#define cleanup_backend __attribute__((cleanup(backend_cleanup_)))

enum addressing { ADDRESSING_AUTO, ADDRESSING_VIRTUAL, ADDRESSING_PATH };

/* All of it is copied; creds gets a reference of its own. */
/* Of s3 alone; false and NULL: not asked for. */
struct backend_s3_options {
	bool requester_pays;
	bool dualstack;			/* AWS_USE_DUALSTACK_ENDPOINT too */
	const char *expected_owner;	/* an account's number */
	const char *sse_kms_key;	/* of what is written */
};

struct backend_spec {
	const struct uri *location;
	const char *region;		/* NULL: discovered or the default */
	const char *override_url;	/* NULL: the provider's own host */
	enum addressing addressing;
	struct cred_source *creds;	/* NULL for file:// and anonymous */
	bool read_only;			/* writes answer -EROFS at once */
	struct backend_s3_options s3;
};
/*
 * Opens nothing on the network.  -ENOTSUP (ERR_USAGE) for a scheme that is
 * not built in; for file:// -ENOENT and friends when the directory cannot be
 * opened.  engine may be NULL for file://.
 */
int backend_open(struct backend **out, const struct backend_spec *spec,
		 struct http_engine *engine, struct err *err) MUST_CHECK;

#endif
