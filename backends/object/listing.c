/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/object/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/log.h"

/* What an op's page points to. */
struct page {
	struct listing listing;
	struct list_entry *entries;
	char *next;
};

void listing_release(struct listing *list)
{
	for (size_t i = 0; i < list->n_entries; i++)
		free(list->entries[i].key);
	free(list->entries);
	memset(list, 0, sizeof(*list));
}

static void page_free(void *memory)
{
	struct page *page = memory;

	listing_release(&page->listing);
	free(page->entries);
	free(page->next);
	free(page);
}

int listing_add(struct listing *list, struct listing_entry *entry,
		struct err *err)
{
	if (!entry->key)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "an entry without a name");
	if (list->n_entries >= LISTING_ENTRIES_MAX)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "more than %d entries on a page",
			       LISTING_ENTRIES_MAX);
	if (list->n_entries == list->cap) {
		size_t cap = list->cap ? 2 * list->cap : 128;
		struct listing_entry *v = realloc(list->entries,
						  cap * sizeof(*v));

		if (!v)
			return err_nomem(err);
		list->entries = v;
		list->cap = cap;
	}
	list->entries[list->n_entries++] = *entry;
	memset(entry, 0, sizeof(*entry));
	return 0;
}

void listing_skip(struct listing *list, size_t i)
{
	free(list->entries[i].key);
	list->entries[i].key = NULL;
	list->n_skipped++;
}

static int compare_entries(const void *a, const void *b)
{
	return strcmp(((const struct listing_entry *)a)->key,
		      ((const struct listing_entry *)b)->key);
}

static void drop_skipped(struct listing *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n_entries; i++)
		if (list->entries[i].key)
			list->entries[n++] = list->entries[i];
	list->n_entries = n;
}

int listing_sort(struct listing *list, struct err *err)
{
	drop_skipped(list);
	if (!list->n_entries)
		return 0;
	qsort(list->entries, list->n_entries, sizeof(*list->entries),
	      compare_entries);
	for (size_t i = 1; i < list->n_entries; i++)
		if (!compare_entries(&list->entries[i - 1], &list->entries[i]))
			return err_set(err, ERR_CORRUPT, EBADMSG,
				       "a key is listed twice");
	return 0;
}

/* Behind start_after; a rolled-up prefix may hold keys on both sides. */
static bool is_wanted(const struct backend_op *op,
		      const struct listing_entry *entry, const char *relative)
{
	if (!*relative)
		return false;
	return !op->start_after || entry->is_prefix ||
	       strcmp(relative, op->start_after) > 0;
}

static int fill_entries(struct page *page, struct backend_op *op,
			const char *prefix, size_t base_len, struct err *err)
{
	const struct listing *list = &page->listing;
	size_t n = 0, prefix_len = strlen(prefix);

	page->entries = calloc(list->n_entries + 1, sizeof(*page->entries));
	if (!page->entries)
		return err_nomem(err);
	for (size_t i = 0; i < list->n_entries; i++) {
		const struct listing_entry *from = &list->entries[i];

		if (strncmp(from->key, prefix, prefix_len) != 0)
			return err_set(err, ERR_CORRUPT, EBADMSG,
				       "the store lists a key that does not "
				       "begin with the prefix asked for");
		if (!is_wanted(op, from, from->key + base_len))
			continue;
		page->entries[n++] = (struct list_entry){
			.key = from->key + base_len,
			.is_prefix = from->is_prefix,
			.info = from->info,
		};
	}
	op->page.entries = page->entries;
	op->page.n_entries = n;
	return 0;
}

static int fill_page(struct page *page, struct backend_op *op, struct err *err)
{
	cleanup_buf struct buf prefix = BUF_INIT;
	size_t base_len;

	backend_key_prefix(op->backend, &prefix);
	base_len = prefix.len;
	buf_str(&prefix, op->prefix);
	if (buf_failed(&prefix))
		return err_nomem(err);
	return fill_entries(page, op, prefix.data ? prefix.data : "", base_len,
			    err);
}

int listing_give(struct backend_op *op, struct listing *listing, char *next,
		 struct err *err)
{
	struct page *page = calloc(1, sizeof(*page));
	int r;

	if (!page) {
		listing_release(listing);
		free(next);
		return err_nomem(err);
	}
	page->listing = *listing;
	page->next = next;
	memset(listing, 0, sizeof(*listing));
	if (page->listing.n_skipped)
		log_warn("store",
			 "keys with NUL bytes are not listed: %s n=%zu",
			 op->backend->name, page->listing.n_skipped);
	r = fill_page(page, op, err);
	if (r < 0) {
		page_free(page);
		return r;
	}
	op->page.next = page->next;
	op->page_memory = page;
	op->page_free = page_free;
	return 0;
}
