/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A segment: one file of the disk cache.  Records are appended to it until it
 * is sealed by a summary of them; after that it never changes, and is unlinked
 * as a whole.  Only sealed segments are found again by another process.
 *
 * Its name is its sequence as 16 hexadecimal digits; from when it is sealed
 * followed by where its summary is, so that who opens it needs one read more
 * and no other call: ".", the offset as 8 digits, ".", how many lines as 8.
 *
 *	header	32 bytes: "dfsseg02", sequence u64, xxh3 of both u64, 0 u64
 *	record*	a head of 40 bytes: key (2 x u64), part u32, len u32, xxh3 of
 *		the data u64, xxh3 of the head before it u64; then the data
 *	summary	32 bytes for each record or note, in the order they came:
 *		key (2 x u64), part u32, len u32, value u64
 *	footer	40 bytes: "dfssum02", sequence u64, number u32, 0 u32, offset
 *		of the summary u64, xxh3 of the summary and the footer before it
 *
 * Between records there may be bytes that mean nothing: a large record's data
 * begin at a page, so that it goes to the disk and comes from it without a copy
 * in the kernel's page cache, where it would be a second time.
 *
 * Little-endian.  value is the record's offset, or whatever a note (len 0)
 * says; a note may be a tombstone, see disk_notes.h.  It is a cache: a file
 * whose name begins as one's and that is anything else, such as one of another
 * version of this format, is removed, never converted.
 *
 * What a record's bytes are is in its head: a piece that was damaged, or moved
 * here from elsewhere, is none.  Nothing is mapped: a truncated file is a short
 * read.  One thread appends; any may read, also while it is unlinked.
 */
#ifndef DATASETFS_CACHE_DISK_SEGMENT_H
#define DATASETFS_CACHE_DISK_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>
#include "backends/base/err.h"

#define SEGMENT_SIZE_MAX ((uint64_t)64 << 20)
#define SEGMENT_HEADER 32
#define SEGMENT_RECORD_HEAD 40
#define SEGMENT_ENTRY 32
#define SEGMENT_FOOTER 40
#define SEGMENT_RECORD_MAX ((uint32_t)1 << 20)	/* bytes of data */
/* Data of so many bytes, and whole pages, that lie at a page: see above. */
#define SEGMENT_DIRECT_MIN ((uint32_t)256 << 10)
#define SEGMENT_PAGE ((size_t)4096)
#define SEGMENT_NAME 35				/* and its NUL */

struct segment_key {
	uint64_t hi, lo;
};

struct segment_entry {
	struct segment_key key;
	uint32_t part;
	uint32_t len;		/* of the data; 0: a note */
	uint64_t value;		/* offset of the record, or the note's */
};

struct segment;

/* A sealed one, as its name says. */
struct segment_file {
	uint64_t sequence;
	uint32_t end;		/* of the records: there its summary begins */
	uint32_t n_entries;
};

enum segment_kind {
	SEGMENT_NONE,		/* something else's name */
	SEGMENT_STALE,		/* unsealed, or of another format */
	SEGMENT_SEALED,
};
/* *out: but for SEGMENT_NONE its sequence; of a sealed one all. */
enum segment_kind segment_file_parse(const char *name,
				     struct segment_file *out);
/* The name of a sealed one. */
void segment_file_name(char out[SEGMENT_NAME],
		       const struct segment_file *file);

/* A new one, open for appending; dir_fd is borrowed for the call. */
int segment_create(struct segment **out, int dir_fd, uint64_t sequence,
		   struct err *err) MUST_CHECK;

/* Whoever has it open reads on.  Nothing is told when it is not there. */
void segment_unlink(const struct segment *s, int dir_fd);

/* Of each entry of a summary, the newest first; r < 0 ends the reading. */
typedef int (*segment_entry_fn)(void *arg, const struct segment_entry *entry);
/*
 * A sealed one, its summary told to each.  -EBADMSG: the file is no whole
 * segment.
 */
int segment_open(struct segment **out, int dir_fd,
		 const struct segment_file *file, segment_entry_fn each,
		 void *arg, struct err *err) MUST_CHECK;
/* Tells the summary of a sealed one again, from the file. */
int segment_each(struct segment *s, segment_entry_fn each, void *arg,
		 struct err *err) MUST_CHECK;

/* Counted; the last put closes.  Any thread. */
struct segment *segment_get(struct segment *s);
void segment_put(struct segment *s);

uint64_t segment_sequence(const struct segment *s);
/* Its file's, as far as this process knows. */
const char *segment_name(const struct segment *s);
/* What the file takes, with a summary of what it holds. */
uint64_t segment_bytes(const struct segment *s);

/* What a record or a note of len bytes takes at most, with its line above. */
uint64_t segment_cost(uint32_t len);

/*
 * Appends entry's len bytes and sets its value; or with len 0 notes its value.
 * On an error the segment is as before, but may be sealed no more.
 */
int segment_append(struct segment *s, struct segment_entry *entry,
		   const void *data, struct err *err) MUST_CHECK;
/* Where somebody removed the file it is well: nobody finds it again. */
int segment_seal(struct segment *s, int dir_fd, struct err *err) MUST_CHECK;

/*
 * The data of a record into dst (entry->len bytes).  -EBADMSG: the bytes there
 * are not this record's; -errno of the read.
 */
int segment_read(struct segment *s, const struct segment_entry *entry,
		 void *dst) MUST_CHECK;
/* The same where the kernel has them in its page cache; else -EAGAIN. */
int segment_read_now(struct segment *s, const struct segment_entry *entry,
		     void *dst) MUST_CHECK;

#endif
