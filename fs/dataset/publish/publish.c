/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/publish/publish.h"

#include <errno.h>
#include <string.h>

#include "backends/base/clock.h"
#include "fs/dataset/catalog_store/catalog_record.h"

struct publish {
	struct catalog_store *store;
	const struct publish_request *rq;
	struct catalog *now;		/* the latest look */
	const struct dataset *ds;	/* in now; NULL: a new one */
	char id[DATASET_ID_MAX];
	struct version record;		/* the request's, with its number */
};

static int64_t deadline(const struct publish *p)
{
	return clock_ms() + p->rq->timeout_ms;
}

static int look(struct publish *p, struct err *err)
{
	if (p->now)
		catalog_put(p->now);
	p->now = NULL;
	p->ds = NULL;
	return catalog_store_load(p->store, &p->now, deadline(p), err);
}

/* The head of p->ds as the look saw it. */
static int read_head(const struct publish *p, struct catalog_head *head,
		     struct err *err)
{
	char key[CATALOG_KEY_MAX];
	const char *bytes;
	size_t len;

	catalog_head_key(key, p->ds->id);
	bytes = catalog_store_record(p->store, key, &len);
	if (!bytes)
		return err_set(err, ERR_MISSING, ENOENT,
			       "dataset %s has no head", p->rq->name);
	return catalog_parse_head(head, p->ds->id, bytes, len, err);
}

static int check_head(const struct publish *p, const struct catalog_head *head,
		      struct err *err)
{
	if (p->ds->is_collection)
		return err_set(err, ERR_CONFLICT, EEXIST,
			       "%s is a collection, which has no versions",
			       p->rq->name);
	if (head->is_imported && !head->is_adopted)
		return err_set(err, ERR_CONFLICT, EEXIST,
			       "%s comes from OSMO, which may still number its "
			       "versions: where no OSMO does any more, import "
			       "it again with --adopt first", p->rq->name);
	return 0;
}

/* Numbers are never used twice, those of deleted versions neither. */
static uint32_t next_number(const struct publish *p,
			    const struct catalog_head *head)
{
	uint32_t last = 0;

	if (p->ds->n_versions)
		last = p->ds->versions[p->ds->n_versions - 1].number;
	if (head->n_deleted && head->deleted[head->n_deleted - 1] > last)
		last = head->deleted[head->n_deleted - 1];
	return last == UINT32_MAX ? 0 : last + 1;
}

static const struct version *newest(const struct dataset *ds)
{
	for (size_t i = ds->n_versions; i > 0; i--)
		if (ds->versions[i - 1].status == VERSION_READY)
			return &ds->versions[i - 1];
	return NULL;
}

static bool has_tags(const struct dataset *ds, const struct version *v,
		     const struct version *wanted)
{
	for (size_t i = 0; i < wanted->n_tags; i++) {
		const struct tag *tag = dataset_tag(ds, wanted->tags[i]);

		if (!tag || tag->version != v->number)
			return false;
	}
	return true;
}

static bool is_there(const struct publish *p, uint32_t *number)
{
	const struct version *wanted = p->rq->record;
	const struct version *v = newest(p->ds);

	if (!v || !v->manifest_uri || !wanted->manifest_uri ||
	    strcmp(v->manifest_uri, wanted->manifest_uri) != 0 ||
	    !has_tags(p->ds, v, wanted))
		return false;
	*number = v->number;
	return true;
}

/* Which dataset and number, or that there is nothing to do. */
static int plan(struct publish *p, struct published *out, struct err *err)
{
	cleanup_catalog_head struct catalog_head head = { .n_live = 0 };
	int r = look(p, err);

	if (r < 0)
		return r;
	p->ds = catalog_dataset(p->now, p->rq->name);
	p->record.number = 1;
	out->is_new_dataset = !p->ds;
	if (!p->ds)
		return catalog_new_id(p->id, err);
	memcpy(p->id, p->ds->id, sizeof(p->id));
	r = read_head(p, &head, err);
	if (r == 0)
		r = check_head(p, &head, err);
	if (r < 0)
		return r;
	p->record.number = next_number(p, &head);
	if (p->record.number == 0)
		return err_set(err, ERR_CONFLICT, EEXIST,
			       "%s has used up its version numbers",
			       p->rq->name);
	out->is_unchanged = is_there(p, &p->record.number);
	return 0;
}

