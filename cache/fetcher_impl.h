/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the fetcher, shared by fetcher.c and fetch_*.c only.
 *
 *	read -> waiter -> (cache: no) -> fetch -> source's queue -> backend
 *	 done <- waiter <- cache <- content checked <- bytes <-----'
 *
 * What the disk cache holds is fetched the same way, from a source of its own,
 * and needs no check but the disk cache's.
 *
 * A waiter is parked on one fetch at a time.  When that ends the waiter looks
 * again: all its bytes are cached (it is answered), or the next missing ones
 * are on their way (it is parked there), or a fetch is started.
 *
 * One lock guards everything below but what is marked otherwise; the cache's
 * and the disk cache's locks are taken inside it.  No callback, backend call, digest or log line
 * happens under it.
 */
#ifndef DATASETFS_CACHE_FETCHER_IMPL_H
#define DATASETFS_CACHE_FETCHER_IMPL_H

#include <stdatomic.h>
#include "backends/base/digest.h"
#include "backends/base/lock.h"
#include "backends/base/md5_lanes.h"
#include "backends/base/pool.h"
#include "cache/cache.h"
#include "cache/fetcher.h"

_Static_assert(FETCHER_EXTENT == CACHE_EXTENT, "one size of extents");
_Static_assert(FETCHER_GRAIN == CACHE_GRAIN, "one size of grains");

#define FETCH_RANGE_MAX ((size_t)BLOB_PART)	/* of one request */
#define FETCH_PINS_MAX CACHE_PINS(FETCH_RANGE_MAX)

/*
 * A store that stalls keeps its requests until their deadline and must not
 * keep the others' slots too: it may hold FETCH_SOURCE_MAX of
 * FETCHER_IN_FLIGHT_MAX.
 */
#define FETCH_SOURCE_MAX 64
/* Of these, requests that nobody waits for yet. */
#define FETCH_AHEAD_MAX 64
/* ... which, queued or on their way, may take a quarter of the memory. */
#define FETCH_AHEAD_SHARE 4
/*
 * Requests that fill the cache: while there are others, so few that those
 * hardly notice, but not none, or a fill beside a steady reader never ends.
 */
#define FETCH_FILL_MAX 16
#define FETCH_FILL_BESIDE 2

/*
 * A request lives at least so long, so that what was asked for by a reader in
 * a hurry is there for the next one.
 */
#define FETCH_LIFE_MS 10000

/* How often a waiter may start a fetch before its object is unreadable ... */
#define FETCH_STARTS_MAX 6
/* ... and from which on it gets one of its own over all its bytes. */
#define FETCH_STARTS_SHARED 3

/* Memory of corruption: a scan of a bad file is no storm of requests. */
#define FETCH_BAD_MS 5000

/*
 * Requests may take half of the memory, so that what they bring stays long
 * enough to be read; digests of parts an eighth.
 */
#define FETCH_BYTES_SHARE 2
#define FETCH_HASHING_SHARE 3	/* then nothing more is asked for */
#define FETCH_PARTS_SHARE 8
#define FETCH_SEEN_SHARE 16	/* digests of what was served unhashed */

/*
 * Several parts are hashed in little more time than one (see md5_lanes.h), so
 * they wait for one another: until as many are there as this share of the
 * memory holds, or for so long, but never when the verdict is near.
 */
#define FETCH_BATCH_SHARE 4
#define FETCH_BATCH_MS 100

/* Up to this size it is worth to ask whether the kernel has it at hand. */
#define FETCH_NOW_MAX FETCHER_GRAIN

/* Up to these sizes, with a digest and without, a backend's thread answers. */
#define FETCH_QUICK_HASH ((size_t)32 << 10)
#define FETCH_QUICK ((size_t)256 << 10)

/* From this size on bytes are hashed apart, so that answers need not wait. */
#define FETCH_HASH_APART ((size_t)256 << 10)

/* Parts of one blob whose digests are kept: 8 TiB. */
#define FETCH_PARTS_MAX ((uint64_t)1 << 20)

/* Large blobs that nobody reads now, but whose validator is remembered. */
#define FETCH_IDLE_MAX 16384

