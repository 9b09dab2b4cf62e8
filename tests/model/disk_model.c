/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The disk cache against a model that fits into a head: what was put last
 * under a name.  Random operations, a life (a process) after the other on one
 * directory; lives end closed, killed in the middle of any write, or by a
 * power cut; disks fail, fill up and recover.
 *
 *	OPS=1000000 SEED=7 disk_model
 *
 * What must hold:
 *
 * - A record is a miss, or it holds exactly the bytes of its blob under that
 *   salt at that place.  What was forgotten is a miss for the rest of a life.
 * - A note is none or the last; after a crash one since the last that was
 *   safe: closed upon, or that nothing is valid (fingerprint 0), flushed.
 * - On a disk that works, what was put last is there, WINDOW of the size of
 *   it; after a kill all of that but what the open segment held.  That is
 *   counted from what is known to be written: what was queued is not in it.
 * - The files never take more than size, nor of what is to stay free.
 */
#include <config.h>
#include "cache/disk/disk_cache.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "backends/base/log.h"
#include "tests/model/faulty_disk.h"
#include "tests/model/random.h"
#include "tests/tap.h"

#define MIB ((uint64_t)1 << 20)
#define OPS 100000u		/* some seconds, for "make check" */
#define LIFE_OPS 1500u		/* of one life, at most */
#define FLUSH_BYTES MIB		/* the queue would drop, and not say what */

#define FIXED 24u		/* blobs whose key is always the same ... */
#define BLOBS 48u		/* ... and those that go by their note */
#define EXTENTS 4u
#define PLACES 4u		/* where records begin in an extent */
#define BLOB_SIZE (EXTENTS * DISK_CACHE_EXTENT)

/*
 * Of the size: a segment that goes may have half of it carried over, so half
 * of the log is new, less what the last one's end leaves and the open one.
 */
#define WINDOW 4
#define SEGMENTS 8		/* of a small cache, as the cache has it */
#define SMALL_MAX (64u << 10)	/* a record longer than that is rare */

static const uint32_t grain_of[PLACES] = { 0, 3, 7, 12 };

/* What was put there last. */
struct place {
	bool is_expected;	/* it was written, by a disk that works */
	bool is_forgotten;	/* in this life */
	uint64_t at;		/* of all bytes that were ever put */
};

struct blob {
	uint32_t salt;		/* the last that was given out */
	bool has_note, is_known;	/* in this life */
	struct disk_note note;
	uint64_t note_at;
	bool is_note_expected;
	uint64_t safe_rank;	/* no older one may be seen */
	struct place places[EXTENTS][PLACES];
};

enum end { END_CLOSE, END_KILL, END_POWER, N_ENDS };
enum trouble { TROUBLE_NONE, TROUBLE_FAULTS, TROUBLE_FULL, N_TROUBLES };

static struct blob blobs[BLOBS];
static struct disk_cache *dc;
static struct memory_budget *budget;
static char dir[128];
static uint64_t rng, size, capacity, n_ops;
static enum trouble trouble;
static uint64_t put_bytes, unflushed;
static uint64_t written_bytes;	/* of put_bytes, for certain */
static bool has_put;	/* in this life: then the room was looked at */

static struct {
	uint64_t lives[N_ENDS][N_TROUBLES], puts, hits, misses, notes;
	uint64_t wrong, forgotten, missing, stale, over;
} seen;

static uint64_t below(uint64_t n)
{
	return random_below(&rng, n);
}

static void tell(uint64_t *count, const char *what, unsigned b, uint64_t offset)
{
	if ((*count)++ < 10)
		printf("# operation %llu: %s, blob %u at %llu\n",
		       (unsigned long long)n_ops, what, b,
		       (unsigned long long)offset);
}

/*
 * Names, bytes and notes of a blob.
 */

static struct segment_key key_of(unsigned b, uint32_t salt)
{
	uint64_t n = random_mix(((uint64_t)b << 32 | salt) + 1);

