/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/read_faults.h"

#include <errno.h>

#include "backends/base/clock.h"
#include "backends/base/lock.h"
#include "backends/base/log.h"

struct read_fault {
	uint64_t nodeid;
	uint64_t off, end;
	int64_t until_ms;
	int code;
};

/*
 * Each node and error has one place, and each MiB of a node, where the latest
 * failure that touched it is; whoever comes later takes it over.  lock guards
 * recent.
 */
struct read_faults {
	uint64_t seen[READ_FAULTS_MAX];	/* atomic */
	int64_t until_ms;		/* atomic: none in recent is younger */
	struct lock lock;
	struct read_fault recent[READ_FAULTS_RECENT_MAX];
};

int read_faults_new(struct read_faults **out, struct err *err)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return err_nomem(err);
	lock_init(&(*out)->lock);
	return 0;
}

void read_faults_free(struct read_faults *faults)
{
	if (!faults)
		return;
	lock_release(&faults->lock);
	free(faults);
}

static uint64_t spread(uint64_t x)
{
	return x * UINT64_C(0x9e3779b97f4a7c15);
}

bool read_faults_first(struct read_faults *faults, uint64_t nodeid, int code)
{
	uint64_t mark = spread(nodeid ^ (uint64_t)code << 56);
	uint64_t *place = &faults->seen[mark >> 52];

	_Static_assert(READ_FAULTS_MAX == 1u << 12, "twelve bits of the mark");
	return __atomic_exchange_n(place, mark, __ATOMIC_RELAXED) != mark;
}

/* The kernel reads 1 MiB at most: one or two places. */
#define PLACE_SHIFT 20

static struct read_fault *recent_place(struct read_faults *faults,
				       uint64_t nodeid, uint64_t nth)
{
	_Static_assert(READ_FAULTS_RECENT_MAX == 1u << 10, "ten bits");
	return &faults->recent[spread(spread(nodeid) ^ nth) >> 54];
}

void read_faults_note(struct read_faults *faults, uint64_t nodeid,
		      uint64_t off, size_t size, int code)
{
	const struct read_fault fault = {
		.nodeid = nodeid, .off = off, .end = off + size,
		.until_ms = clock_ms() + READ_FAULTS_REPEAT_MS, .code = code,
	};

	lock_take(&faults->lock);
	for (uint64_t n = off >> PLACE_SHIFT; n << PLACE_SHIFT < fault.end; n++)
		*recent_place(faults, nodeid, n) = fault;
	lock_drop(&faults->lock);
	__atomic_store_n(&faults->until_ms, fault.until_ms, __ATOMIC_RELEASE);
}

int read_faults_recent(struct read_faults *faults, uint64_t nodeid,
		       uint64_t off, size_t size)
{
	int64_t now_ms = clock_ms();
	uint64_t end = off + size;
	int code = 0;

	/* No read but one soon after a failure takes the lock. */
	if (now_ms >= __atomic_load_n(&faults->until_ms, __ATOMIC_ACQUIRE))
		return 0;
	lock_take(&faults->lock);
	for (uint64_t n = off >> PLACE_SHIFT; n << PLACE_SHIFT < end; n++) {
		const struct read_fault *f = recent_place(faults, nodeid, n);

		if (f->nodeid == nodeid && now_ms < f->until_ms &&
		    off < f->end && f->off < end)
			code = f->code;
	}
	lock_drop(&faults->lock);
	return code;
}

void read_faults_log(struct fs *fs, const struct slot_ref *ref,
		     uint32_t index, int code, const char *text)
{
	cleanup_buf struct buf path = BUF_INIT;
	struct err err = ERR_INIT;

	if (!read_faults_first(fs->faults, nodeid_make(ref->slot, index), code))
		return;
	if (tree_path(ref->tree, index, &path, &err) < 0)
		buf_printf(&path, "entry %u", index);
	log_error("mount", "read failed: version=%s/%s@%u path=\"%s\" errno=%d error=\"%s\"",
		  bucket_name(ref->bucket), ref->ds->name, ref->v->number,
		  path.data ? path.data : "?", code, text);
}
