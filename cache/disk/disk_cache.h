/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk cache: records of blobs in a log of segments (segment.h), found by
 * an index in memory, written by one thread, evicted by whole segments, oldest
 * first; records that were used since they were written are carried over, half
 * a segment's bytes at most.
 *
 * It never fails a reader.  When the disk does not take what it is given, that
 * is said once in the log, nothing is written for DISK_CACHE_PAUSE_MS, and
 * then it is tried again; what cannot be read, or is not what it should be, is
 * a miss.  What comes faster than the disk takes it is not cached.
 *
 * Any thread may call.  Only disk_cache_read() and _open() wait for the disk.
 * It must not know stores, how bytes are checked, or who waits for them.
 */
#ifndef DATASETFS_CACHE_DISK_DISK_CACHE_H
#define DATASETFS_CACHE_DISK_DISK_CACHE_H

#include "cache/disk/disk_index.h"
#include "cache/disk/disk_notes.h"
#include "cache/disk/segment.h"
#include "cache/memory_budget.h"

struct disk_cache;

#define DISK_CACHE_GRAIN ((uint64_t)64 << 10)	/* records begin at multiples */
#define DISK_CACHE_EXTENT ((uint64_t)1 << 20)	/* and end in the same extent */
#define DISK_CACHE_QUEUE_MAX ((uint64_t)64 << 20)	/* bytes not yet written, */
#define DISK_CACHE_QUEUE_SHARE 3	/* ... and of the memory at most */
/*
 * Records that are less together wait so long for more, so that the writing
 * thread is not woken for each: never a flush, a note, or the end.
 */
#define DISK_CACHE_GATHER ((uint64_t)256 << 10)
#define DISK_CACHE_GATHER_MS 10
#define DISK_CACHE_STUCK_MS 500		/* longer for a record: it is stuck */
#define DISK_CACHE_PAUSE_MS 10000
#define DISK_CACHE_SIZE_MIN ((uint64_t)16 << 20)

struct disk_cache_options {
	const char *dir;	/* made if need be; this process's alone */
	uint64_t size;		/* bytes at most, DISK_CACHE_SIZE_MIN at least */
	uint64_t free;		/* bytes to leave free on the file system */
	/* Bytes that count against size beside the segments; asked now and
	   then, on the writing thread.  NULL: none do. */
	uint64_t (*others)(void *arg);
	void *others_arg;
	struct memory_budget *budget;	/* borrowed, outlives the cache */
};

/*
 * Finds what the last process sealed.  Errors: of memory, or of a directory
 * that cannot be made or opened, or is not this user's alone.
 */
int disk_cache_open(struct disk_cache **out,
		    const struct disk_cache_options *opt,
		    struct err *err) MUST_CHECK;
/* Writes what is queued and seals; no record may be pinned. */
void disk_cache_free(struct disk_cache *dc);

/* Pinned: given to disk_cache_read() or disk_cache_release(), once. */
struct disk_record {
	struct segment *segment;
	struct segment_entry entry;
	uint32_t slot;
	uint64_t offset;	/* in the blob; entry.len bytes */
};

/* A record that holds the byte at offset.  False: there is none. */
bool disk_cache_find(struct disk_cache *dc, const struct segment_key *key,
		     uint64_t offset, struct disk_record *out);
/* The one that begins at offset, as by somebody who only looks at it. */
bool disk_cache_peek(struct disk_cache *dc, const struct segment_key *key,
		     uint64_t offset, struct disk_record *out);
/* record->entry.len bytes into dst, or -EIO: it is a miss from now on. */
int disk_cache_read(struct disk_cache *dc, struct disk_record *record,
		    void *dst) MUST_CHECK;
/* The same without waiting for the disk: -EAGAIN, and it is pinned still. */
int disk_cache_read_now(struct disk_cache *dc, struct disk_record *record,
			void *dst) MUST_CHECK;
void disk_cache_release(struct disk_record *record);

/* Of the first size bytes of a blob, those that have records; for reports. */
uint64_t disk_cache_bytes_of(struct disk_cache *dc,
			     const struct segment_key *key, uint64_t size);

/*
 * Counting what the disk holds, each record once in a group: see
 * disk_index.h.  One at a time; begun with { .bytes = { 0 } } and _next() of
 * every level, whose bytes it sets to 0.
 */
struct disk_tally {
	uint8_t groups[DISK_TALLY_LEVELS];
	uint64_t bytes[DISK_TALLY_LEVELS];
};
void disk_cache_tally_next(struct disk_cache *dc, struct disk_tally *tally,
			   unsigned level);
void disk_cache_tally(struct disk_cache *dc, struct disk_tally *tally,
		      const struct segment_key *key, uint64_t size);

/*
 * A miss from now on, what is queued of it too, and for the next process once
 * the open segment is sealed; the bytes that records held.  Where they lay is
 * free when their segments go.  Who forgets many calls disk_cache_flush() now
 * and then: each is queued.
 */
uint64_t disk_cache_forget(struct disk_cache *dc,
			   const struct segment_key *key, uint64_t size);
/*
 * Waits until what was forgotten is so for the next process too, and segments
 * are removed in which nothing is left; is_all: everything is forgotten, and
 * all of them are.  *bytes: what that freed.  One call at a time.  -ETIMEDOUT:
 * not by deadline_ms, it goes on; -EIO: removed, but not for the next process,
 * for the disk took no tombstones.
 */
int disk_cache_reclaim(struct disk_cache *dc, bool is_all,
		       int64_t deadline_ms, uint64_t *bytes, struct err *err)
	MUST_CHECK;

/*
 * Keeps len bytes at offset: within one extent, from a grain on.  They must
 * stay as they are until release(arg), which comes once, maybe at once.
 */
void disk_cache_put(struct disk_cache *dc, const struct segment_key *key,
		    uint64_t offset, const void *data, uint32_t len,
		    void (*release)(void *arg), void *arg);

/*
 * So many more bytes would find no room in the queue: whoever fetches for
 * nobody had better wait.  False when the disk does not get on at all.
 */
bool disk_cache_is_behind(struct disk_cache *dc, uint64_t more);

/* False: nothing is noted of that blob. */
bool disk_cache_note(struct disk_cache *dc, const struct segment_key *key,
		     struct disk_note *out);
/* From now on; on the disk soon, and with fingerprint 0 before all else. */
void disk_cache_set_note(struct disk_cache *dc, const struct segment_key *key,
			 const struct disk_note *note);

/*
 * Waits until what is queued by now is written or dropped, however much comes
 * behind it.  False: not by deadline_ms.
 */
bool disk_cache_flush(struct disk_cache *dc, int64_t deadline_ms);

struct disk_cache_stats {
	uint64_t bytes, size, records, segments;
	uint64_t record_bytes;	/* content; bytes is what segments take */
	uint64_t written, dropped, damaged, evicted;	/* records */
	/* The longest that finding or keeping a record waited for another
	   thread, an eviction too: what this adds to a read at most. */
	int64_t longest_wait_ms;
	bool is_paused;
	char problem[ERR_TEXT_MAX];	/* why; "" when all is well */
};
void disk_cache_stats(struct disk_cache *dc, struct disk_cache_stats *out);

#endif
