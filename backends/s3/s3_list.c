/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <string.h>
#include "backends/base/log.h"

/* What an op's page points to. */
struct s3_page {
	struct s3_list list;
	struct list_entry *entries;
	char *next;
};

static void page_free(void *memory)
{
	struct s3_page *page = memory;

	s3_list_release(&page->list);
	free(page->entries);
	free(page->next);
	free(page);
}

static char *make_token(char dialect, const char *text)
{
	size_t len = strlen(text);
	char *token = malloc(len + 2);

	if (!token)
		return NULL;
	token[0] = dialect;
	memcpy(token + 1, text, len + 1);
	return token;
}

/* Without a delimiter list-v1 names no marker: the last key is it. */
static const char *find_marker(const struct s3_list *list)
{
	if (list->next_marker && *list->next_marker)
		return list->next_marker;
	if (list->n_entries)
		return list->entries[list->n_entries - 1].key;
	return NULL;
}

/*
 * The token of the next page: its dialect and the store's own.  A store may
 * answer a list-v2 request in list-v1's words.
 */
static int find_next(struct s3_page *page, const struct backend_op *op,
		     struct err *err)
{
	const struct s3_list *list = &page->list;
	const char *marker;

	if (list->token && *list->token) {
		page->next = make_token('2', list->token);
		if (!page->next)
			return err_nomem(err);
		if (op->token && !strcmp(op->token, page->next))
			return err_set(err, ERR_CORRUPT, EBADMSG,
				       "the store repeats its token");
		return 0;
	}
	if (!list->is_truncated)
		return 0;
	marker = find_marker(list);
	if (!marker)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "a page is cut and does not say where the next "
			       "one begins");
	page->next = make_token('1', marker);
	if (!page->next)
		return err_nomem(err);
	if (op->token && op->token[0] == '1' &&
	    strcmp(page->next, op->token) <= 0)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "the store repeats a page");
	return 0;
}

/* Behind start_after; a rolled-up prefix may hold keys on both sides. */
static bool is_wanted(const struct backend_op *op,
		      const struct s3_list_entry *entry, const char *relative)
{
	if (!*relative)
		return false;
	return !op->start_after || entry->is_prefix ||
	       strcmp(relative, op->start_after) > 0;
}

static int fill_entries(struct s3_page *page, struct backend_op *op,
			const char *prefix, size_t base_len, struct err *err)
{
	const struct s3_list *list = &page->list;
	size_t n = 0, prefix_len = strlen(prefix);

	page->entries = calloc(list->n_entries + 1, sizeof(*page->entries));
	if (!page->entries)
		return err_nomem(err);
	for (size_t i = 0; i < list->n_entries; i++) {
		const struct s3_list_entry *from = &list->entries[i];

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

int s3_list_page(struct s3_call *call, struct s3_list *list, struct err *err)
{
	struct backend_op *op = call->op;
	struct s3_page *page = calloc(1, sizeof(*page));
	cleanup_buf struct buf prefix = BUF_INIT;
	size_t base_len;
	int r;

	if (!page)
		return err_nomem(err);
	page->list = *list;
	memset(list, 0, sizeof(*list));
	s3_key_prefix(call->sb, &prefix);
	base_len = prefix.len;
	buf_str(&prefix, op->prefix);

	if (page->list.n_skipped)
		log_warn("s3", "keys with NUL bytes are not listed: %s n=%zu",
			 op->backend->name, page->list.n_skipped);
	r = buf_failed(&prefix) ? err_nomem(err) : 0;
	if (r == 0)
		r = find_next(page, op, err);
	if (r == 0)
		r = fill_entries(page, op, prefix.data ? prefix.data : "",
				 base_len, err);
	if (r < 0) {
		page_free(page);
		return r;
	}
	op->page.next = page->next;
	op->page_memory = page;
	op->page_free = page_free;
	return 0;
}
