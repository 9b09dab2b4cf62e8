/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/dataset/tree_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backends/backend.h"
#include "backends/base/digest.h"
#include "backends/base/encode.h"
#include "backends/base/log.h"
#include "fs/dataset/osmo/osmo_etag.h"
#include "fs/dataset/tree/tree_emit.h"
#include "fs/dataset/tree/tree_prefix.h"

#define LOG "tree"
#define TEXT_MAX 16384u		/* of a source, of an etag */
#define PRINT_MAX 300

/*
 * Directories that have a record already, so that not each file brings a new
 * one for each of its parents.  It may forget (they are merged later), but
 * must not be wrong: so it holds the whole key.
 */
#define KNOWN_DIRS 8192u
#define KNOWN_KEY_MAX 127u
struct known_dir {
	uint8_t len;
	uint8_t parent[KNOWN_KEY_MAX];
};
_Static_assert(sizeof(struct known_dir) == 128, "1 MiB in all");

struct tree_build {
	int dirfd;
	bool is_listing;
	char *name, *label, *hash_location;
	size_t hash_location_len;
	uint8_t identity[TREE_IDENTITY_SIZE];

	struct record_sort *sort;
	struct tree_prefixes prefixes;
	struct known_dir *known;
	uint8_t last[TREE_KEY_MAX];	/* parent of the last file */
	size_t last_len;
	uint32_t n_rejected, n_repaired;
};

/* Its own prefix has a place however many others come before it. */
static int keep_hash_location(struct tree_build *b, const char *location,
			      struct err *err)
{
	cleanup_buf struct buf any = BUF_INIT;
	struct tree_source_form form;
	size_t len = strlen(location);

	while (len && location[len - 1] == '/')
		len--;
	b->hash_location = strndup(location, len);
	b->hash_location_len = len;
	buf_bytes(&any, location, len);
	buf_str(&any, "/x");
	if (!b->hash_location || buf_failed(&any))
		return err_nomem(err);
	return tree_prefixes_split(&b->prefixes, &form, any.data, any.len, "",
				   0, err);
}

static int build_init(struct tree_build *b,
		      const struct tree_build_options *opt, struct err *err)
{
	int r;

	b->dirfd = opt->dirfd;
	b->is_listing = opt->is_listing;
	memcpy(b->identity, opt->identity, sizeof(b->identity));
	b->name = strdup(opt->name);
	b->label = strdup(opt->label ? opt->label : opt->name);
	b->known = calloc(KNOWN_DIRS, sizeof(*b->known));
	if (!b->name || !b->label || !b->known)
		return err_nomem(err);
	r = tree_prefixes_init(&b->prefixes, err);
	if (r == 0 && opt->hash_location && opt->hash_location[0])
		r = keep_hash_location(b, opt->hash_location, err);
	return r < 0 ? r : record_sort_new(&b->sort, b->dirfd,
					   opt->memory ? opt->memory :
							 TREE_BUILD_MEMORY,
					   err);
}

int tree_build_new(struct tree_build **out,
		   const struct tree_build_options *opt, struct err *err)
{
	struct tree_build *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return err_nomem(err);
	r = build_init(b, opt, err);
	if (r < 0) {
		tree_build_free(b);
		return r;
	}
	*out = b;
	return 0;
}

void tree_build_free(struct tree_build *b)
{
	if (!b)
		return;
	record_sort_free(b->sort);
	tree_prefixes_release(&b->prefixes);
	free(b->known);
	free(b->name);
	free(b->label);
	free(b->hash_location);
	free(b);
}

void tree_build_count_repaired(struct tree_build *b)
{
	b->n_repaired++;
}

static void reject(struct tree_build *b, const char *path, size_t len,
		   const char *why)
{
	cleanup_buf struct buf text = BUF_INIT;

	if (++b->n_rejected > TREE_BUILD_LOG_MAX)
		return;
	encode_printable(&text, path, len, PRINT_MAX);
	log_warn(LOG, "file left out, bad path: version=%s path=\"%s\" why=\"%s\"",
		 b->label, text.data ? text.data : "", why);
}

/* ---- directories ---- */

static struct known_dir *known_slot(struct tree_build *b,
				    const uint8_t *parent, size_t len)
{
	return &b->known[digest_xxh3(parent, len) % KNOWN_DIRS];
}

static bool is_known(struct tree_build *b, const uint8_t *parent, size_t len)
{
	const struct known_dir *k;

	if (len == 0)
		return true;		/* the root */
	/* The last file's parents: all that end at a component of it. */
	if (len <= b->last_len && memcmp(parent, b->last, len) == 0)
		return true;
	if (len > KNOWN_KEY_MAX)
		return false;
	k = known_slot(b, parent, len);
	return k->len == len && memcmp(k->parent, parent, len) == 0;
}