/* Sequential readers of one blob that are followed at once. */
#define FETCH_STREAMS 8
#define FETCH_WINDOW_MIN ((uint64_t)2 << 20)
#define FETCH_WINDOW_MAX ((uint64_t)48 << 20)
/* Each costs a round trip, so only a few may lead to the maximum. */
#define FETCH_WINDOW_GROWTH 4
/* Who reads so much at the start reads on. */
#define FETCH_EAGER_MIN ((size_t)128 << 10)
#define FETCH_WINDOW_RANGES 6	/* requests that a window is asked for by */
/* Reads of one stream arrive a little out of order. */
#define FETCH_STREAM_SLACK ((uint64_t)2 << 20)

struct fetch;

/* How content is checked; see blob_rule_of(). */
enum blob_rule {
	RULE_MD5,	/* whole: refused when its MD5 is another */
	RULE_PARTS,	/* ranges: dropped when the etag turns out another */
	RULE_MD5_HINT,	/* whole: another MD5 is logged */
	RULE_NONE,
};

/* Who goes first; the order of the queues of a source. */
enum fetch_rank {
	RANK_DEMAND,	/* a reader waits */
	RANK_AHEAD,	/* one is likely to come */
	RANK_FILL,	/* see fetcher_fill() */
	FETCH_RANKS,
};

enum part_known { PART_UNKNOWN = 0, PART_HASHING, PART_KNOWN };

/* A sequential reader of a large blob. */
struct stream {
	uint64_t next;		/* where its next read should start */
	uint64_t ahead;		/* up to here fetches were started */
	uint64_t window;	/* bytes ahead; 0: seen once */
	uint64_t used;		/* of state->reads: the oldest is replaced */
	uint64_t born;		/* of state->reads; names it */
	bool is_answered;
	uint64_t generation;	/* of state, when it was first answered */
	bool is_from_start;
	int64_t second;		/* when it was counted last */
};

/*
 * A store, as one backend, or the disk: requests are shared out between them.
 */
struct source {
	struct source *next;
	struct backend *backend;	/* a reference; NULL: the disk */
	unsigned in_flight;
	struct fetch *head[FETCH_RANKS], *tail[FETCH_RANKS];
};

/*
 * One blob: while it has waiters or fetches; a large one longer, as its
 * validator must not be forgotten while bytes of it are cached.
 */
struct blob_state {
	struct blob_id id;
	struct blob_state *hash_next;
	struct blob_state *idle_prev, *idle_next;
	unsigned refs;
	struct source *source;
	char *key;
	uint64_t size;
	enum blob_rule rule;
	uint8_t md5[MD5_SIZE];
	uint32_t parts;
	bool is_whole;		/* fetched by one request */
	bool is_fixed;		/* validator is the caller's if_match */

	char *validator;	/* NULL: the next response sets it */
	uint64_t generation;	/* changes with what validator stands for */
	/* Bytes of an older one than this were wrong, or are not what the
	   object holds now. */
	uint64_t valid_from;
	bool was_served;	/* bytes of this generation, to anybody */
	bool is_verified;	/* all bytes under this validator were right */
	/* Of the validator, which may be known from the disk before the store
	   has told it; 0: not yet, or there is no disk. */
	uint64_t fingerprint;
	uint32_t salt;		/* see disk_notes.h */
	bool is_on_disk;	/* records have disk_key */
	struct segment_key disk_key;
	int64_t bad_until_ms;	/* 0: not known to be bad */
	char *bad_validator;	/* whose content had another etag */
	uint8_t *part_known;	/* enum part_known; NULL until one is */
	uint8_t (*part_md5)[MD5_SIZE];
	uint32_t n_known, n_hashing;
	uint64_t *seen;		/* see fetch_seen.c; NULL: none is kept */

	struct fetch *fetches;	/* active ones that others may wait for */
	uint64_t reads;
	struct stream streams[FETCH_STREAMS];
};

/* A part that is all in the cache and pinned there, to be hashed. */
struct part_job {
	uint32_t part;
	int n;
	struct extent *pins[FETCH_PINS_MAX];
};
#define FETCH_PART_JOBS 2	/* that a range of FETCH_RANGE_MAX completes */

