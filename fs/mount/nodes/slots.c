/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/nodes/slots.h"

#include <errno.h>
#include <string.h>

#include "backends/base/lock.h"
#include "backends/base/log.h"
#include "fs/mount/nodes/keymap.h"

struct slot {
	uint8_t key[STATE_KEY_SIZE];
	struct bucket *bucket;		/* NULL: not bound in this mount */
	struct catalog *catalog;
	const struct dataset *ds;
	const struct version *v;
	uint64_t checksum;
	bool has_checksum;
	bool is_confirmed;	/* nodes of its tree may be with the kernel */
	bool is_stale;		/* another slot stands for the version now */
	struct tree *tree;
	struct slot *newer, *older;	/* among the open ones */
};

/* The lock guards everything. */
struct slots {
	struct lock lock;
	struct slot **by_number;	/* [0] is unused */
	uint32_t n, cap;
	struct keymap keys;
	struct state_file *state;
	struct slot *newest, *oldest;
	uint32_t n_open, n_bound;
};

int slots_new(struct slots **out, struct err *err)
{
	struct slots *slots = calloc(1, sizeof(*slots));

	if (!slots)
		return err_nomem(err);
	lock_init(&slots->lock);
	slots->n = 1;
	*out = slots;
	return 0;
}

void slots_free(struct slots *slots)
{
	if (!slots)
		return;
	for (uint32_t i = 1; i < slots->n; i++) {
		struct slot *s = slots->by_number[i];

		if (!s)
			continue;
		if (s->tree)
			tree_put(s->tree);
		if (s->catalog)
			catalog_put(s->catalog);
		free(s);
	}
	free(slots->by_number);
	keymap_release(&slots->keys);
	lock_release(&slots->lock);
	free(slots);
}

void slots_set_state(struct slots *slots, struct state_file *state)
{
	slots->state = state;
}

/* Room for number, with a slot in it; NULL without memory or beyond the max. */
static struct slot *slots_make(struct slots *slots, uint32_t number)
	REQUIRES(&slots->lock)
{
	if (number == 0 || number >= SLOTS_MAX)
		return NULL;
	if (number >= slots->cap) {
		uint32_t cap = slots->cap ? slots->cap : 64;
		struct slot **grown;

		while (cap <= number)
			cap *= 2;
		grown = realloc(slots->by_number, cap * sizeof(*grown));
		if (!grown)
			return NULL;
		memset(grown + slots->cap, 0,
		       (cap - slots->cap) * sizeof(*grown));
		slots->by_number = grown;
		slots->cap = cap;
	}
	if (!slots->by_number[number])
		slots->by_number[number] = calloc(1, sizeof(struct slot));
	if (number >= slots->n)
		slots->n = number + 1;
	return slots->by_number[number];
}

void slots_restore(struct slots *slots, const struct state_record *record)
{
	struct slot *s;

	lock_take(&slots->lock);
	s = slots_make(slots, record->number);
	if (s && record->kind == STATE_SLOT) {
		memcpy(s->key, record->key, STATE_KEY_SIZE);
		if (keymap_set(&slots->keys, s->key, record->number) < 0)
			log_debug("mount", "slot is not restored: no memory");
	} else if (s && record->kind == STATE_CHECKSUM &&
		   memcmp(s->key, record->key, STATE_KEY_SIZE) == 0) {
		s->checksum = record->value;
		s->has_checksum = true;
	}
	lock_drop(&slots->lock);
}

static void slot_key(uint8_t out[STATE_KEY_SIZE], struct bucket *b,
		     const struct catalog *catalog, const struct dataset *ds,
		     const struct version *v)
{
	const struct bucket_access access = bucket_access(b);
	uint8_t bytes[4 + 12 + SHA256_SIZE];
	const char *parts[] = { "version", bucket_key(b), catalog->id, ds->id };

	put_le32(bytes, v->number);
	put_le32(bytes + 4, access.uid);
	put_le32(bytes + 8, access.gid);
	put_le32(bytes + 12, (uint32_t)access.access);
	memcpy(bytes + 16, v->digest, SHA256_SIZE);
	keymap_key(out, parts, ARRAY_SIZE(parts), bytes, sizeof(bytes));
}

/* Takes over the reference to catalog. */
static void slot_attach(struct slots *slots, struct slot *s, struct bucket *b,
			struct catalog *catalog, const struct dataset *ds,
			const struct version *v, struct catalog **old)
	REQUIRES(&slots->lock)
{
	*old = s->catalog;
	if (!s->bucket)
		slots->n_bound++;
	s->bucket = b;
	s->catalog = catalog;
	s->ds = ds;
	s->v = v;
}