/* parent: the directory's components, each with its NUL. */
static int add_dir(struct tree_build *b, const uint8_t *parent, size_t len,
		   struct err *err)
{
	const uint8_t *before = memrchr(parent, '\0', len - 1);
	size_t name = before ? (size_t)(before - parent) + 1 : 0;
	uint8_t key[TREE_KEY_MAX];
	struct record rec = { .key = key, .rank = TREE_RANK_DIR };

	memcpy(key, parent, name);
	key[name] = '\0';
	memcpy(key + name + 1, parent + name, len - 1 - name);
	rec.key_len = (uint16_t)len;
	if (len <= KNOWN_KEY_MAX) {
		struct known_dir *k = known_slot(b, parent, len);

		k->len = (uint8_t)len;
		memcpy(k->parent, parent, len);
	}
	return record_sort_add(b->sort, &rec, err);
}

/* Records for those of a file's parents that may have none yet. */
static int add_parents(struct tree_build *b, const uint8_t *parent, size_t len,
		       struct err *err)
{
	size_t known = len;
	int r;

	while (!is_known(b, parent, known)) {
		const uint8_t *nul = memrchr(parent, '\0', known - 1);

		known = nul ? (size_t)(nul - parent) + 1 : 0;
	}
	while (known < len) {
		const uint8_t *nul = memchr(parent + known, '\0', len - known);

		known = (size_t)(nul - parent) + 1;
		r = add_dir(b, parent, known, err);
		if (r < 0)
			return r;
	}
	memcpy(b->last, parent, len);
	b->last_len = len;
	return 0;
}

/* ---- files ---- */

/* What tree_build_add() was given. */
struct given {
	const char *source, *etag;
	size_t source_len, etag_len;
	uint64_t size;
	enum tree_fault fault;
};

/*
 * Whether the etag is the content's name and not the store's validator.  In the
 * version's own location always: what OSMO put there it named so.  In another
 * one, of another dataset or of before the bucket was moved, where the etag has
 * the form: one that came from a store's listing would be the validator of that
 * object as well.  In a local directory whatever is not of the form that its
 * own validators have, which are made of times and inode numbers.
 */
static bool is_hashed(const struct tree_build *b, const struct given *f,
		      uint32_t parts)
{
	static const char usual[] = "/hashes", local[] = "file://";
	const size_t n = sizeof(usual) - 1;
	size_t len;

	if (b->is_listing || f->etag_len == 0)
		return false;
	if (f->source_len > sizeof(local) - 1 &&
	    memcmp(f->source, local, sizeof(local) - 1) == 0)
		return f->etag_len != BACKEND_FILE_ETAG_LEN;
	if (!tree_source_is_etag(f->source, f->source_len, f->etag,
				 f->etag_len))
		return false;
	len = f->source_len - f->etag_len - 1;
	if (b->hash_location && len == b->hash_location_len &&
	    memcmp(f->source, b->hash_location, len) == 0)
		return true;
	return osmo_etag_fits(parts, f->size) && len >= n &&
	       memcmp(f->source + len - n, usual, n) == 0;
}

/* The payload of a file's record: *len bytes. */
static void encode_file(const struct tree_build *b, uint8_t *p, size_t *len,
			const struct tree_source_form *form,
			const struct given *f)
{
	struct osmo_etag parsed = { .parts = 0 };
	uint8_t flags = form->flags;
	size_t n = TREE_P_HEAP;

	if (osmo_etag_parse(&parsed, f->etag, f->etag_len))
		flags |= TREE_F_MD5;
	else
		memset(&parsed, 0, sizeof(parsed));
	if (is_hashed(b, f, flags & TREE_F_MD5 ? parsed.parts : UINT32_MAX))
		flags |= TREE_F_HASHED;
	if (f->etag_len && !parsed.is_canonical)
		flags |= TREE_F_ETAG_TEXT;
	put_le64(p + TREE_P_SIZE, f->size);
	memcpy(p + TREE_P_MD5, parsed.md5, MD5_SIZE);
	put_le32(p + TREE_P_MD5 + MD5_SIZE, parsed.parts);
	put_le16(p + TREE_P_PREFIX, form->prefix);
	p[TREE_P_FLAGS] = flags;
	p[TREE_P_FLAGS + 1] = (uint8_t)(f->fault == TREE_OK &&
					!form->is_readable ?
					TREE_FAULT_SOURCE : f->fault);
	put_le16(p + TREE_P_SOURCE_LEN, (uint16_t)form->text_len);
	if (form->text_len)
		memcpy(p + n, form->text, form->text_len);
	n += form->text_len;
	if (flags & TREE_F_ETAG_TEXT) {
		put_le16(p + n, (uint16_t)f->etag_len);
		memcpy(p + n + 2, f->etag, f->etag_len);
		n += 2 + f->etag_len;
	}
	*len = n;
}

