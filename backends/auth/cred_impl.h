/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a source implements behind cred.h.  Private to auth/.
 */
#ifndef DATASETFS_AUTH_CRED_IMPL_H
#define DATASETFS_AUTH_CRED_IMPL_H

#include <stdatomic.h>
#include "backends/auth/cred.h"

/* Azure's connection strings are the longest that anybody has. */
#define CRED_VALUE_MAX 8192

struct cred_source_ops {
	/*
	 * -ENOENT where there is none at all, which lets a chain go on;
	 * anything else (half of a key, a file that cannot be read) ends it.
	 */
	int (*get)(struct cred_source *src, struct cred *out, struct err *err);
	void (*refused)(struct cred_source *src, uint64_t generation);
	void (*denied)(struct cred_source *src, uint64_t generation);
	void (*accepted)(struct cred_source *src, uint64_t generation);
	const char *(*name)(struct cred_source *src);
	void (*state)(struct cred_source *src, struct cred_state *out);
	void (*release)(struct cred_source *src);
	/* NULL slots: nothing to do, denied is refused, the name is src->name,
	   and the state is that of something fixed. */
};

/* The first member of each source's own struct. */
struct cred_source {
	const struct cred_source_ops *ops;
	atomic_uint refs;
	char *name;
	bool is_anonymous;
};

/* *src must be zeroed. */
int cred_source_init(struct cred_source *src, const struct cred_source_ops *ops,
		     const char *name, struct err *err) MUST_CHECK;

uint64_t cred_next_generation(void);

/* Wipes and frees; NULL is allowed. */
void cred_wipe_free(char *secret);

/*
 * Copies into *out, which must be zeroed, with a generation of its own.
 * token NULL or "": none.  -EACCES (ERR_AUTH) where a value is missing or
 * could not be sent; where names the place, the text never quotes a value.
 */
int cred_fill(struct cred *out, const char *where, const char *access_key_id,
	      const char *secret_key, const char *session_token,
	      struct err *err) MUST_CHECK;
/* The same, of a bearer token; what names it in the text ("access token"). */
int cred_fill_bearer(struct cred *out, const char *where, const char *what,
		     const char *token, struct err *err) MUST_CHECK;
/* The same content, whatever the generation and the end. */
bool cred_is_same(const struct cred *a, const struct cred *b);
int cred_copy(struct cred *out, const struct cred *from, struct err *err)
	MUST_CHECK;

/* The user's home folder: HOME, or what the system knows. */
struct buf;
void cred_add_home(struct buf *out);

#endif