static int create_record(struct publish *p, struct err *err)
{
	cleanup_buf struct buf bytes = BUF_INIT;
	int r = catalog_write_version(&bytes, p->id, &p->record, err);

	if (r < 0)
		return r;
	return catalog_store_create_version(p->store, p->id, p->record.number,
					    bytes.data, bytes.len, deadline(p),
					    err);
}

/* The commit: whoever creates the record of a number has it. */
static int commit(struct publish *p, struct err *err)
{
	int r;

	for (unsigned i = 0; i < PUBLISH_TRIES; i++) {
		r = create_record(p, err);
		if (r != -EEXIST || p->record.number == UINT32_MAX)
			return r;
		err_clear(err);
		p->record.number++;
	}
	return err_set(err, ERR_RETRY, EBUSY,
		       "%s: other writers took %d version numbers meanwhile",
		       p->rq->name, PUBLISH_TRIES);
}

static int begin_head(const struct publish *p, struct catalog_head *head,
		      struct err *err)
{
	struct dataset *ds = &head->ds;

	memcpy(ds->id, p->id, sizeof(ds->id));
	ds->name = strdup(p->rq->name);
	ds->created_by = strdup(p->rq->record->created_by);
	ds->labels = strdup("{}");
	ds->hash_location = strdup("");
	ds->created_s = p->rq->record->created_s;
	return ds->name && ds->created_by && ds->labels && ds->hash_location ?
		       0 :
		       err_nomem(err);
}

/* An adopted dataset's own "latest" ends with its first native version. */
static void drop_latest(struct dataset *ds)
{
	const struct tag *tag = dataset_tag(ds, "latest");
	size_t i;

	if (!tag)
		return;
	i = (size_t)(tag - ds->tags);
	free(ds->tags[i].name);
	ds->n_tags--;
	memmove(&ds->tags[i], &ds->tags[i + 1],
		(ds->n_tags - i) * sizeof(*ds->tags));
}

/*
 * Tags of all records up to ours, in their order: those below ours were there
 * before it, so the look after the commit has seen them.
 */
static int change_head(void *arg, const void *bytes, size_t len,
		       struct buf *out, struct err *err)
{
	cleanup_catalog_head struct catalog_head head = { .n_live = 0 };
	const struct publish *p = arg;
	const struct version *versions = p->ds ? p->ds->versions : &p->record;
	size_t n = p->ds ? 0 : 1;
	int r;

	if (len)
		r = catalog_parse_head(&head, p->id, bytes, len, err);
	else
		r = begin_head(p, &head, err);
	if (r < 0)
		return r;
	if (head.tagged >= p->record.number)
		return 1;
	while (p->ds && n < p->ds->n_versions &&
	       versions[n].number <= p->record.number)
		n++;
	if (head.is_imported)
		drop_latest(&head.ds);
	r = catalog_complete_tags(&head.ds, versions, n, head.tagged, err);
	if (r < 0)
		return r;
	head.tagged = p->record.number;
	return catalog_write_head(out, &head, bytes, len, err);
}

static int finish(struct publish *p, struct err *err)
{
	int r = look(p, err);

	if (r < 0)
		return r;
	p->ds = catalog_dataset_by_id(p->now, p->id);
	return catalog_store_update_head(p->store, p->id, change_head, p,
					 deadline(p), err);
}

static int write_all(struct publish *p, bool is_new, struct err *err)
{
	int r = catalog_store_init(p->store, deadline(p), err);

	if (r == 0)
		r = commit(p, err);
	if (r == 0)
		r = finish(p, err);
	if (r == 0 && is_new)
		r = catalog_store_create_name(p->store, p->rq->name, p->id,
					      deadline(p), err);
	return r;
}

static int publish_once(struct publish *p, struct published *out,
			struct err *err)
{
	int r = plan(p, out, err);

	if (r == 0 && !out->is_unchanged && !p->rq->dry_run)
		r = write_all(p, out->is_new_dataset, err);
	return r;
}

int publish_version(struct catalog_store *store,
		    const struct publish_request *request,
		    struct published *out, struct err *err)
{
	struct publish p = {
		.store = store,
		.rq = request,
		.record = *request->record,
	};
	int r;

	memset(out, 0, sizeof(*out));
	r = publish_once(&p, out, err);
	/* Another writer made the dataset meanwhile: its next version, then. */
	if (r == -EEXIST && out->is_new_dataset) {
		err_clear(err);
		r = publish_once(&p, out, err);
	}
	out->number = p.record.number;
	if (p.now)
		catalog_put(p.now);
	return r;
}
