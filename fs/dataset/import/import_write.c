/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was planned, written: in stages that no crash between them harms, each
 * with many requests under way, as a store answers one in tens of milliseconds.
 */
#include <config.h>

#include <errno.h>

#include "backends/base/clock.h"
#include "fs/dataset/import/import_each.h"
#include "fs/dataset/import/import_impl.h"

#define IMPORT_REQUESTS 16u	/* under way at once */

int64_t import_deadline(const struct import *im)
{
	int64_t ms = im->opt->timeout_ms;

	return clock_ms() + (ms > 0 ? ms : IMPORT_TIMEOUT_MS);
}

struct version_task {
	const struct plan *plan;
	const struct import_version *v;
};

struct tasks {
	struct import *im;
	const struct version_task *versions;
};

/* --- versions ---------------------------------------------------------- */

static int write_version(void *arg, size_t i, struct err *err)
{
	const struct tasks *tasks = arg;
	const struct version_task *task = &tasks->versions[i];
	const struct import_dataset *ds = task->plan->ds;
	struct import *im = tasks->im;
	cleanup_buf struct buf bytes = BUF_INIT;
	int r;

	r = import_version_bytes(&bytes, ds, task->v, err);
	if (r == 0)
		r = catalog_store_create_version(im->store, ds->id,
						 task->v->number, bytes.data,
						 bytes.len, import_deadline(im),
						 err);
	return r < 0 ? err_wrap(err, "%s:%u", ds->name, task->v->number) : 0;
}

static size_t count_versions(const struct import *im)
{
	size_t n = 0;

	for (size_t i = 0; i < im->n_plans; i++)
		n += im->plans[i].n_versions;
	return n;
}

static int write_versions(struct import *im, bool ready, struct err *err)
{
	cleanup_free struct version_task *versions = NULL;
	struct tasks tasks = { .im = im };
	size_t n = 0;

	versions = calloc(count_versions(im) + 1, sizeof(*versions));
	if (!versions)
		return err_nomem(err);
	tasks.versions = versions;
	for (size_t i = 0; i < im->n_plans; i++) {
		const struct plan *plan = &im->plans[i];

		for (size_t k = 0; !plan->is_left_alone && k < plan->n_versions;
		     k++) {
			const struct plan_version *pv = &plan->versions[k];

			if (pv->is_new &&
			    (pv->v->status == VERSION_READY) == ready)
				versions[n++] = (struct version_task){
					.plan = plan, .v = pv->v,
				};
		}
	}
	return import_each(n, IMPORT_REQUESTS, write_version, &tasks, err);
}

/* --- heads and names --------------------------------------------------- */

struct head_change {
	const struct plan *plan;
	const char *name;
	const char *renaming;
	bool adopt;
};

static int head_change(void *arg, const void *bytes, size_t len,
		       struct buf *out, struct err *err)
{
	const struct head_change *change = arg;

	return import_head(out, change->plan, change->name, change->renaming,
			   change->adopt, bytes, len, NULL, err);
}

static int write_head(struct import *im, const struct plan *plan,
		      const char *name, const char *renaming, struct err *err)
{
	struct head_change change = {
		.plan = plan,
		.name = name,
		.renaming = renaming,
		.adopt = im->opt->adopt,
	};
	int r;

	r = catalog_store_update_head(im->store, plan->ds->id, head_change,
				      &change, import_deadline(im), err);
	return r < 0 ? err_wrap(err, "%s", plan->ds->name) : 0;
}

static int write_plan_head(void *arg, size_t i, struct err *err)
{
	const struct tasks *tasks = arg;
	const struct plan *plan = &tasks->im->plans[i];
	const char *name = plan->ds->name;

	if (plan->is_left_alone || (!plan->has_head_change && !plan->rename_from))
		return 0;
	if (plan->rename_from)
		return write_head(tasks->im, plan, plan->rename_from, name,
				  err);
	return write_head(tasks->im, plan, name, NULL, err);
}

/* 1: the name is still another's, which may give it up later. */
static int write_name(struct import *im, struct plan *plan, bool last,
		      struct err *err)
{
	const struct import_dataset *ds = plan->ds;
	int r;

	if (plan->needs_name) {
		r = catalog_store_create_name(im->store, ds->name, ds->id,
					      import_deadline(im), err);
		if (r < 0 && err->class == ERR_CONFLICT && !last) {
			err_clear(err);
			return 1;
		}
		if (r < 0)
			return err_wrap(err, "%s", ds->name);
	}
	plan->is_done = true;
	if (!plan->rename_from)
		return 0;
	r = write_head(im, plan, ds->name, NULL, err);
	if (r == 0)
		r = catalog_store_delete_name(im->store, plan->rename_from,
					      ds->id, import_deadline(im), err);
	return r;
}

static int write_plan_name(void *arg, size_t i, struct err *err)
{
	const struct tasks *tasks = arg;
	struct plan *plan = &tasks->im->plans[i];

	return plan->is_left_alone ? 0 :
	       write_name(tasks->im, plan, false, err);
}

/*
 * Whoever waits for a name that another one gives up comes after it.  last: no
 * name was given up in a whole round, so who is still waiting waits in vain.
 */
static int write_waiting_names(struct import *im, struct err *err)
{
	bool is_progress = true, is_open = true;
	int r;

	for (bool last = false; is_open; last = !is_progress) {
		is_open = false;
		is_progress = false;
		for (size_t i = 0; i < im->n_plans; i++) {
			struct plan *plan = &im->plans[i];

			if (plan->is_left_alone || plan->is_done)
				continue;
			r = write_name(im, plan, last, err);
			if (r < 0)
				return r;
			is_open |= r == 1;
			is_progress |= r == 0;
		}
	}
	return 0;
}

/*
 * Ready versions, then the heads with the state of all, then the versions that
 * the heads hide, then names: no moment shows what OSMO does not.
 */
int import_write(struct import *im, struct err *err)
{
	struct tasks tasks = { .im = im };
	int r;

	r = catalog_store_init(im->store, import_deadline(im), err);
	if (r == 0)
		r = write_versions(im, true, err);
	if (r == 0)
		r = import_each(im->n_plans, IMPORT_REQUESTS, write_plan_head,
				&tasks, err);
	if (r == 0)
		r = write_versions(im, false, err);
	if (r == 0)
		r = import_each(im->n_plans, IMPORT_REQUESTS, write_plan_name,
				&tasks, err);
	return r < 0 ? r : write_waiting_names(im, err);
}
