/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a large blob are served before anybody knows whether they are
 * right, and may leave memory before their part was hashed.  What comes in
 * their place later must be the same bytes, or the verdict would be about
 * others than a reader has: so the digest of each grain that came in less than
 * a part is kept, and compared when it comes again.
 *
 * Its memory is bounded (FETCH_SEEN_SHARE); a blob that finds no room is not
 * compared.
 */
#include <config.h>
#include "cache/fetcher_impl.h"

#include <errno.h>
#include <stdlib.h>
#include "backends/base/digest.h"

static uint64_t seen_cost(const struct blob_state *st)
{
	return (st->size / CACHE_GRAIN + 1) * sizeof(*st->seen);
}

/* The digests that are kept of the fetch's n grains, 0 of others. */
static void find_seen(struct fetcher *f, const struct fetch *fetch,
		      uint64_t digests[SEEN_MAX], unsigned n)
{
	const struct blob_state *st = fetch->state;
	uint64_t first = fetch->offset / CACHE_GRAIN;

	lock_take(&f->lock);
	for (unsigned i = 0; i < n; i++)
		digests[i] = st->seen ? st->seen[first + i] : 0;
	lock_drop(&f->lock);
}

static uint64_t digest_grain(const struct fetch *fetch, size_t at)
{
	size_t rest = fetch->len - at;
	uint64_t digest = digest_xxh3((const uint8_t *)fetch->data + at,
				      rest < CACHE_GRAIN ? rest : CACHE_GRAIN);

	return digest ? digest : 1;	/* 0 stands for "not seen" */
}

unsigned seen_digest(struct fetcher *f, const struct fetch *fetch,
		     uint64_t digests[SEEN_MAX])
{
	unsigned n = (unsigned)((fetch->len + CACHE_GRAIN - 1) / CACHE_GRAIN);
	bool is_piece = fetch->len < BLOB_PART;

	if (fetch->state->rule != RULE_PARTS)
		return 0;
	/* A whole part is hashed now: only compared, if anything. */
	if (!is_piece)
		find_seen(f, fetch, digests, n);
	for (unsigned i = 0; i < n; i++)
		if (is_piece || digests[i])
			digests[i] = digest_grain(fetch, i * CACHE_GRAIN);
	return n;
}

static bool seen_keep(struct fetcher *f, struct blob_state *st)
	REQUIRES(&f->lock)
{
	uint64_t cost = seen_cost(st);

	if (st->seen)
		return true;
	if (f->seen_bytes + cost > f->memory / FETCH_SEEN_SHARE ||
	    !cache_make_room(f->cache, cost))
		return false;
	st->seen = calloc(cost / sizeof(*st->seen), sizeof(*st->seen));
	if (!st->seen) {
		memory_budget_give(f->opt.budget, cost);
		return false;
	}
	f->seen_bytes += cost;
	return true;
}

bool seen_agrees(struct fetcher *f, const struct fetch *fetch,
		 const uint64_t *digests, unsigned n)
{
	struct blob_state *st = fetch->state;
	uint64_t first = fetch->offset / CACHE_GRAIN;

	if (!n || (!st->seen && fetch->len >= BLOB_PART) || !seen_keep(f, st))
		return true;
	for (unsigned i = 0; i < n; i++)
		if (digests[i] && st->seen[first + i] &&
		    st->seen[first + i] != digests[i])
			return false;
	for (unsigned i = 0; i < n; i++)
		if (digests[i])
			st->seen[first + i] = digests[i];
	return true;
}

void seen_forget(struct fetcher *f, struct blob_state *st)
{
	if (!st->seen)
		return;
	memory_budget_give(f->opt.budget, seen_cost(st));
	f->seen_bytes -= seen_cost(st);
	free(st->seen);
	st->seen = NULL;
}
