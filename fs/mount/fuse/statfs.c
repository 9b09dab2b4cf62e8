/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/statfs.h"

#include <string.h>

#define STATFS_BLOCK 4096u

struct totals {
	uint64_t bytes, files;
};

static uint64_t add_capped(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

/*
 * Versions of a dataset share most of their content: what the store holds
 * counts where that is known.
 */
static void add_catalog(struct totals *t, const struct catalog *c)
{
	for (size_t i = 0; i < c->n_datasets; i++) {
		const struct dataset *ds = &c->datasets[i];
		uint64_t all = 0;

		for (size_t k = 0; k < ds->n_versions; k++) {
			if (ds->versions[k].status != VERSION_READY)
				continue;
			all = add_capped(all, ds->versions[k].size);
			t->files++;
		}
		t->bytes = add_capped(t->bytes,
				      ds->stored_size ? ds->stored_size : all);
	}
}

/* NULL: it is gone. */
static void add_bucket(struct fs *fs, struct bucket *b, struct totals *t)
{
	struct catalog *known = b ? view_known(fs_view(fs, b)) : NULL;

	if (!known)
		return;
	add_catalog(t, known);
	catalog_put(known);
}

static void add_version(struct fs *fs, uint64_t nodeid, struct totals *t)
{
	cleanup_slot_ref struct slot_ref ref = { .tree = NULL };
	struct err err = ERR_INIT;
	struct tree_info info;

	if (slots_get(fs->slots, nodeid_slot(nodeid), &ref, &err) < 0)
		return;
	t->bytes = ref.v->size;
	if (ref.tree) {
		tree_info(ref.tree, &info);
		t->bytes = info.total_size;
		t->files = info.n_entries;
	}
}

void statfs_fill(struct fs *fs, uint64_t nodeid, struct statvfs *out)
{
	const struct name_node *node = NULL;
	struct totals t = { 0, 0 };

	if (nodeid_slot(nodeid) != NODEID_SLOT_NAMES)
		add_version(fs, nodeid, &t);
	else
		node = names_get(fs->names, nodeid_index(nodeid));
	if (node && node->bucket)
		add_bucket(fs, node->bucket, &t);
	else if (node)
		for (size_t i = 0; i < buckets_count(fs->buckets); i++)
			add_bucket(fs, buckets_at(fs->buckets, i), &t);

	memset(out, 0, sizeof(*out));
	out->f_bsize = out->f_frsize = STATFS_BLOCK;
	out->f_blocks = t.bytes / STATFS_BLOCK + (t.bytes % STATFS_BLOCK != 0);
	out->f_files = t.files;
	out->f_namemax = TREE_NAME_MAX;
	out->f_flag = ST_RDONLY | ST_NOSUID;
}
