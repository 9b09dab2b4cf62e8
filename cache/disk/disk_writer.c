/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is queued, and the thread that writes it.
 */
#include <config.h>
#include "cache/disk/disk_cache_impl.h"

#include <errno.h>
#include <stdlib.h>
#include "backends/base/clock.h"
#include "backends/base/log.h"

#define LOG "cache"

static void job_end(struct disk_job *job)
{
	if (job->release)
		job->release(job->arg);
	free(job);
}

/* Unsealed it is readable to the end of this process. */
static void seal_or_leave(struct disk_cache *dc)
{
	struct err err = ERR_INIT;

	if (disk_seal(dc, &err) < 0)
		log_debug(LOG, "a segment is left open: error=\"%s\"", err.text);
}

/* Says so once; what was written stays readable. */
static void pause_writing(struct disk_cache *dc, const struct err *why)
{
	bool is_new;

	seal_or_leave(dc);
	lock_take(&dc->lock);
	is_new = dc->problem[0] == '\0';
	(void)snprintf(dc->problem, sizeof(dc->problem), "%s", why->text);
	dc->paused_until_ms = clock_ms() + DISK_CACHE_PAUSE_MS;
	lock_drop(&dc->lock);
	if (is_new)
		log_warn(LOG, "nothing is cached on the disk for now: dir=%s error=\"%s\"",
			 dc->dir, why->text);
}

static void all_is_well(struct disk_cache *dc)
{
	bool was_paused;

	lock_take(&dc->lock);
	was_paused = dc->problem[0] != '\0';
	dc->problem[0] = '\0';
	dc->paused_until_ms = 0;
	lock_drop(&dc->lock);
	if (was_paused)
		log_info(LOG, "caching on the disk goes on: dir=%s", dc->dir);
}

/*
 * The next process would take for valid what is not, and the disk does not
 * take the note of it: it shall find nothing.  This one reads on.  Oldest
 * first: a kill on the way must not leave a note without the newer one.
 */
static void hide_all(struct disk_cache *dc)
{
	uint32_t slot;

	lock_take(&dc->lock);
	slot = dc->oldest;
	while (slot != DISK_NO_SLOT) {
		struct segment *s = dc->slots[slot].segment;

		lock_drop(&dc->lock);
		segment_unlink(s, dc->dir_fd);
		lock_take(&dc->lock);
		/* Only this thread adds and takes. */
		slot = dc->slots[slot].newer;
	}
	lock_drop(&dc->lock);
}

static int note_write(struct disk_cache *dc, const struct disk_job *job,
		      struct err *err)
{
	int r = disk_append(dc, &job->key, 0, NULL, 0, &job->note, err);

	if (job->note.fingerprint)
		return r;
	/* That nothing is valid must be known to the next process too. */
	if (r == 0)
		r = disk_seal(dc, err);
	if (r < 0)
		hide_all(dc);
	return r;
}

static void job_write(struct disk_cache *dc, struct disk_job *job)
{
	struct err err = ERR_INIT;
	int r = 0;

	switch (job->kind) {
	case DISK_PUT:
		r = disk_append(dc, &job->key, job->offset, job->data,
				job->len, NULL, &err);
		break;
	case DISK_NOTE:
		r = note_write(dc, job, &err);
		break;
	case DISK_FORGET:
		r = disk_forget_write(dc, job, &err);
		break;
	case DISK_RECLAIM:
	case DISK_CLEAR:
		r = disk_reclaim_write(dc, job, &err);
		break;
	}
	if (r < 0)
		pause_writing(dc, &err);
	else
		all_is_well(dc);
}

static struct disk_job *job_take(struct disk_cache *dc) REQUIRES(&dc->lock)
{
	struct disk_job *job = dc->head;

	if (!job)
		return NULL;
	dc->head = job->next;
	if (!dc->head)
		dc->tail = NULL;
	return job;
}

/* There is enough to do, or something that cannot wait for more. */
static bool is_due(const struct disk_cache *dc) REQUIRES(&dc->lock)
{
	return dc->is_stopping ||
	       (dc->head && (dc->queued_bytes >= DISK_CACHE_GATHER ||
			     dc->tail->kind != DISK_PUT || dc->flushing));
}

/* Until there is something to do, which is not looked for at once. */
static void writer_wait(struct disk_cache *dc) REQUIRES(&dc->lock)
{
	int64_t until = clock_ms() + DISK_CACHE_GATHER_MS;

	dc->is_gathering = true;
	while (!is_due(dc) && clock_ms() < until)
		(void)cond_wait_until(&dc->work, &dc->lock, until);
	dc->is_gathering = false;
	while (!dc->head && !dc->is_stopping)
		cond_wait(&dc->work, &dc->lock);
}

