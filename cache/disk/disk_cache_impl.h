/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the disk cache, shared by cache/disk/disk_*.c only.  The lock
 * guards everything below but what the writing thread alone uses; no file is
 * touched under it.
 */
#ifndef DATASETFS_CACHE_DISK_DISK_CACHE_IMPL_H
#define DATASETFS_CACHE_DISK_DISK_CACHE_IMPL_H

#include "backends/base/lock.h"
#include "cache/disk/disk_cache.h"
#include "cache/disk/disk_index.h"

/* How much is written before the room for it is looked at again. */
#define DISK_ROOM_CHECK_BYTES ((uint64_t)4 << 20)
#define DISK_SEGMENTS_MAX 262144u	/* 16 TiB */
#define DISK_SEGMENTS_SHARE 8	/* of the size, in a small cache */

#define DISK_FORGET_CHAINS 1024u

struct disk_slot {
	struct segment *segment;	/* NULL: the slot is free */
	uint32_t newer;			/* slot numbers; DISK_NO_SLOT: none */
	uint32_t n_tombstones;
};
#define DISK_NO_SLOT UINT32_MAX

enum disk_job_kind { DISK_PUT, DISK_NOTE, DISK_FORGET, DISK_RECLAIM, DISK_CLEAR };

struct disk_job {
	enum disk_job_kind kind;
	struct disk_job *next;
	struct segment_key key;
	uint64_t offset;
	const void *data;	/* DISK_PUT */
	uint32_t len;
	struct disk_note note;	/* DISK_NOTE */
	struct disk_job *forget_next;	/* DISK_FORGET: of the same chain */
	bool has_records;		/* ... there is something to forget */
	void (*release)(void *arg);
	void *arg;
};

struct disk_cache {
	struct memory_budget *budget;
	char *dir;
	uint64_t size, free, segment_size;
	uint64_t (*others)(void *arg);
	void *others_arg;
	int dir_fd;

	struct lock lock;
	struct disk_index *index;
	struct disk_notes *notes;
	struct disk_slot *slots;
	uint32_t n_slots, cap_slots;
	uint32_t oldest, newest;
	uint64_t bytes;		/* of all sealed segments */
	uint32_t n_segments, segments_max;

	struct disk_job *head, *tail;
	uint64_t queued_bytes, queued_max;
	bool is_writing;	/* the thread has a job in hand */
	bool is_gathering;	/* it waits, see DISK_CACHE_GATHER */
	unsigned flushing;	/* calls of disk_cache_flush() */
	uint64_t n_queued, n_ended;	/* jobs, ever: they end in that order */
	struct disk_job *forgets[DISK_FORGET_CHAINS];	/* that are queued */
	/* Calls of disk_cache_reclaim(), and what came of the last one. */
	uint64_t reclaims, reclaimed, reclaimed_bytes;
	/* Since the one before. */
	bool has_lost_tombstone;
	int64_t progress_ms;	/* when it ended one */
	bool is_stopping;
	struct cond work, idle;
	pthread_t writer;
	bool has_writer;

	int64_t paused_until_ms;	/* 0: all is well */
	char problem[ERR_TEXT_MAX];
	uint64_t written, dropped, damaged, evicted;
	int64_t longest_wait_ms;

	/* The writing thread's alone. */
	struct segment *open;
	uint32_t open_slot;
	uint64_t next_sequence;
	uint64_t unchecked_bytes;	/* written since the room was looked at */
	uint64_t others_bytes;		/* ... and what others took of it then */
	void *scratch;			/* SEGMENT_RECORD_MAX */
};

static inline uint32_t disk_part(uint64_t offset)
{
	return (uint32_t)(offset / DISK_CACHE_GRAIN);
}

/* The lock, for who must not wait: see disk_cache_stats. */
void disk_lock_soon(struct disk_cache *dc) ACQUIRE(&dc->lock);

/* A slot for a segment that is newer than all.  DISK_NO_SLOT: no memory. */
uint32_t disk_slot_add(struct disk_cache *dc, struct segment *s)
	REQUIRES(&dc->lock);
/* Takes one that is in use out; its segment is the caller's. */
struct segment *disk_slot_take(struct disk_cache *dc, uint32_t slot)
	REQUIRES(&dc->lock);

/* --- disk_load.c: what the last process sealed --- */
int disk_load(struct disk_cache *dc, struct err *err) MUST_CHECK;

/* --- disk_writer.c: what is queued, and the thread that writes it --- */
int disk_writer_start(struct disk_cache *dc, struct err *err) MUST_CHECK;
void disk_enqueue(struct disk_cache *dc, struct disk_job *job)
	REQUIRES(&dc->lock);
/* Writes what is queued, and seals. */
void disk_writer_stop(struct disk_cache *dc);

/* --- disk_append.c, disk_evict.c: on the writing thread only --- */

/*
 * Appends a record or (data NULL) a note to the open segment, which changes
 * when it is full, evicting what must go.  -ENOSPC: no room can be made.
 */
int disk_append(struct disk_cache *dc, const struct segment_key *key,
		uint64_t offset, const void *data, uint32_t len,
		const struct disk_note *note, struct err *err) MUST_CHECK;
/*
 * The same where the open segment has the room; -ENOSPC: it has not.
 * may_evict: older records go where the index is full.
 */
int disk_append_here(struct disk_cache *dc, struct segment_entry *entry,
		     const void *data, bool may_evict,
		     struct err *err) MUST_CHECK;
int disk_seal(struct disk_cache *dc, struct err *err) MUST_CHECK;

/* False: only the open one is left. */
bool disk_evict_oldest(struct disk_cache *dc);
/* Its segment goes as it is; what of it took room does not any more. */
uint64_t disk_slot_free(struct disk_cache *dc, uint32_t slot);
/* Evicts until n more bytes fit. */
int disk_make_room(struct disk_cache *dc, uint64_t n, struct err *err)
	MUST_CHECK;

/* --- disk_forget.c --- */

/* One is queued for these records: what is written of them now is dead. */
bool disk_is_forgotten(struct disk_cache *dc, const struct segment_key *key)
	REQUIRES(&dc->lock);
/* On the writing thread: a DISK_FORGET; a DISK_RECLAIM or DISK_CLEAR. */
int disk_forget_write(struct disk_cache *dc, struct disk_job *job,
		      struct err *err) MUST_CHECK;
int disk_reclaim_write(struct disk_cache *dc, const struct disk_job *job,
		       struct err *err) MUST_CHECK;

#endif
