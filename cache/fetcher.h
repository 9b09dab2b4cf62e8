/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who fetches what, when: answers reads of blobs from the cache, parks the
 * misses, asks the store once however many wait (single flight), verifies,
 * and answers every waiter by its own deadline.
 *
 * Content enters the cache only verified: OSMO blobs up to FETCHER_WHOLE_MAX
 * are fetched whole and their MD5 is checked before the first byte is served.
 * Larger ones are served unverified under the validator first seen (If-Match
 * on every further range) until all of them is cached and the etag has been
 * recomputed; a mismatch drops the blob and calls on_bad.  Who reads one from
 * its start to its end in order is given the end only after that verdict, and
 * -EIO where the object changed after it was given any of it; what left the
 * memory before it was hashed is asked of the store again for it.  Who reads at
 * random may never see a verdict.
 *
 * No call here waits for a store or a disk.  Any thread may call.  It must not
 * know files, datasets or FUSE.
 */
#ifndef DATASETFS_CACHE_FETCHER_H
#define DATASETFS_CACHE_FETCHER_H

#include <sys/uio.h>
#include "cache/blob.h"
#include "cache/disk/disk_cache.h"
#include "cache/memory_budget.h"

struct fetcher;
struct fetch_waiter;

#define FETCHER_WHOLE_MAX BLOB_PART
#define FETCHER_EXTENT ((size_t)1 << 20)	/* unit of caching */
#define FETCHER_GRAIN ((size_t)64 << 10)	/* random reads of big blobs */
#define FETCHER_IN_FLIGHT_MAX 96		/* requests to stores at once */
#define FETCHER_WAITERS_MAX 65536
#define FETCHER_READ_MAX ((size_t)4 << 20)	/* bytes of one read */

struct fetcher_options {
	struct memory_budget *budget;	/* borrowed, outlives the fetcher */
	struct disk_cache *disk;	/* the same; NULL: memory alone */
	/* A blob that was served unverified turned out wrong: its pages must
	   be invalidated.  On a fetcher thread; must not block. */
	void (*on_bad)(void *arg, const struct blob_id *id);
	void *on_bad_arg;
};
int fetcher_new(struct fetcher **out, const struct fetcher_options *opt,
		struct err *err) MUST_CHECK;
/* Answers all waiters with -ESHUTDOWN and waits for requests in flight. */
void fetcher_free(struct fetcher *fetcher);

/*
 * r: 0 with iov[0..n) holding exactly the bytes that were asked for (valid
 * during the call), or -errno: -EIO (missing, corrupt or changed object),
 * -EACCES, -ETIMEDOUT at the deadline, -EINTR after fetcher_cancel(),
 * -EAGAIN when FETCHER_WAITERS_MAX wait.  May run inside fetcher_read() itself
 * when the bytes are cached, else on another thread; must not block.
 */
typedef void (*fetch_done_fn)(void *arg, int r, const struct iovec *iov, int n,
			      const struct err *err);

/*
 * len bytes at offset, clipped to the blob's size by the caller (beyond it, or
 * above FETCHER_READ_MAX: -EINVAL).  *waiter (may be NULL) is set when the read was parked, NULL when
 * done() has run; it is valid until done() runs or fetcher_cancel() returns.
 */
void fetcher_read(struct fetcher *fetcher, const struct blob *blob,
		  uint64_t offset, size_t len, int64_t deadline_ms,
		  fetch_done_fn done, void *arg, struct fetch_waiter **waiter);

/*
 * Has a blob of at most FETCHER_WHOLE_MAX fetched, for nobody yet, once
 * fetcher_go() is called, which starts all that was asked for.  False: there
 * is enough to do.  Behind what anybody waits for; no error is told.
 */
bool fetcher_ahead(struct fetcher *fetcher, const struct blob *blob);
void fetcher_go(struct fetcher *fetcher);

/*
 * The same as fetcher_read() for who is in no hurry: its requests start behind
 * those of readers and those ahead of them, and take few of the places and
 * little of the memory.  No window is read ahead of it.
 */
void fetcher_fill(struct fetcher *fetcher, const struct blob *blob,
		  uint64_t offset, size_t len, int64_t deadline_ms,
		  fetch_done_fn done, void *arg);

/*
 * Answers a parked read with -EINTR now, unless done() runs or has run: then
 * nothing.  The fetch itself goes on.  Identified by arg rather than by the
 * pointer, so that a waiter that just ended is no danger.
 */
void fetcher_cancel(struct fetcher *fetcher, void *arg);

/*
 * Bytes of the blob that need no request now, in memory or on the disk,
 * whichever has more; for the xattr and status.
 */
uint64_t fetcher_cached_bytes(struct fetcher *fetcher, const struct blob *blob);
/* Drops what is cached of a blob, which is not what it should be. */
void fetcher_forget(struct fetcher *fetcher, const struct blob *blob);

/*
 * Reads what the disk holds of a blob, in order, and tells each record: data
 * NULL: it was not what it should be, and is dropped, so that who reads there
 * has it fetched and written again.  r < 0 of each() ends it.  1: some were
 * dropped.  On the caller's thread; room: SEGMENT_RECORD_MAX bytes, at a page.
 */
typedef int (*fetcher_record_fn)(void *arg, uint64_t offset, const void *data,
				 uint32_t len);
int fetcher_check_disk(struct fetcher *fetcher, const struct blob *blob,
		       void *room, fetcher_record_fn each, void *arg)
	MUST_CHECK;

/* Of what the disk holds of a blob; see disk_cache_tally(). */
void fetcher_tally(struct fetcher *fetcher, const struct blob *blob,
		   struct disk_tally *tally);

struct fetcher_evicted {
	uint64_t bytes_memory, bytes_disk;	/* of content */
};
/*
 * Drops what is cached of a blob, or of all, though it is right; adds to *out.
 * What is being read stays in memory, so that no read has to begin again.  On
 * the disk all goes, see disk_cache_forget(); of all, by disk_cache_reclaim(),
 * which the caller calls next.
 */
void fetcher_evict(struct fetcher *fetcher, const struct blob *blob,
		   struct fetcher_evicted *out);
void fetcher_evict_all(struct fetcher *fetcher, struct fetcher_evicted *out);

struct fetcher_stats {
	uint64_t hits, misses, bytes_served, bad_blobs;
	uint64_t bytes_fetched, bytes_from_disk;
	unsigned waiting, in_flight;
	uint64_t cached_bytes;
};
void fetcher_stats(struct fetcher *fetcher, struct fetcher_stats *out);

#endif
