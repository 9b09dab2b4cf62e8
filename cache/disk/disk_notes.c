/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "cache/disk/disk_notes.h"

#include <stdlib.h>

#define CHAINS 4096u

struct note {
	struct segment_key key;
	uint64_t fingerprint;
	struct note *next;
	uint32_t slot;
	uint32_t salt : 31;
	uint32_t is_verified : 1;
	bool is_marked;
};
_Static_assert(sizeof(struct note) <= 48, "what a note costs");

struct disk_notes {
	struct memory_budget *budget;
	struct note *chains[CHAINS];
};

int disk_notes_new(struct disk_notes **out, struct memory_budget *budget,
		   struct err *err)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return err_nomem(err);
	(*out)->budget = budget;
	return 0;
}

static struct note **link_to(struct disk_notes *notes,
			     const struct segment_key *key)
{
	struct note **link = &notes->chains[key->lo % CHAINS];

	while (*link && ((*link)->key.lo != key->lo ||
			 (*link)->key.hi != key->hi))
		link = &(*link)->next;
	return link;
}

static void forget(struct disk_notes *notes, struct note **link)
{
	struct note *note = *link;

	*link = note->next;
	free(note);
	memory_budget_give(notes->budget, sizeof(*note));
}

void disk_notes_free(struct disk_notes *notes)
{
	if (!notes)
		return;
	for (size_t i = 0; i < CHAINS; i++)
		while (notes->chains[i])
			forget(notes, &notes->chains[i]);
	free(notes);
}

static void note_tell(const struct note *note, struct disk_note *out)
{
	out->fingerprint = note->fingerprint;
	out->salt = note->salt;
	out->is_verified = note->is_verified;
}

bool disk_notes_find(struct disk_notes *notes, const struct segment_key *key,
		     bool mark, struct disk_note *out)
{
	struct note *note = *link_to(notes, key);

	if (!note)
		return false;
	if (mark)
		note->is_marked = true;
	note_tell(note, out);
	return true;
}

bool disk_notes_set(struct disk_notes *notes, const struct segment_key *key,
		    const struct disk_note *value, uint32_t slot, bool is_new)
{
	struct note **link = link_to(notes, key);
	struct note *note = *link;

	if (note && is_new)
		return false;
	if (!note) {
		if (!memory_budget_claim(notes->budget, sizeof(*note)))
			return false;
		note = calloc(1, sizeof(*note));
		if (!note) {
			memory_budget_give(notes->budget, sizeof(*note));
			return false;
		}
		note->key = *key;
		*link = note;
	}
	note->fingerprint = value->fingerprint;
	note->salt = value->salt & DISK_NOTE_SALT_MAX;
	note->is_verified = value->is_verified;
	note->slot = slot;
	return true;
}

bool disk_notes_unmark(struct disk_notes *notes, const struct segment_key *key,
		       uint32_t slot, const struct disk_note *value)
{
	struct note **link = link_to(notes, key);
	struct note *note = *link;
	struct disk_note now;

	if (!note || note->slot != slot)
		return false;
	note_tell(note, &now);
	if (!disk_note_equal(&now, value))
		return false;
	if (!note->is_marked) {
		forget(notes, link);
		return false;
	}
	note->is_marked = false;
	return true;
}

void disk_notes_count_slots(const struct disk_notes *notes, uint32_t *counts,
			    uint32_t n)
{
	for (size_t i = 0; i < CHAINS; i++)
		for (const struct note *note = notes->chains[i]; note;
		     note = note->next)
			if (note->slot < n)
				counts[note->slot]++;
}

void disk_notes_each(struct disk_notes *notes, disk_note_fn each, void *arg)
{
	for (size_t i = 0; i < CHAINS; i++) {
		for (struct note *note = notes->chains[i]; note;
		     note = note->next) {
			struct disk_note value;

			note_tell(note, &value);
			each(arg, &note->key, &value);
			note->fingerprint = value.fingerprint;
			note->salt = value.salt & DISK_NOTE_SALT_MAX;
			note->is_verified = value.is_verified;
		}
	}
}