struct fetch {
	struct fetcher *fetcher;
	struct blob_state *state;	/* counted */
	struct source *source;
	struct fetch *state_next;
	struct fetch *queue_prev, *queue_next;
	struct fetch *hash_next;
	enum fetch_rank rank;
	bool is_queued, is_private;
	bool is_charged;	/* data is paid for, and not the cache's yet */
	bool is_counted;	/* in fetcher->bytes */
	bool is_hashing;	/* its bytes are cached, a part being judged */
	struct fetch_waiter *waiters, *waiters_tail;
	uint64_t offset;
	size_t len;
	uint64_t generation;
	int64_t deadline_ms;
	bool is_from_disk;
	struct disk_record record;	/* then */
	void *data;
	char *if_match;		/* as sent, or NULL */
	/* What came back; only the completing thread looks. */
	int r;
	struct err err;
	char etag[BACKEND_ETAG_MAX];
	bool is_over;		/* its bytes are cached beyond the budget */
	int n_pins;
	struct extent *pins[FETCH_PINS_MAX];
	int n_jobs;
	struct part_job *jobs;	/* FETCH_PART_JOBS */
};

struct fetch_waiter {
	fetch_done_fn done;
	void *arg;
	uint64_t offset;
	size_t len;
	int64_t deadline_ms;
	struct blob_state *state;	/* counted */
	struct fetch *fetch;	/* parked here */
	struct fetch_waiter *prev, *next;
	struct fetch_waiter *arg_next;
	size_t heap_at;
	enum fetch_rank rank;	/* RANK_FILL: it starts and promotes nothing else */
	unsigned starts;
	uint64_t stream;	/* that it is a read of; 0: none yet */
	bool needs_verdict;	/* it ends a reading of the whole blob */
	uint32_t next_part;	/* before it all parts are hashed, for this */
	uint64_t generation;	/* of state, when the bytes were pinned */
};

#define FETCH_BUCKETS 16384	/* of each table below; a power of two */

struct fetcher {
	struct fetcher_options opt;
	struct cache *cache;
	struct pool *pool;	/* answers, and digests of what is small */
	struct pool *hashers;	/* digests of large whole blobs */
	uint64_t memory;	/* what requests, cache and tables share */

	struct lock lock;
	struct cond idle;	/* for fetcher_free() */
	bool stopping;

	struct blob_state **states;
	struct blob_state *idle_oldest, *idle_newest;
	unsigned n_idle;

	struct source *sources;
	struct source *disk;	/* one of them; NULL: no disk cache */
	struct pool *readers;	/* of the disk */
	struct source *turn;	/* whose request is next; may be NULL */
	unsigned in_flight;	/* requests at backends */
	unsigned finishing;	/* came back, not yet answered */
	unsigned pumping;	/* threads in fetch_pump() */
	uint64_t bytes;		/* of both */
	uint64_t hashing_bytes;	/* content pinned until it is hashed */
	struct fetch *hash_head, **hash_tail;	/* their parts are to be hashed */
	int n_hash_jobs;	/* of these */
	int64_t hash_at_ms;	/* at the latest */
	bool is_hashing_over;	/* the hashing thread is to end */
	struct cond hash_wake;
	pthread_t hasher;
	bool has_hasher;
	uint64_t parts_bytes;	/* of all part tables */
	uint64_t seen_bytes;	/* of all digests in fetch_seen.c */
	unsigned n_rank[FETCH_RANKS];	/* in flight, of each */
	uint64_t ahead_bytes;	/* of RANK_AHEAD, in flight and queued */
	/* Streams that were read in this second and in the one before: they
	   share the memory for what is read ahead. */
	int64_t second;
	unsigned streams_now, streams_before;

	struct fetch_waiter **by_arg;
	struct fetch_waiter **heap;	/* by deadline */
	size_t n_heap, heap_cap;
	struct cond timer_wake;
	pthread_t timer;
	bool has_timer;

	atomic_ullong hits, misses, bytes_served, bad_blobs;
	atomic_ullong bytes_fetched, bytes_from_disk;
};

/* --- fetch_state.c: the table of blobs --- */

