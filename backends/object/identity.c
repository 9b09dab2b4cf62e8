/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/object/identity.h"

#include <errno.h>
#include <string.h>
#include "backends/base/clock.h"
#include "backends/base/log.h"
#include "backends/object/header.h"

void identity_init(struct identity *id, struct cred_source *creds)
{
	id->creds = creds ? cred_source_get_ref(creds) : NULL;
	atomic_init(&id->skew_s, 0);
	atomic_init(&id->accepted, 0);
}

void identity_release(struct identity *id)
{
	if (id->creds)
		cred_source_put_ref(id->creds);
	id->creds = NULL;
}

int identity_get(struct identity *id, struct identity_use *use, bool is_public,
		 struct cred *out, struct err *err)
{
	int r = 0;

	memset(out, 0, sizeof(*out));
	if (id->creds && !is_public)
		r = cred_source_get(id->creds, out, err);
	else
		out->kind = CRED_ANONYMOUS;
	use->is_signed = r == 0 && out->kind != CRED_ANONYMOUS;
	use->generation = out->generation;
	return r;
}

int64_t identity_now_s(struct identity *id, struct identity_use *use)
{
	use->skew_s = atomic_load(&id->skew_s);
	return clock_wall_s() + use->skew_s;
}

bool identity_fix_clock(struct identity *id, struct identity_use *use,
			const struct http_response *rs, const char *name)
{
	char value[HEADER_MAX];
	int64_t date_s, skew_s, off_s;

	if (use->is_clock_done || !use->is_signed ||
	    !header_get(rs, "date", value) || !header_date(&date_s, value))
		return false;
	skew_s = date_s - clock_wall_s();
	off_s = skew_s - use->skew_s;
	if (off_s < IDENTITY_SKEW_MIN_S && off_s > -IDENTITY_SKEW_MIN_S)
		return false;
	log_warn("store", "this clock and the store's differ: %s seconds=%lld",
		 name, (long long)skew_s);
	atomic_store(&id->skew_s, skew_s);
	use->is_clock_done = true;
	return true;
}

static bool fix(struct identity *id, struct identity_use *use,
		void (*tell)(struct cred_source *src, uint64_t generation))
{
	cleanup_cred struct cred cred = {.kind = CRED_ANONYMOUS};
	struct err ignored = ERR_INIT;
	int r;

	if (use->n_creds == IDENTITY_CREDS_MAX || !id->creds)
		return false;
	/* One that was good is no sign that the next will not be. */
	if (use->generation != atomic_load(&id->accepted))
		use->n_creds++;
	tell(id->creds, use->generation);
	r = cred_source_get(id->creds, &cred, &ignored);
	if (r == -EAGAIN)
		return true;
	return r == 0 && cred.kind != CRED_ANONYMOUS &&
	       cred.generation != use->generation;
}

bool identity_fix_credential(struct identity *id, struct identity_use *use)
{
	return fix(id, use, cred_source_refused);
}

bool identity_doubt_credential(struct identity *id, struct identity_use *use)
{
	return fix(id, use, cred_source_denied);
}

void identity_good(struct identity *id, const struct identity_use *use)
{
	if (!use->is_signed || atomic_load(&id->accepted) == use->generation)
		return;
	atomic_store(&id->accepted, use->generation);
	cred_source_accepted(id->creds, use->generation);
}
