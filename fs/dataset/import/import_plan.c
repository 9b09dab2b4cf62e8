/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an import would do, and why it must not.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "fs/dataset/import/import_impl.h"

static const char *head_bytes(const struct import *im, const char *id,
			      size_t *len)
{
	char key[CATALOG_KEY_MAX];

	catalog_head_key(key, id);
	return catalog_store_record(im->store, key, len);
}

static int refuse(struct import *im, struct plan *plan, uint32_t version,
		  struct err *err, const char *why)
{
	plan->is_left_alone = true;
	return import_report_add(im->report, IMPORT_REFUSED, plan->ds, version,
				 err, "%s", why);
}

/* --- names ------------------------------------------------------------ */

static struct plan *plan_of(const struct import *im, const char *id)
{
	const struct import_dataset *ds = import_source_find(im->src, id);

	for (size_t i = 0; ds && i < im->n_plans; i++)
		if (im->plans[i].ds == ds)
			return &im->plans[i];
	return NULL;
}

/*
 * Who has the name now: 1 and *id, or 0 for nobody (a name that is not
 * confirmed by its head is nobody's).
 */
static int name_holder(const struct import *im, const char *name,
		       char id[DATASET_ID_MAX], struct err *err)
{
	cleanup_catalog_head struct catalog_head head = { .n_live = 0 };
	char key[CATALOG_KEY_MAX];
	const char *bytes;
	size_t len;
	int r;

	catalog_name_key(key, name);
	bytes = catalog_store_record(im->store, key, &len);
	if (!bytes)
		return 0;
	r = catalog_parse_name(id, bytes, len, err);
	if (r < 0)
		return r;
	bytes = head_bytes(im, id, &len);
	if (!bytes)
		return 0;
	r = catalog_parse_head(&head, id, bytes, len, err);
	if (r < 0)
		return r;
	return strcmp(head.ds.name, name) == 0 ||
	       (head.renaming && strcmp(head.renaming, name) == 0);
}

/*
 * The holder may be about to give the name up in this very import.  A chain
 * is fine, it is done from its end; a circle is refused.
 */
static int check_chain(struct import *im, struct plan *plan, const char *holder,
		       struct err *err)
{
	char id[DATASET_ID_MAX], why[256];

	memcpy(id, holder, sizeof(id));
	for (size_t steps = 0; steps <= im->n_plans; steps++) {
		const struct plan *other = plan_of(im, id);
		int r;

		if (!other || other->is_left_alone || !other->ds->name ||
		    !other->rename_from)
			break;
		r = name_holder(im, other->ds->name, id, err);
		if (r < 0)
			return r;
		if (r == 0 || strcmp(id, other->ds->id) == 0)
			return 0;
	}
	snprintf(why, sizeof(why), "the name belongs to another dataset here, "
		 "with the id %s", holder);
	return refuse(im, plan, 0, err, why);
}

static int plan_name(struct import *im, struct plan *plan, struct err *err)
{
	char holder[DATASET_ID_MAX];
	int r;

	if (plan->is_left_alone)
		return 0;
	r = name_holder(im, plan->ds->name, holder, err);
	if (r < 0)
		return r;
	plan->needs_name = r == 0 || strcmp(holder, plan->ds->id) != 0;
	if (r == 1 && plan->needs_name)
		return check_chain(im, plan, holder, err);
	return 0;
}

/* --- versions --------------------------------------------------------- */

static const char *content_differs(const struct version *here,
				   const struct import_version *v)
{
	enum version_kind kind = import_kind(v);

	if (here->kind != kind)
		return "its kind";
	if (kind == VERSION_LEGACY)
		return import_same_text(here->location, v->uri) ?
		       NULL : "its location";
	if (!import_same_text(here->manifest_uri, v->uri))
		return "its manifest";
	if (!import_same_text(here->checksum, v->checksum))
		return "its checksum";
	return here->size == v->size ? NULL : "its size";
}