/* Finds or makes, and counts a user.  NULL: no memory. */
struct blob_state *state_get(struct fetcher *f, const struct blob_id *id,
			     const struct blob *blob) REQUIRES(&f->lock);
struct blob_state *state_find(struct fetcher *f, const struct blob_id *id)
	REQUIRES(&f->lock);
void state_put(struct fetcher *f, struct blob_state *st) REQUIRES(&f->lock);
void state_forget_parts(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock);
bool state_keep_parts(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock);
/* Bytes cached of it are not its bytes any more; the validator is open. */
void state_restart(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock);
/*
 * The same, for what was served must not stay in anybody's cache either: true
 * when something was, and on_bad has to be told.
 */
bool state_condemn(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock);
/*
 * Nobody uses it now and its bytes leave memory.  They are still the blob's,
 * by the same validator, but are to be verified again when they come again.
 */
void state_evict(struct fetcher *f, struct blob_state *st) REQUIRES(&f->lock);
void state_evict_idle(struct fetcher *f) REQUIRES(&f->lock);
void state_free_all(struct fetcher *f) REQUIRES(&f->lock);
/* What came under this validator is the blob's: -ESTALE when it was another. */
int state_set_validator(struct fetcher *f, struct blob_state *st,
			const char *validator) REQUIRES(&f->lock) MUST_CHECK;
/* All of its bytes were right. */
void state_set_verified(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock);

/* --- fetch_seen.c: the same bytes each time --- */

#define SEEN_MAX (FETCH_RANGE_MAX / CACHE_GRAIN)
/*
 * Of the grains of what came, 0 of those with which nothing is to be done;
 * how many there are.
 */
unsigned seen_digest(struct fetcher *f, const struct fetch *fetch,
		     uint64_t digests[SEEN_MAX]);
/* False: other bytes came for one of them before.  Else they are kept. */
bool seen_agrees(struct fetcher *f, const struct fetch *fetch,
		 const uint64_t *digests, unsigned n) REQUIRES(&f->lock);
void seen_forget(struct fetcher *f, struct blob_state *st) REQUIRES(&f->lock);

/* --- fetch_wait.c: who waits, until when --- */

int fetch_wait_init(struct fetcher *f, struct err *err) MUST_CHECK;
void fetch_wait_stop(struct fetcher *f);
/* Into the tables of waiters (not onto a fetch).  False: no memory. */
bool waiter_add(struct fetcher *f, struct fetch_waiter *w) REQUIRES(&f->lock);
/* Out of them and off its fetch; the caller answers and frees it. */
void waiter_remove(struct fetcher *f, struct fetch_waiter *w)
	REQUIRES(&f->lock);
struct fetch_waiter *waiter_find(struct fetcher *f, const void *arg)
	REQUIRES(&f->lock);
void waiter_park(struct fetch_waiter *w, struct fetch *fetch);
void waiter_unpark(struct fetch_waiter *w);
/* Unparks it for good: what was queued for it alone is not asked for. */
void waiter_leave(struct fetcher *f, struct fetch_waiter *w)
	REQUIRES(&f->lock);

/* --- fetch_plan.c: which ranges --- */

/*
 * Pins all of the waiter's bytes: > 0 extents; or parks it, starting what is
 * needed: 0; or -errno: it cannot be answered.
 */
int fetch_try(struct fetcher *f, struct fetch_waiter *w, struct extent **pins)
	REQUIRES(&f->lock);
/*
 * What a read means to the stream that it goes on with: that it needs a
 * verdict; or -ESTALE: what the stream has read before is not the object's any
 * more.
 */
int fetch_join_stream(struct fetcher *f, struct fetch_waiter *w)
	REQUIRES(&f->lock) MUST_CHECK;
/* Notes a read of a large blob and starts what a stream needs next. */
void fetch_note(struct fetcher *f, struct fetch_waiter *w, bool was_hit)
	REQUIRES(&f->lock);
/* What is not cached of a small blob, for nobody. */
void fetch_whole_ahead(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock);

/* --- fetch_queue.c: who is next, and is there room --- */

/* NULL: no memory.  backend NULL: the disk. */
struct source *source_get(struct fetcher *f, struct backend *backend)
	REQUIRES(&f->lock);