	return (struct segment_key){ random_mix(n), n };
}

static struct segment_key name_of(unsigned b)
{
	return key_of(b, UINT32_MAX);
}

static void content(unsigned b, uint32_t salt, uint64_t offset, uint32_t len,
		    uint64_t *out)
{
	uint64_t seed = key_of(b, salt).hi;

	for (uint64_t i = 0; i < (len + 7) / 8; i++)
		out[i] = (seed ^ (offset / 8 + i)) * 0x9e3779b97f4a7c15u;
}

static uint64_t fingerprint_of(unsigned b, uint32_t salt)
{
	return key_of(b, salt).lo | 1;
}

/* Notes of a blob in the order in which they are set. */
static uint64_t rank_of(const struct disk_note *note)
{
	return 3 * (uint64_t)note->salt +
	       (!note->fingerprint ? 2 : note->is_verified ? 1 : 0);
}

static bool is_within(uint64_t at)
{
	return put_bytes - at <= size / WINDOW;
}

/* Whoever expects something must also have had a disk that works. */
static bool is_due(bool is_expected, uint64_t at)
{
	return is_expected && is_within(at) && trouble == TROUBLE_NONE;
}

/*
 * Operations.
 */

static void check_pause(void)
{
	struct disk_cache_stats stats;

	disk_cache_stats(dc, &stats);
	if (trouble == TROUBLE_NONE && stats.is_paused)
		tell(&seen.missing, stats.problem, 0, 0);
}

/* Everything that was put is on the disk now, if it takes anything. */
static void flush(void)
{
	(void)disk_cache_flush(dc, INT64_MAX);
	unflushed = 0;
	if (faulty_disk_is_dead())
		return;
	written_bytes = put_bytes;
	check_pause();
	for (unsigned b = FIXED; b < BLOBS; b++)
		if (blobs[b].is_known && blobs[b].has_note &&
		    !blobs[b].note.fingerprint)
			blobs[b].safe_rank = rank_of(&blobs[b].note);
	if (has_put && faulty_disk_used() >
			       (capacity ? capacity : size) +
				       faulty_disk_left_over())
		tell(&seen.over, "more bytes than there may be", 0,
		     faulty_disk_used());
}

/* What the cache says of a blob; the first time in a life it teaches us. */
static void check_note(unsigned b)
{
	struct blob *blob = &blobs[b];
	struct segment_key name = name_of(b);
	struct disk_note note;
	bool has_note = disk_cache_note(dc, &name, &note);

	seen.notes += has_note;
	if (!has_note && is_due(blob->is_note_expected, blob->note_at))
		tell(&seen.missing, "the note is lost", b, 0);
	if (has_note && note.fingerprint &&
	    note.fingerprint != fingerprint_of(b, note.salt))
		tell(&seen.wrong, "the note was never set", b, 0);
	if (has_note && blob->is_known && blob->has_note &&
	    rank_of(&note) != rank_of(&blob->note))
		tell(&seen.stale, "another note than the last", b, 0);
	if (has_note && (rank_of(&note) < blob->safe_rank ||
			 note.salt > blob->salt))
		tell(&seen.stale, "a note that was replaced", b, 0);
	if (blob->is_known)
		return;
	blob->is_known = true;
	if (blob->has_note && has_note &&
	    rank_of(&note) == rank_of(&blob->note))
		return;
	memset(blob->places, 0, sizeof(blob->places));
	blob->has_note = has_note;
	blob->is_note_expected = false;
	blob->note = note;
}

static void set_note(unsigned b, uint64_t fingerprint, uint32_t salt,
		     bool is_verified)
{
	struct blob *blob = &blobs[b];
	struct segment_key name = name_of(b);

	if (!blob->has_note || !fingerprint || blob->note.salt != salt)
		memset(blob->places, 0, sizeof(blob->places));
	blob->has_note = blob->is_known = true;
	blob->note = (struct disk_note){ fingerprint, salt, is_verified };
	put_bytes += SEGMENT_ENTRY;
	blob->note_at = put_bytes;
	disk_cache_set_note(dc, &name, &blob->note);
	flush();
	blob->is_note_expected = trouble == TROUBLE_NONE &&
				 !faulty_disk_is_dead();
}