static const char *check_file(const struct given *f)
{
	if (f->size > INT64_MAX)
		return "size over 2^63";
	if (f->source_len > TEXT_MAX || f->etag_len > TEXT_MAX)
		return "source or etag over 16384 bytes";
	return NULL;
}

int tree_build_add(struct tree_build *b, const char *path, size_t path_len,
		   const char *source, size_t source_len, uint64_t size,
		   const char *etag, size_t etag_len, enum tree_fault fault,
		   struct err *err)
{
	const struct given f = { source, etag, source_len, etag_len, size,
				     fault };
	uint8_t payload[TREE_P_HEAP + 2 * TEXT_MAX + 2];
	uint8_t key[TREE_KEY_MAX];
	struct tree_source_form form;
	size_t key_len, name_at, len;
	struct record rec = { .key = key, .payload = payload,
			      .rank = TREE_RANK_FILE };
	const char *why = tree_path_key(key, &key_len, &name_at, path, path_len);
	int r;

	if (!why)
		why = check_file(&f);
	if (why) {
		reject(b, path, path_len, why);
		return 0;
	}
	r = tree_prefixes_split(&b->prefixes, &form, source, source_len, etag,
				etag_len, err);
	if (r == 0)
		r = add_parents(b, key, name_at - 1, err);
	if (r < 0)
		return r;
	encode_file(b, payload, &len, &form, &f);
	rec.key_len = (uint16_t)key_len;
	rec.payload_len = (uint16_t)len;
	return record_sort_add(b->sort, &rec, err);
}

/* ---- the end ---- */

static void encode_header(const struct tree_build *b, uint8_t *header,
			  const struct tree_info *info)
{
	uint8_t *notes = header + TREE_H_NOTES;

	memcpy(header + TREE_H_IDENTITY, b->identity, TREE_IDENTITY_SIZE);
	put_le32(header + TREE_H_COUNTS, info->n_entries);
	put_le32(header + TREE_H_COUNTS + 4, info->n_files);
	put_le32(header + TREE_H_COUNTS + 8, info->n_dirs);
	put_le32(notes, info->n_duplicates);
	put_le32(notes + 4, info->n_clashes);
	put_le32(notes + 8, b->n_rejected);
	put_le32(notes + 12, b->n_repaired);
	put_le32(notes + 16, info->n_faults);
	put_le64(header + TREE_H_TOTAL, info->total_size);
	put_le32(header + TREE_H_PREFIXES, b->prefixes.n);
}

static int merge(struct tree_build *b, struct tree_emit *emit, struct err *err)
{
	struct record rec;
	int r = record_sort_finish(b->sort, err);

	while (r >= 0 && (r = record_sort_next(b->sort, &rec, err)) > 0)
		r = tree_emit_record(emit, &rec, err);
	return r < 0 ? r : tree_emit_finish(emit, err);
}

static int write_tree(struct tree_build *b, struct tree_writer *writer,
		      struct tree_emit *emit, struct err *err)
{
	uint8_t header[TREE_HEADER_SIZE] = { 0 };
	int r = tree_emit_init(emit, writer, b->label, err);

	if (r == 0)
		r = merge(b, emit, err);
	if (r < 0)
		return r;
	encode_header(b, header, &emit->info);
	return tree_writer_finish(writer, header, b->prefixes.bytes.data,
				  b->prefixes.bytes.len, b->name, err);
}

int tree_build_finish(struct tree_build *b, struct tree **out, struct err *err)
{
	struct tree_emit *emit = calloc(1, sizeof(*emit));
	struct tree_writer writer;
	int r;

	if (!emit)
		return err_nomem(err);
	r = tree_writer_init(&writer, b->dirfd, err);
	if (r == 0)
		r = write_tree(b, &writer, emit, err);
	if (r == 0)
		r = tree_open_fd(out, steal_fd(&writer.file.fd), b->identity,
				 err);
	tree_writer_release(&writer);
	tree_emit_release(emit);
	free(emit);
	return r < 0 ? err_wrap(err, "tree of %s", b->label) : 0;
}