void source_free_all(struct fetcher *f);
void fetch_enqueue(struct fetcher *f, struct fetch *fetch) REQUIRES(&f->lock);
/* It is not ahead of anybody any more, or over; under the lock. */
void fetch_end_ahead(struct fetcher *f, struct fetch *fetch)
	REQUIRES(&f->lock);
/* It is not in flight any more. */
void fetch_landed(struct fetcher *f, struct fetch *fetch) REQUIRES(&f->lock);
/* Somebody waits for it now. */
void fetch_promote(struct fetcher *f, struct fetch *fetch) REQUIRES(&f->lock);
/* Not to be found by others any more; under the lock. */
void fetch_unlist(struct fetch *fetch);
/* To be found again, by who must wait for its verdict; under the lock. */
void fetch_list_hashing(struct fetch *fetch);
/* A queued one that nobody wants: out of the queue, freed. */
void fetch_abandon(struct fetcher *f, struct fetch *fetch) REQUIRES(&f->lock);
void fetch_free(struct fetcher *f, struct fetch *fetch) REQUIRES(&f->lock);
/* What it brought is the cache's: the next request may take its place. */
void fetch_uncount(struct fetcher *f, struct fetch *fetch) REQUIRES(&f->lock);
/* Nobody uses it: it may be freed. */
bool fetcher_is_idle(const struct fetcher *f) REQUIRES(&f->lock);
/* Starts what may be started. */
void fetch_pump(struct fetcher *f) EXCLUDES(&f->lock);

/* --- fetch_check.c: is it what it should be --- */

/* Of a whole blob's bytes.  0, or -EBADMSG with fetch->err set. */
int fetch_check_whole(struct fetch *fetch) MUST_CHECK;

/* Pins the parts that the fetch completed, as its jobs. */
void parts_begin(struct fetcher *f, struct fetch *fetch) REQUIRES(&f->lock);
/* Every part is known or being hashed. */
bool parts_are_all_here(const struct blob_state *st);
/* The first part from one on that is neither; st->parts: there is none. */
uint32_t parts_next_unknown(const struct blob_state *st, uint32_t part);
/*
 * Unpins the fetch's parts, whose digests these are; judges the blob when they
 * were the last ones.
 */
void parts_judge(struct fetcher *f, struct fetch *fetch,
		 const struct md5_lane *digests) EXCLUDES(&f->lock);

/* --- fetch_hash.c: the thread that hashes parts, several at once --- */

int fetch_hash_init(struct fetcher *f, struct err *err) MUST_CHECK;
/* Nothing may wait to be hashed. */
void fetch_hash_stop(struct fetcher *f) EXCLUDES(&f->lock);
/* The fetch's jobs; fetch_end_hashing() when they are done. */
void fetch_hash(struct fetcher *f, struct fetch *fetch) EXCLUDES(&f->lock);

/* --- fetcher.c --- */

/* Why fetch_try() or fetcher_read() cannot answer: r in words, as an errno. */
int fetch_refusal(int r, struct err *err) MUST_CHECK;

/* --- fetch_finish.c: what came back, and who gets it --- */

void fetch_arrived(void *arg, int r, const struct object_info *info,
		   const struct err *err);
/* Its parts were judged. */
void fetch_end_hashing(struct fetcher *f, struct fetch *fetch)
	EXCLUDES(&f->lock);
/* A job: reads the fetch's record. */
void fetch_read_disk(void *fetch);
/* The same at once, where that takes no waiting; false: it would. */
bool fetch_read_disk_now(struct fetch *fetch) EXCLUDES(&fetch->fetcher->lock);
/* Calls done() with the pinned bytes, and unpins. */
void fetch_give(struct fetcher *f, uint64_t offset, size_t len,
		fetch_done_fn done, void *arg, struct extent *const *pins,
		int n);
/* The same; frees w, which is in no table and still counts its state. */
void waiter_answer(struct fetcher *f, struct fetch_waiter *w,
		   struct extent *const *pins, int n);
/* Calls done() and frees; w is in no table and counts no state. */
void waiter_fail(struct fetch_waiter *w, int r, const struct err *err);

#endif
