/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One source that stands for another, which may be replaced: whoever holds the
 * switch goes on with the new one, and what was signed before stays as it is.
 */
#include <config.h>
#include "backends/auth/cred_impl.h"

#include <stdlib.h>
#include "backends/base/lock.h"

/* The lock guards current; sources are asked without it. */
struct cred_switch {
	struct cred_source base;
	struct lock lock;
	struct cred_source *current;
};

static struct cred_source *current_get_ref(struct cred_source *src)
{
	struct cred_switch *sw = (struct cred_switch *)src;
	struct cred_source *current;

	lock_take(&sw->lock);
	current = cred_source_get_ref(sw->current);
	lock_drop(&sw->lock);
	return current;
}

static int switch_get(struct cred_source *src, struct cred *out,
		      struct err *err)
{
	struct cred_source *current = current_get_ref(src);
	int r = current->ops->get(current, out, err);

	cred_source_put_ref(current);
	return r;
}

/* A generation of the source before is nobody's here: nothing is looked up. */
static void switch_refused(struct cred_source *src, uint64_t generation)
{
	struct cred_source *current = current_get_ref(src);

	cred_source_refused(current, generation);
	cred_source_put_ref(current);
}

static void switch_denied(struct cred_source *src, uint64_t generation)
{
	struct cred_source *current = current_get_ref(src);

	cred_source_denied(current, generation);
	cred_source_put_ref(current);
}

static void switch_accepted(struct cred_source *src, uint64_t generation)
{
	struct cred_source *current = current_get_ref(src);

	cred_source_accepted(current, generation);
	cred_source_put_ref(current);
}

static void switch_state(struct cred_source *src, struct cred_state *out)
{
	struct cred_source *current = current_get_ref(src);

	cred_source_state(current, out);
	cred_source_put_ref(current);
}

static void switch_release(struct cred_source *src)
{
	struct cred_switch *sw = (struct cred_switch *)src;

	cred_source_put_ref(sw->current);
	lock_release(&sw->lock);
}

static const struct cred_source_ops switch_ops = {
	.get = switch_get,
	.refused = switch_refused,
	.denied = switch_denied,
	.accepted = switch_accepted,
	.state = switch_state,
	.release = switch_release,
};

int cred_source_switch(struct cred_source **out, const char *name,
		       struct cred_source *first, struct err *err)
{
	struct cred_switch *sw = calloc(1, sizeof(*sw));
	int r;

	if (!sw)
		return err_nomem(err);
	r = cred_source_init(&sw->base, &switch_ops, name, err);
	if (r < 0) {
		free(sw);
		return r;
	}
	lock_init(&sw->lock);
	sw->current = cred_source_get_ref(first);
	*out = &sw->base;
	return 0;
}

void cred_source_switch_to(struct cred_source *src, struct cred_source *next)
{
	struct cred_switch *sw = (struct cred_switch *)src;
	struct cred_source *before;

	lock_take(&sw->lock);
	before = sw->current;
	sw->current = cred_source_get_ref(next);
	lock_drop(&sw->lock);
	cred_source_put_ref(before);
}
