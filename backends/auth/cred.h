/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a credential comes from.  A source answers with a snapshot that is
 * good now, and never waits: one that must ask somebody (STS, a metadata
 * service) says -EAGAIN until it knows.  Reference-counted, any thread may
 * call.
 *
 * A credential serves exactly the profile it is configured for: a source is
 * made for one location and never handed to another.
 */
#ifndef DATASETFS_AUTH_CRED_H
#define DATASETFS_AUTH_CRED_H

#include <stdint.h>
#include "backends/base/err.h"

struct cred_source;

/* What a signer makes of it; members that are not named are NULL. */
enum cred_kind {
	CRED_ANONYMOUS,		/* sign nothing */
	CRED_KEYS,		/* access_key_id, secret_key and, where it has
				   one, token: SigV4 and Google's HMAC */
	CRED_BEARER,		/* token: "Authorization: Bearer TOKEN" */
	CRED_AZURE_KEY,		/* access_key_id is the account, secret_key in
				   base64 as the portal shows it */
	CRED_AZURE_SAS,		/* token: a query without "?", never encoded
				   again */
};

/*
 * Wiped by cred_release().  generation changes whenever the content does, and
 * no two sources of a process ever give the same one (signing keys are
 * remembered by it); 0 is for a struct that comes from no source.
 */
struct cred {
	enum cred_kind kind;
	char *access_key_id;
	char *secret_key;
	char *token;
	int64_t expires_s;	/* wall clock; INT64_MAX: never */
	uint64_t generation;
};
void cred_release(struct cred *cred);
#define cleanup_cred __attribute__((cleanup(cred_release)))

/*
 * The current credential, copied.  -EACCES (ERR_AUTH) where the source has
 * none; the text says where it looked.  -EAGAIN (ERR_RETRY) while it is being
 * asked for: an exchange looks again (exchange.h).
 */
int cred_source_get(struct cred_source *src, struct cred *out, struct err *err)
	MUST_CHECK;

/*
 * Tells the source that the store refused generation (expired, invalid): it
 * looks again next time where it can (files are read anew).  Denied: the store
 * said no without saying that it is the credential's fault, as it does about
 * what nobody may read; a source that asks somebody leaves it at that where
 * the credential is new.  Accepted, once a generation is enough: the next
 * refusal is an event of its own, and no sign that none of them is any good.
 */
void cred_source_refused(struct cred_source *src, uint64_t generation);
void cred_source_denied(struct cred_source *src, uint64_t generation);
void cred_source_accepted(struct cred_source *src, uint64_t generation);

/* "secret prod-bucket-cred", "environment", "profile default", "anonymous". */
const char *cred_source_name(struct cred_source *src);

/*
 * Who it is, for people: copied, as a source may be replaced.  Asks nobody.
 */
struct cred_state {
	char name[160];		/* of the source that counts */
	bool is_known;		/* a credential, if it was ever wanted */
	int64_t expires_s;	/* of that; INT64_MAX: never */
	char problem[ERR_TEXT_MAX]; /* the last failure; "" after a success */
};
void cred_source_state(struct cred_source *src, struct cred_state *out);

struct cred_source *cred_source_get_ref(struct cred_source *src);
void cred_source_put_ref(struct cred_source *src);

/* name is shown by status: never a secret. */
int cred_source_static(struct cred_source **out, const char *name,
		       const char *access_key_id, const char *secret_key,
		       const char *session_token, struct err *err) MUST_CHECK;
/* A copy of cred, of whatever kind; its generation becomes a new one. */
int cred_source_fixed(struct cred_source **out, const char *name,
		      const struct cred *cred, struct err *err) MUST_CHECK;
int cred_source_anonymous(struct cred_source **out, struct err *err) MUST_CHECK;

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. */
int cred_source_env(struct cred_source **out, struct err *err) MUST_CHECK;

/*
 * AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials) and AWS_CONFIG_FILE
 * (~/.aws/config), profile AWS_PROFILE or "default"; static keys only here: the
 * rest is aws/aws.h's.
 * Read again when the files change.
 */
int cred_source_shared_files(struct cred_source **out, struct err *err)
	MUST_CHECK;

/*
 * Each in turn until one has a credential; keeps the first that answered.
 * Takes over the references.  anonymous as the last one makes "the ambient
 * chain, then unsigned" (DESIGN.md section 9): it is reached only where the
 * others have none at all, never after a refusal.
 */
int cred_source_chain(struct cred_source **out, struct cred_source **sources,
		      size_t n, struct err *err) MUST_CHECK;

/*
 * Stands for another source, at first for the one given (a reference of its
 * own is taken), until cred_source_switch_to() puts the next one in its place:
 * so a credential is rotated under a backend that is in use.  name is the
 * switch's own.
 */
int cred_source_switch(struct cred_source **out, const char *name,
		       struct cred_source *first, struct err *err) MUST_CHECK;
void cred_source_switch_to(struct cred_source *src, struct cred_source *next);

#endif