static void *writer_run(void *arg)
{
	struct disk_cache *dc = arg;
	struct disk_job *job;
	struct err err = ERR_INIT;

	/* The limits may be lower than the last process's. */
	if (disk_make_room(dc, 0, &err) < 0)
		log_debug(LOG, "no room: error=\"%s\"", err.text);

	lock_take(&dc->lock);
	for (;;) {
		bool is_paused;

		job = job_take(dc);
		if (!job) {
			if (dc->is_stopping)
				break;
			writer_wait(dc);
			continue;
		}
		dc->is_writing = true;
		is_paused = clock_ms() < dc->paused_until_ms;
		dc->dropped += is_paused;
		lock_drop(&dc->lock);
		/* A note is tried in any case: see note_write(). */
		if (!is_paused || job->kind != DISK_PUT)
			job_write(dc, job);
		lock_take(&dc->lock);
		dc->queued_bytes -= job->len;
		dc->progress_ms = clock_ms();
		lock_drop(&dc->lock);
		job_end(job);
		lock_take(&dc->lock);
		dc->is_writing = false;
		dc->n_ended++;	/* who flushes waits for the release too */
		cond_broadcast(&dc->idle);
	}
	lock_drop(&dc->lock);
	seal_or_leave(dc);
	return NULL;
}

int disk_writer_start(struct disk_cache *dc, struct err *err)
{
	int r = pthread_create(&dc->writer, NULL, writer_run, dc);

	if (r)
		return err_errno(err, r, "thread for the disk cache");
	dc->has_writer = true;
	return 0;
}

void disk_writer_stop(struct disk_cache *dc)
{
	if (!dc->has_writer)
		return;
	lock_take(&dc->lock);
	dc->is_stopping = true;
	cond_signal(&dc->work);
	lock_drop(&dc->lock);
	pthread_join(dc->writer, NULL);
}

bool disk_cache_flush(struct disk_cache *dc, int64_t deadline_ms)
{
	uint64_t last;
	bool is_done;

	lock_take(&dc->lock);
	last = dc->n_queued;
	dc->flushing++;
	cond_signal(&dc->work);
	while (dc->n_ended < last && clock_ms() < deadline_ms)
		(void)cond_wait_until(&dc->idle, &dc->lock, deadline_ms);
	is_done = dc->n_ended >= last;
	dc->flushing--;
	lock_drop(&dc->lock);
	return is_done;
}

void disk_enqueue(struct disk_cache *dc, struct disk_job *job)
{
	if (!dc->head && !dc->is_writing)
		dc->progress_ms = clock_ms();	/* it was idle */
	if (dc->tail)
		dc->tail->next = job;
	else
		dc->head = job;
	dc->tail = job;
	dc->n_queued++;
	dc->queued_bytes += job->len;
	if (!dc->is_gathering || is_due(dc))
		cond_signal(&dc->work);
}

void disk_cache_put(struct disk_cache *dc, const struct segment_key *key,
		    uint64_t offset, const void *data, uint32_t len,
		    void (*release)(void *arg), void *arg)
{
	struct disk_job *job = calloc(1, sizeof(*job));
	struct disk_place known;
	bool is_known, fits;

	disk_lock_soon(dc);
	is_known = disk_index_find(dc->index, key, disk_part(offset), false,
				   &known) && known.len >= len;
	fits = job && !is_known && !dc->is_stopping &&
	       clock_ms() >= dc->paused_until_ms &&
	       dc->queued_bytes + len <= dc->queued_max;
	if (fits) {
		job->key = *key;
		job->offset = offset;
		job->data = data;
		job->len = len;
		job->release = release;
		job->arg = arg;
		disk_enqueue(dc, job);
	}
	dc->dropped += !fits && !is_known;
	lock_drop(&dc->lock);
	if (fits)
		return;
	free(job);
	release(arg);
}

bool disk_cache_is_behind(struct disk_cache *dc, uint64_t more)
{
	bool is_behind;

	lock_take(&dc->lock);
	is_behind = dc->queued_bytes + more > dc->queued_max &&
		    clock_ms() - dc->progress_ms < DISK_CACHE_STUCK_MS;
	lock_drop(&dc->lock);
	return is_behind;
}

void disk_cache_set_note(struct disk_cache *dc, const struct segment_key *key,
			 const struct disk_note *note)
{
	struct disk_job *job = calloc(1, sizeof(*job));
	struct disk_note value = *note;

	/* Else it might look like DISK_TOMBSTONE. */
	value.is_verified = note->is_verified && note->fingerprint;
	lock_take(&dc->lock);
	if (disk_notes_set(dc->notes, key, &value, DISK_NO_SLOT, false) &&
	    job) {
		job->kind = DISK_NOTE;
		job->key = *key;
		job->note = value;
		disk_enqueue(dc, steal_pointer(&job));
	}
	lock_drop(&dc->lock);
	free(job);
}
