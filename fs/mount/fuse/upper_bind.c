/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From what a catalog holds to nodes: numbers, attributes, link targets.
 */
#include <config.h>

#include "fs/mount/fuse/upper.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/mount/fuse/attr.h"

int upper_bucket_nodeid(struct fs *fs, struct bucket *b, uint64_t *nodeid,
			struct err *err)
{
	const struct name_node node = {
		.kind = NAME_BUCKET, .bucket = b, .dataset_id = "", .text = "",
	};
	uint32_t index;
	int r = names_bind(fs->names, &node, &index, err);

	if (r == 0)
		*nodeid = nodeid_make(NODEID_SLOT_NAMES, index);
	return r;
}

int upper_bind_bucket(struct fs *fs, struct bucket *b, struct upper_entry *out,
		      struct err *err)
{
	struct catalog *known;
	int r = upper_bucket_nodeid(fs, b, &out->nodeid, err);

	if (r < 0)
		return r;
	known = view_known(fs_view(fs, b));
	attr_bucket(fs, out->nodeid, b, known, &out->attr);
	if (known)
		catalog_put(known);
	return 0;
}

bool upper_target(const struct catalog *catalog, const struct name_node *node,
		  char out[UPPER_TARGET_MAX], const struct dataset **ds,
		  const struct version **v)
{
	const char *id = node->dataset_id;
	const struct tag *tag;

	*v = NULL;
	if (node->kind == NAME_MEMBER || node->kind == NAME_MEMBER_BARE)
		id = node->text;
	*ds = catalog_dataset_by_id(catalog, id);
	if (!*ds)
		return false;

	switch (node->kind) {
	case NAME_TAG:
		tag = dataset_tag(*ds, node->text);
		*v = tag ? listing_ready(*ds, tag->version) : NULL;
		if (!*v)
			return false;
		snprintf(out, UPPER_TARGET_MAX, "%s@%u", (*ds)->name,
			 (*v)->number);
		return true;
	case NAME_BARE:
		tag = dataset_tag(*ds, "latest");
		*v = tag ? listing_ready(*ds, tag->version) : NULL;
		snprintf(out, UPPER_TARGET_MAX, "%s@latest", (*ds)->name);
		return *v != NULL;
	case NAME_MEMBER:
	case NAME_MEMBER_BARE:
		*v = listing_ready(*ds, node->number);
		snprintf(out, UPPER_TARGET_MAX, "../%s@%u", (*ds)->name,
			 node->number);
		return *v != NULL;
	case NAME_DEFAULT:
		snprintf(out, UPPER_TARGET_MAX, "%s/%s%s%s",
			 bucket_name(node->bucket), (*ds)->name,
			 (*ds)->is_collection ? "" : "@",
			 (*ds)->is_collection ? "" :
			 node->text[0] ? node->text : "latest");
		return true;
	default:
		return false;
	}
}

static int bind_link(struct fs *fs, const struct name_node *node,
		     struct catalog *catalog, struct upper_entry *out,
		     struct err *err)
{
	char target[UPPER_TARGET_MAX] = "";
	const struct dataset *ds;
	const struct version *v;
	uint32_t index;
	int r;

	if (!upper_target(catalog, node, target, &ds, &v))
		return err_set(err, ERR_MISSING, ENOENT, "the link is gone");
	r = names_bind(fs->names, node, &index, err);
	if (r < 0)
		return r;
	out->nodeid = nodeid_make(NODEID_SLOT_NAMES, index);
	attr_link(fs, out->nodeid, node->bucket, ds, v, strlen(target),
		  &out->attr);
	return 0;
}

int upper_bind_listed(struct fs *fs, struct bucket *b, struct catalog *catalog,
		      const struct listing_entry *entry, bool is_bare,
		      struct upper_entry *out, struct err *err)
{
	struct name_node node = {
		.kind = is_bare ? NAME_BARE : NAME_TAG, .bucket = b,
		.dataset_id = entry->ds->id, .text = "",
	};
	uint32_t number;
	int r;

	switch (entry->kind) {
	case LISTING_VERSION:
		r = slots_bind(fs->slots, b, catalog, entry->ds, entry->v,
			       &number, err);
		if (r < 0)
			return r;
		out->nodeid = nodeid_make(number, TREE_ROOT);
		attr_version(fs, b, number, entry->ds, entry->v, &out->attr);
		return 0;
	case LISTING_TAG:
		if (!is_bare)
			node.text = entry->tag->name;
		return bind_link(fs, &node, catalog, out, err);
	case LISTING_COLLECTION:
	default:
		node.kind = NAME_COLLECTION;
		r = names_bind(fs->names, &node, &number, err);
		if (r < 0)
			return r;
		out->nodeid = nodeid_make(NODEID_SLOT_NAMES, number);
		attr_collection(fs, out->nodeid, b, entry->ds, &out->attr);
		return 0;
	}
}

int upper_bind_member(struct fs *fs, struct bucket *b, struct catalog *catalog,
		      const struct dataset *collection,
		      const struct dataset *ds, const struct version *v,
		      bool is_bare, struct upper_entry *out, struct err *err)
{
	const struct name_node node = {
		.kind = is_bare ? NAME_MEMBER_BARE : NAME_MEMBER,
		.bucket = b, .dataset_id = collection->id, .text = ds->id,
		.number = v->number,
	};

	return bind_link(fs, &node, catalog, out, err);
}