/* The key of what is valid of it.  False: nothing is. */
static bool valid_key(unsigned b, struct segment_key *key, uint32_t *salt)
{
	*salt = b < FIXED ? 0 : blobs[b].note.salt;
	*key = key_of(b, *salt);
	if (b < FIXED)
		return true;
	check_note(b);
	*salt = blobs[b].note.salt;
	*key = key_of(b, *salt);
	return blobs[b].has_note && blobs[b].note.fingerprint;
}

static uint64_t offset_of(unsigned extent, unsigned place)
{
	return extent * DISK_CACHE_EXTENT +
	       grain_of[place] * DISK_CACHE_GRAIN;
}

static void get(unsigned b, unsigned extent, unsigned place)
{
	static uint64_t want[DISK_CACHE_EXTENT / 8], got[DISK_CACHE_EXTENT / 8];
	struct place *p = &blobs[b].places[extent][place];
	uint64_t offset = offset_of(extent, place);
	struct disk_record record;
	struct segment_key key;
	uint32_t salt, len;

	if (!valid_key(b, &key, &salt))
		return;
	if (!disk_cache_find(dc, &key, offset, &record)) {
		seen.misses++;
		if (is_due(p->is_expected, p->at) && !p->is_forgotten)
			tell(&seen.missing, "lost", b, offset);
		return;
	}
	/* What covers the extent from its start may have been put since. */
	if (p->is_forgotten && record.offset == offset)
		tell(&seen.forgotten, "found what was forgotten", b, offset);
	len = record.entry.len;
	if (offset < record.offset || offset - record.offset >= len ||
	    len > DISK_CACHE_EXTENT) {
		tell(&seen.wrong, "a record of another place", b, offset);
		disk_cache_release(&record);
		return;
	}
	offset = record.offset;
	if (disk_cache_read(dc, &record, got) < 0) {
		seen.misses++;
		/* A longer one at the extent's start may be a damaged one. */
		if (offset == offset_of(extent, place) && is_due(p->is_expected, p->at))
			tell(&seen.missing, "not readable", b, offset);
		return;
	}
	content(b, salt, offset, len, want);
	if (memcmp(got, want, len))
		tell(&seen.wrong, "wrong bytes", b, offset);
	seen.hits++;
}

static uint32_t random_len(unsigned place)
{
	uint64_t room = DISK_CACHE_EXTENT - grain_of[place] * DISK_CACHE_GRAIN;

	if (below(100) == 0)
		return (uint32_t)below(room) + 1;
	return (uint32_t)below(below(4) ? 4096 : SMALL_MAX) + 1;
}

/* Itself, or by what begins before it. */
static bool is_held(const struct segment_key *key, uint64_t offset,
		    uint32_t len)
{
	struct disk_record record;
	bool is_held;

	if (!disk_cache_find(dc, key, offset, &record))
		return false;
	is_held = record.offset < offset || record.entry.len >= len;
	disk_cache_release(&record);
	return is_held;
}

static void put(unsigned b, unsigned extent, unsigned place)
{
	struct place *p = &blobs[b].places[extent][place];
	uint64_t offset = offset_of(extent, place);
	uint32_t len = random_len(place), salt;
	struct segment_key key;
	uint64_t *data;

	if (!valid_key(b, &key, &salt)) {
		salt = ++blobs[b].salt;
		set_note(b, fingerprint_of(b, salt), salt, false);
		key = key_of(b, salt);
	}
	/* It would not be put again, and be no newer than it is. */
	if (is_held(&key, offset, len))
		return;
	data = malloc(len + 8);
	if (!data)
		abort();
	content(b, salt, offset, len, data);
	disk_cache_put(dc, &key, offset, data, len, free, data);
	has_put = true;
	seen.puts++;
	put_bytes += len + SEGMENT_RECORD_HEAD + SEGMENT_ENTRY;
	unflushed += len;
	*p = (struct place){ .at = put_bytes };
	if (unflushed > FLUSH_BYTES || below(4) == 0) {
		flush();
		p->is_expected = trouble == TROUBLE_NONE &&
				 !faulty_disk_is_dead();
	}
}