/* A record stands here under the number: the same content, or refused. */
static int plan_known(struct import *im, struct plan *plan,
		      struct plan_version *pv, const char *bytes, size_t len,
		      struct err *err)
{
	const struct import_version *v = pv->v;
	cleanup_version struct version here = { .number = 0 };
	const char *what;
	char why[256];
	int r;

	r = catalog_parse_version(&here, plan->ds->id, v->number, bytes, len,
				  err);
	if (r < 0)
		return r;
	what = content_differs(&here, v);
	if (what) {
		snprintf(why, sizeof(why), "the version stands here with other "
			 "content: %s differs", what);
		return refuse(im, plan, v->number, err, why);
	}
	pv->has_record = true;
	pv->differs_metadata =
		!import_same_text(here.metadata,
				  v->metadata ? v->metadata : "{}");
	return import_report_add(im->report, IMPORT_UNCHANGED, plan->ds,
				 v->number, err, "%s", "");
}

static int plan_version(struct import *im, struct plan *plan,
			const struct catalog_head *head,
			struct plan_version *pv, struct err *err)
{
	static const char *const kinds[] = {
		[VERSION_OSMO] = "manifest",
		[VERSION_EMPTY] = "empty",
		[VERSION_LEGACY] = "legacy",
	};
	const struct import_version *v = pv->v;
	char key[CATALOG_KEY_MAX];
	const char *bytes, *state = "";
	size_t len;

	if (v->problem)
		return import_report_add(im->report, IMPORT_SKIPPED, plan->ds,
					 v->number, err, "%s", v->problem);
	if (v->status == VERSION_PENDING)
		return import_report_add(im->report, IMPORT_SKIPPED, plan->ds,
					 v->number, err, "it is PENDING: its "
					 "upload did not finish");
	catalog_version_key(key, plan->ds->id, v->number);
	bytes = catalog_store_record(im->store, key, &len);
	if (bytes)
		return plan_known(im, plan, pv, bytes, len, err);
	if (v->status == VERSION_DELETED)
		return import_report_add(im->report, IMPORT_SKIPPED, plan->ds,
					 v->number, err, "it is DELETED");
	if (catalog_head_is_deleted(head, v->number))
		return import_report_add(im->report, IMPORT_SKIPPED, plan->ds,
					 v->number, err, "it was deleted here");
	pv->is_new = true;
	pv->has_record = true;
	if (v->status == VERSION_PENDING_DELETE)
		state = ", PENDING_DELETE: not shown in the mount";
	return import_report_add(im->report, IMPORT_ADDED, plan->ds, v->number,
				 err, "%s%s", kinds[import_kind(v)], state);
}

static int plan_versions(struct import *im, struct plan *plan,
			 const struct catalog_head *head, struct err *err)
{
	const struct import_dataset *ds = plan->ds;
	int r = 0;

	plan->versions = calloc(ds->n_versions + 1, sizeof(*plan->versions));
	if (!plan->versions)
		return err_nomem(err);
	for (size_t i = 0; i < ds->n_versions && r == 0; i++) {
		plan->versions[i].v = &ds->versions[i];
		plan->n_versions = i + 1;
		r = plan_version(im, plan, head, &plan->versions[i], err);
	}
	return r;
}

/* --- datasets --------------------------------------------------------- */

/* Two datasets of the source under one name: a dump of two moments. */
static bool has_twin(const struct import *im, size_t i)
{
	const struct import_dataset *ds = im->plans[i].ds;

	for (size_t at = i; at > 0; at--) {
		const struct import_dataset *before = im->plans[at - 1].ds;

		if (!import_same_text(before->name, ds->name))
			break;
		if (!before->problem)
			return true;
	}
	for (size_t at = i + 1; at < im->n_plans; at++) {
		const struct import_dataset *after = im->plans[at].ds;

		if (!import_same_text(after->name, ds->name))
			break;
		if (!after->problem)
			return true;
	}
	return false;
}

