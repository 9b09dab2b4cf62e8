/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who signs a store's requests and by which clock, and the two repairs that a
 * refusal may call for: the credential is read again (at most
 * IDENTITY_CREDS_MAX times a call; keys that were good and are taken back do
 * not count), the store's clock is taken from its Date (once a call).
 */
#ifndef DATASETFS_OBJECT_IDENTITY_H
#define DATASETFS_OBJECT_IDENTITY_H

#include <stdatomic.h>
#include "backends/auth/cred.h"
#include "backends/http/http.h"

/* Stores refuse from 300 s (Swift) or 900 s (AWS, Azure) of difference. */
#define IDENTITY_SKEW_MIN_S 240
#define IDENTITY_CREDS_MAX 3

/* A backend's; any thread. */
struct identity {
	struct cred_source *creds;	/* NULL: anonymous */
	atomic_ullong accepted;		/* the latest generation that was */
	atomic_llong skew_s;		/* the store's clock less ours */
};
void identity_init(struct identity *id, struct cred_source *creds);
void identity_release(struct identity *id);

/* A call's: how its latest attempt was signed, and what was repaired. */
struct identity_use {
	bool is_signed;
	int64_t skew_s;
	uint64_t generation;
	bool is_clock_done;
	unsigned n_creds;	/* that were refused, and never accepted */
};

/* As cred_source_get(); with is_public an anonymous one. */
int identity_get(struct identity *id, struct identity_use *use, bool is_public,
		 struct cred *out, struct err *err) MUST_CHECK;
/* The time to sign with. */
int64_t identity_now_s(struct identity *id, struct identity_use *use);

/* True: the call may be sent again.  name is the backend's, for the log. */
bool identity_fix_clock(struct identity *id, struct identity_use *use,
			const struct http_response *rs, const char *name);
bool identity_fix_credential(struct identity *id, struct identity_use *use);
/* The same, where the refusal may be about the object as well. */
bool identity_doubt_credential(struct identity *id, struct identity_use *use);
/* After a success. */
void identity_good(struct identity *id, const struct identity_use *use);

#endif