static void forget(unsigned b)
{
	struct segment_key key = key_of(b, 0);

	flush();	/* what is queued may be found again */
	disk_cache_forget(dc, &key, BLOB_SIZE);
	for (unsigned i = 0; i < EXTENTS * PLACES; i++)
		blobs[b].places[i / PLACES][i % PLACES] =
			(struct place){ .is_forgotten = true };
}

/* All of a noted blob was right; or nothing is valid any more. */
static void change_note(unsigned b)
{
	struct blob *blob = &blobs[b];

	check_note(b);
	if (!blob->has_note || !blob->note.fingerprint)
		return;
	if (below(3))
		set_note(b, blob->note.fingerprint, blob->note.salt, true);
	else
		set_note(b, 0, blob->note.salt, false);
}

static void one_op(void)
{
	unsigned b = (unsigned)below(BLOBS);
	unsigned extent = (unsigned)below(EXTENTS);
	unsigned place = (unsigned)below(PLACES);
	uint64_t what = below(100);

	n_ops++;
	if (what < 50)
		put(b, extent, place);
	else if (what < 90)
		get(b, extent, place);
	else if (what < 94 && b < FIXED)
		forget(b);
	else if (what < 98 && b >= FIXED)
		change_note(b);
	else if (what == 98)
		flush();
	else if (what == 99)
		faulty_disk_pass_ms((int64_t)below(DISK_CACHE_PAUSE_MS));
}

/*
 * Lives.
 */

static void born(void)
{
	struct disk_cache_options opt = { .dir = dir, .budget = budget };
	struct err err = ERR_INIT;

	size = below(8) ? DISK_CACHE_SIZE_MIN : 4 * DISK_CACHE_SIZE_MIN;
	opt.size = size;
	capacity = 0;
	has_put = false;
	trouble = below(2) ? TROUBLE_NONE : below(3) ? TROUBLE_FAULTS :
							TROUBLE_FULL;
	if (trouble == TROUBLE_FAULTS)
		faulty_disk_fail((unsigned)below(200) + 2,
				 (unsigned)below(400) + 20);
	if (trouble == TROUBLE_FULL) {
		opt.free = 2 * MIB;
		capacity = size / 2;
		faulty_disk_set_capacity(capacity + opt.free);
	}
	if (disk_cache_open(&dc, &opt, &err) < 0) {
		printf("# operation %llu: %s\n", (unsigned long long)n_ops,
		       err.text);
		abort();
	}
	for (unsigned b = 0; b < BLOBS; b++) {
		struct blob *blob = &blobs[b];

		blob->is_known = false;
		/* A segment that could not be read may have held anything. */
		if (trouble == TROUBLE_FAULTS)
			blob->safe_rank = 0;
		for (unsigned i = 0; i < EXTENTS * PLACES; i++)
			blob->places[i / PLACES][i % PLACES].is_forgotten =
				false;
	}
}

static void get_all(void)
{
	for (unsigned b = 0; b < BLOBS; b++)
		for (unsigned i = 0; i < EXTENTS * PLACES; i++)
			get(b, i / PLACES, i % PLACES);
}

/* Is what was put at that point of time on the disk, for the next life? */
static bool outlives(uint64_t at, enum end end)
{
	if (trouble != TROUBLE_NONE || end == END_POWER || !is_within(at))
		return false;
	return end == END_CLOSE ||
	       (at < written_bytes && written_bytes - at > size / SEGMENTS);
}