/* Records are written outside the lock, before the number is answered. */
static void slots_write(struct slots *slots, enum state_kind kind,
			uint32_t number, const uint8_t key[STATE_KEY_SIZE],
			uint64_t value)
{
	struct state_record rec = {
		.kind = kind, .number = number, .value = value,
	};
	struct err err = ERR_INIT;

	if (!slots->state)
		return;
	memcpy(rec.key, key, STATE_KEY_SIZE);
	if (state_file_append(slots->state, &rec, &err) < 0)
		log_warn("mount", "inode numbers will change with the next mount: error=\"%s\"",
			 err.text);
}

static int slots_limit(struct err *err)
{
	return err_set(err, ERR_SYSTEM, ENFILE,
		       "more than %u versions were named since the mount",
		       SLOTS_MAX);
}

int slots_bind(struct slots *slots, struct bucket *b, struct catalog *catalog,
	       const struct dataset *ds, const struct version *v,
	       uint32_t *slot, struct err *err)
{
	uint8_t key[STATE_KEY_SIZE];
	struct catalog *old = NULL;
	struct slot *s;
	uint32_t number;
	bool is_new = false;

	slot_key(key, b, catalog, ds, v);
	lock_take(&slots->lock);
	number = keymap_find(&slots->keys, key);
	s = number ? slots->by_number[number] : NULL;
	if (!s) {
		number = slots->n;
		s = slots_make(slots, number);
		if (!s || keymap_set(&slots->keys, key, number) < 0) {
			lock_drop(&slots->lock);
			return slots_limit(err);
		}
		memcpy(s->key, key, STATE_KEY_SIZE);
		is_new = true;
	}
	if (s->catalog != catalog)
		slot_attach(slots, s, b, catalog_get(catalog), ds, v, &old);
	lock_drop(&slots->lock);

	if (old)
		catalog_put(old);
	if (is_new)
		slots_write(slots, STATE_SLOT, number, key, 0);
	*slot = number;
	return 0;
}

/* The open ones, newest first. */
static void open_unlink(struct slots *slots, struct slot *s)
	REQUIRES(&slots->lock)
{
	if (s->newer)
		s->newer->older = s->older;
	else
		slots->newest = s->older;
	if (s->older)
		s->older->newer = s->newer;
	else
		slots->oldest = s->newer;
	s->newer = s->older = NULL;
	slots->n_open--;
}

static void open_link(struct slots *slots, struct slot *s)
	REQUIRES(&slots->lock)
{
	s->older = slots->newest;
	s->newer = NULL;
	if (slots->newest)
		slots->newest->newer = s;
	else
		slots->oldest = s;
	slots->newest = s;
	slots->n_open++;
}

static struct slot *slots_bound(struct slots *slots, uint32_t number)
	REQUIRES(&slots->lock)
{
	struct slot *s = number < slots->n && number > 0 ?
			 slots->by_number[number] : NULL;

	return s && s->bucket && !s->is_stale ? s : NULL;
}

static int slot_stale(struct err *err)
{
	return err_set(err, ERR_MISSING, ESTALE,
		       "the node is not of this mount any more");
}

static void slot_fill(struct slot_ref *out, const struct slot *s,
		      uint32_t number)
{
	out->slot = number;
	out->bucket = s->bucket;
	out->catalog = catalog_get(s->catalog);
	out->ds = s->ds;
	out->v = s->v;
	out->tree = s->tree ? tree_get(s->tree) : NULL;
}

int slots_get(struct slots *slots, uint32_t slot, struct slot_ref *out,
	      struct err *err)
{
	struct slot *s;

	lock_take(&slots->lock);
	s = slots_bound(slots, slot);
	if (!s) {
		lock_drop(&slots->lock);
		return slot_stale(err);
	}
	if (s->tree && slots->newest != s) {
		open_unlink(slots, s);
		open_link(slots, s);
	}
	slot_fill(out, s, slot);
	lock_drop(&slots->lock);
	return 0;
}

void slot_ref_release(struct slot_ref *ref)
{
	if (ref->tree)
		tree_put(ref->tree);
	if (ref->catalog)
		catalog_put(ref->catalog);
	ref->tree = NULL;
	ref->catalog = NULL;
}

/*
 * Another tree under nodes that the kernel holds: they are dead, the version
 * goes on under a new number.
 */
