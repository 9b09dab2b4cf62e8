/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/fuse/read_faults.h"

#include <errno.h>

#include "backends/base/log.h"

/* Each node and error has one place; whoever comes later takes it over. */
struct read_faults {
	uint64_t seen[READ_FAULTS_MAX];	/* atomic */
};

int read_faults_new(struct read_faults **out, struct err *err)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : err_nomem(err);
}

void read_faults_free(struct read_faults *faults)
{
	free(faults);
}

bool read_faults_first(struct read_faults *faults, uint64_t nodeid, int code)
{
	uint64_t mark = (nodeid ^ (uint64_t)code << 56) *
			UINT64_C(0x9e3779b97f4a7c15);
	uint64_t *place = &faults->seen[mark >> 52];

	_Static_assert(READ_FAULTS_MAX == 1u << 12, "twelve bits of the mark");
	return __atomic_exchange_n(place, mark, __ATOMIC_RELAXED) != mark;
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
