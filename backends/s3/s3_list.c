/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_impl.h"

#include <errno.h>
#include <string.h>

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
	if (list->names.n_entries)
		return list->names.entries[list->names.n_entries - 1].key;
	return NULL;
}

/*
 * The token of the next page: its dialect and the store's own.  A store may
 * answer a list-v2 request in list-v1's words.
 */
static int find_next(char **next, const struct s3_list *list,
		     const struct backend_op *op, struct err *err)
{
	const char *marker;

	if (list->token && *list->token) {
		*next = make_token('2', list->token);
		if (!*next)
			return err_nomem(err);
		if (op->token && !strcmp(op->token, *next))
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
	*next = make_token('1', marker);
	if (!*next)
		return err_nomem(err);
	if (op->token && op->token[0] == '1' &&
	    strcmp(*next, op->token) <= 0)
		return err_set(err, ERR_CORRUPT, EBADMSG,
			       "the store repeats a page");
	return 0;
}

int s3_list_page(struct backend_op *op, struct s3_list *list, struct err *err)
{
	struct listing *names = &list->names;
	char *next = NULL;
	int r = find_next(&next, list, op, err);

	if (r < 0) {
		free(next);
		return r;
	}
	for (size_t i = 0; i < names->n_entries; i++)
		if (!backend_has_generations(op->backend))
			names->entries[i].info.generation[0] = '\0';
	return listing_give(op, names, next, err);
}