static uint32_t slots_replace(struct slots *slots, struct slot *s)
	REQUIRES(&slots->lock)
{
	uint32_t number = slots->n;
	struct slot *fresh = slots_make(slots, number);

	if (!fresh || keymap_set(&slots->keys, s->key, number) < 0)
		return 0;
	memcpy(fresh->key, s->key, STATE_KEY_SIZE);
	s->is_stale = true;
	return number;
}

int slots_set_tree(struct slots *slots, uint32_t slot, struct tree *tree,
		   struct err *err)
{
	uint8_t key[STATE_KEY_SIZE];
	struct tree *closed = NULL, *evicted = NULL;
	struct tree_info info;
	struct slot *s;
	uint32_t replaced = 0;
	bool is_stale = false, is_new = false;

	tree_info(tree, &info);
	lock_take(&slots->lock);
	s = slots_bound(slots, slot);
	if (!s) {
		lock_drop(&slots->lock);
		return slot_stale(err);
	}
	memcpy(key, s->key, sizeof(key));
	if (s->is_confirmed && s->checksum != info.checksum) {
		replaced = slots_replace(slots, s);
		is_stale = true;
	} else {
		is_new = !s->has_checksum || s->checksum != info.checksum;
		s->checksum = info.checksum;
		s->has_checksum = s->is_confirmed = true;
	}
	if (s->tree) {
		closed = s->tree;
		s->tree = NULL;
		open_unlink(slots, s);
	}
	if (!is_stale) {
		s->tree = tree_get(tree);
		open_link(slots, s);
		if (slots->n_open > SLOTS_TREES_MAX) {
			struct slot *last = slots->oldest;

			evicted = last->tree;
			last->tree = NULL;
			open_unlink(slots, last);
		}
	}
	lock_drop(&slots->lock);

	if (closed)
		tree_put(closed);
	if (evicted)
		tree_put(evicted);
	if (replaced)
		slots_write(slots, STATE_SLOT, replaced, key, 0);
	if (is_new)
		slots_write(slots, STATE_CHECKSUM, slot, key, info.checksum);
	return is_stale ? slot_stale(err) : 0;
}

void slots_drop_tree(struct slots *slots, uint32_t slot, struct tree *tree)
{
	struct tree *closed = NULL;
	struct slot *s;

	lock_take(&slots->lock);
	s = slots_bound(slots, slot);
	if (s && s->tree == tree) {
		closed = s->tree;
		s->tree = NULL;
		open_unlink(slots, s);
	}
	lock_drop(&slots->lock);
	if (closed)
		tree_put(closed);
}

static const struct version *same_version(const struct catalog *catalog,
					  const struct slot *s,
					  const struct dataset **ds)
{
	const struct version *v;

	if (strcmp(catalog->id, s->catalog->id) != 0)
		return NULL;
	*ds = catalog_dataset_by_id(catalog, s->ds->id);
	v = *ds ? dataset_version(*ds, s->v->number) : NULL;
	if (!v || memcmp(v->digest, s->v->digest, SHA256_SIZE) != 0)
		return NULL;
	return v;
}

void slots_refresh(struct slots *slots, struct bucket *b,
		   struct catalog *catalog)
{
	for (uint32_t i = 1;; i++) {
		struct catalog *old = NULL;
		const struct dataset *ds;
		const struct version *v;
		struct slot *s;

		/* One slot at a time: requests are not held up. */
		lock_take(&slots->lock);
		if (i >= slots->n) {
			lock_drop(&slots->lock);
			return;
		}
		s = slots->by_number[i];
		if (s && s->bucket == b && s->catalog != catalog) {
			v = same_version(catalog, s, &ds);
			if (v)
				slot_attach(slots, s, b, catalog_get(catalog),
					    ds, v, &old);
		}
		lock_drop(&slots->lock);
		if (old)
			catalog_put(old);
	}
}

void slots_totals(struct slots *slots, struct slots_totals *out)
{
	lock_take(&slots->lock);
	out->bound = slots->n_bound;
	out->open_trees = slots->n_open;
	lock_drop(&slots->lock);
}

void slots_each_open(struct slots *slots,
		     void (*each)(void *arg, const struct slot_ref *ref),
		     void *arg)
{
	struct slot_ref refs[SLOTS_TREES_MAX + 1];
	uint32_t n = 0;

	lock_take(&slots->lock);
	for (uint32_t i = 1; i < slots->n && n < ARRAY_SIZE(refs); i++)
		if (slots->by_number[i] && slots->by_number[i]->tree)
			slot_fill(&refs[n++], slots->by_number[i], i);
	lock_drop(&slots->lock);

	for (uint32_t i = 0; i < n; i++) {
		each(arg, &refs[i]);
		slot_ref_release(&refs[i]);
	}
}