static int plan_head(struct import *im, struct plan *plan, const char *old,
		     size_t old_len, struct err *err)
{
	cleanup_buf struct buf next = BUF_INIT, what = BUF_INIT;
	struct err bad = ERR_INIT;
	enum import_action action;
	int r;

	r = import_head(&next, plan, plan->ds->name, NULL, im->opt->adopt, old,
			old_len, &what, &bad);
	if (r < 0 && bad.class == ERR_CONFLICT)
		return refuse(im, plan, 0, err, bad.text);
	if (r < 0 && bad.class == ERR_USAGE) {
		plan->is_left_alone = true;
		return import_report_add(im->report, IMPORT_SKIPPED, plan->ds,
					 0, err, "%s", bad.text);
	}
	if (r < 0) {
		err_copy(err, &bad);
		return r;
	}
	plan->has_head_change = next.len != old_len ||
				memcmp(next.data, old, old_len) != 0;
	action = plan->is_new ? IMPORT_ADDED :
		 plan->has_head_change ? IMPORT_UPDATED : IMPORT_UNCHANGED;
	return import_report_add(im->report, action, plan->ds, 0, err, "%s",
				 action == IMPORT_UPDATED && what.data ?
				 what.data : "");
}

static int plan_skip(struct import *im, struct plan *plan, struct err *err,
		     const char *why)
{
	plan->is_left_alone = true;
	return import_report_add(im->report, IMPORT_SKIPPED, plan->ds, 0, err,
				 "%s", why);
}

static int plan_dataset(struct import *im, size_t i, struct err *err)
{
	cleanup_catalog_head struct catalog_head head = { .n_live = 0 };
	struct plan *plan = &im->plans[i];
	const struct import_dataset *ds = plan->ds;
	size_t len = 0;
	const char *old = head_bytes(im, ds->id, &len);
	int r;

	plan->is_new = !old;
	if (ds->problem && ds->is_contradictory)
		return refuse(im, plan, 0, err, ds->problem);
	if (ds->problem)
		return plan_skip(im, plan, err, ds->problem);
	if (has_twin(im, i))
		return refuse(im, plan, 0, err, "the source has two datasets "
			      "of this name: it is from different times");
	if (!ds->has_details && !ds->is_whole)
		return plan_skip(im, plan, err, "only its line in the list is "
				 "known: add the JSON of 'osmo dataset info'");
	if (old) {
		r = catalog_parse_head(&head, ds->id, old, len, err);
		if (r < 0)
			return err_wrap(err, "head of %s (%s)", ds->name,
					ds->id);
		if (!head.is_imported || head.is_adopted)
			return plan_skip(im, plan, err, "it was adopted: it is "
					 "no longer OSMO's");
		if (strcmp(head.ds.name, ds->name) != 0) {
			plan->rename_from = strdup(head.ds.name);
			if (!plan->rename_from)
				return err_nomem(err);
		}
	}
	r = plan_versions(im, plan, &head, err);
	if (r < 0 || plan->is_left_alone)
		return r;
	return plan_head(im, plan, old ? old : "", len, err);
}

int import_plan(struct import *im, struct err *err)
{
	const struct import_source *src = im->src;
	int r = 0;

	im->plans = calloc(src->n_datasets + 1, sizeof(*im->plans));
	if (!im->plans)
		return err_nomem(err);
	for (size_t i = 0; i < src->n_datasets; i++) {
		const struct import_dataset *ds = &src->datasets[i];

		if (!ds->name)
			continue;
		if (!import_same_text(ds->bucket, im->opt->bucket))
			im->report->n_other_buckets++;
		else
			im->plans[im->n_plans++].ds = ds;
	}
	for (size_t i = 0; i < im->n_plans && r == 0; i++)
		r = plan_dataset(im, i, err);
	for (size_t i = 0; i < im->n_plans && r == 0; i++)
		r = plan_name(im, &im->plans[i], err);
	return r;
}