static void remember(enum end end)
{
	for (unsigned b = 0; b < BLOBS; b++) {
		struct blob *blob = &blobs[b];

		blob->is_note_expected &= outlives(blob->note_at, end);
		if (end == END_POWER)
			blob->safe_rank = 0;
		else if (end == END_CLOSE && trouble == TROUBLE_NONE &&
			 blob->has_note && blob->is_known)
			blob->safe_rank = rank_of(&blob->note);
		for (unsigned i = 0; i < EXTENTS * PLACES; i++) {
			struct place *p = &blob->places[i / PLACES][i % PLACES];

			p->is_expected &= outlives(p->at, end);
		}
	}
}

static void one_life(void)
{
	enum end end = (enum end)below(N_ENDS);
	unsigned ops = (unsigned)below(LIFE_OPS) + 1;

	born();
	if (end != END_CLOSE)
		faulty_disk_die_in((unsigned)below(ops) + 1);
	if (below(4) == 0)
		get_all();
	for (unsigned i = 0; i < ops && !faulty_disk_is_dead(); i++)
		one_op();
	if (!faulty_disk_is_dead())
		flush();
	disk_cache_free(dc);
	if (!faulty_disk_is_dead())
		end = END_CLOSE;
	if (end == END_POWER)
		faulty_disk_lose_pages();
	remember(end);
	seen.lives[end][trouble]++;
	faulty_disk_revive();
	faulty_disk_set_capacity(0);
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

static void report(void)
{
	tap_ok(seen.hits > seen.puts / 8 && seen.misses && seen.notes,
	       "%llu puts, %llu hits, %llu misses, %llu notes",
	       (unsigned long long)seen.puts, (unsigned long long)seen.hits,
	       (unsigned long long)seen.misses,
	       (unsigned long long)seen.notes);
	for (int end = 0; end < N_ENDS; end++) {
		static const char *const names[] = { "closed", "killed",
						     "cut off" };
		const uint64_t *n = seen.lives[end];

		tap_ok(n[TROUBLE_NONE] + n[TROUBLE_FAULTS] + n[TROUBLE_FULL],
		       "lives that were %s: %llu, with faults %llu, on a full disk %llu",
		       names[end], (unsigned long long)n[TROUBLE_NONE],
		       (unsigned long long)n[TROUBLE_FAULTS],
		       (unsigned long long)n[TROUBLE_FULL]);
	}
	tap_ok(faulty_disk_failures() > 0, "calls that failed: %llu",
	       (unsigned long long)faulty_disk_failures());
	tap_ok(!seen.wrong, "wrong bytes: %llu",
	       (unsigned long long)seen.wrong);
	tap_ok(!seen.forgotten, "found though forgotten: %llu",
	       (unsigned long long)seen.forgotten);
	tap_ok(!seen.stale, "notes that were replaced: %llu",
	       (unsigned long long)seen.stale);
	tap_ok(!seen.missing, "lost though it must be there: %llu",
	       (unsigned long long)seen.missing);
	tap_ok(!seen.over, "times above the size: %llu",
	       (unsigned long long)seen.over);
	tap_ok(memory_budget_used(budget) == 0, "all memory was given back");
}

int main(void)
{
	uint64_t ops = from_environment("OPS", OPS);
	const char *tmp = getenv("TMPDIR");
	char command[160];
	struct err err = ERR_INIT;

	rng = from_environment("SEED", (uint64_t)getpid());
	printf("# to repeat: SEED=%llu OPS=%llu\n", (unsigned long long)rng,
	       (unsigned long long)ops);
	log_set_level(LOG_LEVEL_ERROR);
	(void)snprintf(dir, sizeof(dir), "%s/disk-model-XXXXXX",
		       tmp ? tmp : "/tmp");
	if (!mkdtemp(dir) ||
	    memory_budget_new(&budget, MEMORY_BUDGET_MIN, 0, &err) < 0)
		abort();
	faulty_disk_init(dir, random_mix(rng));
	while (n_ops < ops)
		one_life();
	report();
	memory_budget_free(budget);
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	return tap_done() | system(command);
}
