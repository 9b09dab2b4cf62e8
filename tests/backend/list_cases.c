/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/conformance.h"

#include "backends/base/lock.h"

/* In byte order, and of everything that URLs, XML and signatures trip over. */
static const char *const odd_keys[] = {
	"odd/!$'()*,;:@",
	"odd/%",
	"odd/%2F",
	"odd/+",
	"odd/-._~",
	"odd/a b",
	"odd/a+b%20c",
	"odd/a<b>&\"c\"",
	"odd/d=e&f=g",
	"odd/h#i?j",
	"odd/tab\there",
	"odd/{|}^`[]",
	"odd/\xc3\xbc/\xe6\x97\xa5",
};

/* Azure takes the one for the other. */
static const char *const slash_keys[] = {
	"slash/a/b",
	"slash/a\\b",
};

static const char *const any_keys[] = {
	"any/../x",
	"any/./x",
	"any//",
	"any//x",
	"any/x/",
};

static char *joined(const char *const *keys, size_t n)
{
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < n; i++) {
		buf_str(&out, keys[i]);
		buf_char(&out, '\n');
	}
	return out.data;
}

/* number: of the case. */
static void check_keys(struct subject *s, unsigned number, const char *prefix,
		       const char *const *keys, size_t n)
{
	char *want = joined(keys, n);
	struct buf got = BUF_INIT;
	struct err err = ERR_INIT;
	int r;

	in_case(number);
	for (size_t i = 0; i < n; i++) {
		struct object_info info;
		char *text;

		r = put_text(s->b, keys[i], keys[i], false, NULL, &info);
		text = get_text(s->b, keys[i], &info);
		check(r == 0 && !strcmp(text, keys[i]), "the key %s", keys[i]);
		free(text);
	}
	in_case(13);
	r = list_keys(s->b, prefix, NULL, &got, &err);
	if (!check(r == 0 && !strcmp(got.data, want), "... and their list: %s",
		   err.text))
		printf("#   got %s\n", got.data);
	buf_release(&got);
	free(want);
}

#define N_KEYS 25

/* "list/00" ... with "list/dir-N/x" among them. */
static void make_list(struct subject *s, struct buf *all)
{
	for (int i = 0; i < N_KEYS; i++) {
		struct object_info info;
		struct err err = ERR_INIT;
		char key[64];

		(void)snprintf(key, sizeof(key),
			       i % 5 ? "list/%02d" : "list/dir-%02d/x", i);
		must(put_text(s->b, key, "x", false, NULL, &info), &err,
		     "put");
	}
	for (int is_dir = 0; is_dir < 2; is_dir++)
		for (int i = 0; i < N_KEYS; i++)
			if ((i % 5 == 0) == is_dir)
				buf_printf(all,
					   is_dir ? "list/dir-%02d/x\n" :
						    "list/%02d\n",
					   i);
}

struct paging {
	struct lock lock;
	struct cond cond;
	bool is_done;
	int r;
	struct buf keys;
	size_t n;
	char *next;
};

static void on_page(void *arg, int r, const struct list_page *page,
		    const struct err *err)
{
	struct paging *p = arg;

	(void)err;
	lock_take(&p->lock);
	p->r = r;
	p->n = r == 0 ? page->n_entries : 0;
	for (size_t i = 0; i < p->n; i++) {
		buf_str(&p->keys, page->entries[i].key);
		buf_char(&p->keys, '\n');
	}
	free(p->next);
	p->next = r == 0 && page->next ? strdup(page->next) : NULL;
	p->is_done = true;
	cond_signal(&p->cond);
	lock_drop(&p->lock);
}

static void next_page(struct subject *s, struct paging *p,
		      struct backend_list *list)
{
	p->is_done = false;
	list->deadline_ms = soon();
	backend_list(s->b, list, on_page, p);
	lock_take(&p->lock);
	while (!p->is_done)
		cond_wait(&p->cond, &p->lock);
	lock_drop(&p->lock);
}

static void pages(struct subject *s, unsigned max_keys, const char *want)
{
	struct paging p = { .is_done = false };
	size_t n_pages = 0, most = 0;

	lock_init(&p.lock);
	cond_init(&p.cond);
	do {
		char *token = p.next ? strdup(p.next) : NULL;
		struct backend_list list = {
			.prefix = "list/",
			.token = token,
			.max_keys = max_keys,
		};

		next_page(s, &p, &list);
		most = p.n > most ? p.n : most;
		free(token);
	} while (p.r == 0 && p.next && ++n_pages < 1000);
	check(p.r == 0 && most <= max_keys && !strcmp(p.keys.data, want),
	      "pages of %u: all keys once, in order", max_keys);
	free(p.next);
	buf_release(&p.keys);
	cond_release(&p.cond);
	lock_release(&p.lock);
}

static void start_after(struct subject *s, const char *after,
			const char *first)
{
	struct paging p = { .is_done = false };
	struct backend_list list = { .prefix = "list/", .start_after = after };
	char *token = NULL;

	lock_init(&p.lock);
	cond_init(&p.cond);
	buf_str(&p.keys, "");
	next_page(s, &p, &list);
	while (p.r == 0 && !p.n && p.next) {
		free(token);
		list.token = token = strdup(p.next);
		next_page(s, &p, &list);
	}
	free(token);
	check(p.r == 0 && !strncmp(p.keys.data, first, strlen(first)) &&
		      (*first || !p.n),
	      "behind %s", after);
	free(p.next);
	buf_release(&p.keys);
	cond_release(&p.cond);
	lock_release(&p.lock);
}

static void check_list(struct subject *s, const char *prefix,
		       const char *delimiter, const char *want,
		       const char *name)
{
	struct buf got = BUF_INIT;
	struct err err = ERR_INIT;
	int r = list_keys(s->b, prefix, delimiter, &got, &err);

	if (!check(r == 0 && !strcmp(got.data, want), "%s: %s", name,
		   err.text))
		printf("#   got %s\n", got.data);
	buf_release(&got);
}

/* A key that is the prefix itself, as consoles make for a directory. */
static void markers(struct subject *s)
{
	static const char *const keys[] = { "mark/", "mark/a", "mark/sub/",
					    "mark/sub/b" };

	in_case(14);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct object_info info;
		struct err err = ERR_INIT;

		must(put_text(s->b, keys[i], "", false, NULL, &info), &err,
		     "put");
	}
	check_list(s, "mark/", "/", "mark/\nmark/a\nmark/sub/\n",
		   "a prefix that is an object too");
	check_list(s, "mark/sub", "/", "mark/sub/\n",
		   "a directory with a marker");
	check_list(s, "mark", "/", "mark/\n", "... above it");
}

/* What stands in a query is signed in its one encoding, "" and "=" too. */
static void queries(struct subject *s)
{
	struct object_info info;
	struct err err = ERR_INIT;

	in_case(4);
	must(put_text(s->b, "q/a=b&c d+e%/x", "", false, NULL, &info), &err,
	     "put");
	must(put_text(s->b, "q/a=b&c d+e%/y~", "", false, NULL, &info), &err,
	     "put");
	check_list(s, "q/a=b&c d+e%/", NULL,
		   "q/a=b&c d+e%/x\nq/a=b&c d+e%/y~\n",
		   "a prefix that must be encoded");
	check_list(s, "q/a=b&c d+", "/", "q/a=b&c d+e%/\n",
		   "... and a delimiter");
	check_list(s, "q/a=b&c%20d", NULL, "", "... and is not another one");
}

/* A neighbour that begins with the same letters is not below. */
static void neighbours(struct subject *s)
{
	struct opening how = s->how;
	struct object_info info;
	struct backend *inner, *up;
	struct err err = ERR_INIT;
	struct buf got = BUF_INIT, full = BUF_INIT, full_up = BUF_INIT;
	char uri[1100];
	int r;

	must(put_text(s->b, "near/a", "1", false, NULL, &info), &err, "put");
	must(put_text(s->b, "nearby", "2", false, NULL, &info), &err, "put");
	(void)snprintf(uri, sizeof(uri), "%s/near", s->how.uri);
	how.uri = uri;
	inner = must_open(&how, s->engine);
	how.uri = s->how.uri;
	up = must_open(&how, s->engine);
	r = list_keys(inner, "", NULL, &got, &err);
	check(r == 0 && !strcmp(got.data, "a\n"),
	      "a location holds what is below it and no neighbour");
	backend_full_key(inner, "a", &full);
	backend_full_key(up, "near/a", &full_up);
	check(!strcmp(full.data, full_up.data) &&
		      !strcmp(backend_profile(inner), backend_profile(up)),
	      "an object has one full name, whatever location names it");
	buf_release(&got);
	buf_release(&full);
	buf_release(&full_up);
	backend_put_ref(inner);
	backend_put_ref(up);
}

void test_listing(struct subject *s)
{
	struct buf all = BUF_INIT;

	in_case(11);
	check_list(s, "nothing/", NULL, "", "no keys");
	check_keys(s, 2, "odd/", odd_keys, ARRAY_SIZE(odd_keys));
	if (s->has_backslash)
		check_keys(s, 2, "slash/", slash_keys, ARRAY_SIZE(slash_keys));
	else
		skip("a backslash in a key", "Azure reads it as a slash");
	if (s->has_any_key) {
		check_keys(s, 3, "any/", any_keys, ARRAY_SIZE(any_keys));
		markers(s);
	} else {
		in_case(3);
		skip("keys such as a//b and x/", "a directory has no such");
	}
	queries(s);

	make_list(s, &all);
	in_case(14);
	check_list(s, "list/", NULL, all.data, "all keys in order");
	check_list(s, "list/0", NULL,
		   "list/01\nlist/02\nlist/03\nlist/04\nlist/06\nlist/07\n"
		   "list/08\nlist/09\n",
		   "a prefix that ends within a name");
	check_list(s, "list/dir", "/",
		   "list/dir-00/\nlist/dir-05/\nlist/dir-10/\nlist/dir-15/\n"
		   "list/dir-20/\n",
		   "by directories");
	check_list(s, "lis", "/", "list/\n", "one directory");
	in_case(11);
	pages(s, 1, all.data);
	pages(s, 7, all.data);
	pages(s, N_KEYS, all.data);
	start_after(s, "list/0", "list/01\n");
	start_after(s, "list/22", "list/23\nlist/24\nlist/dir-00/x\n");
	start_after(s, "list/zzz", "");
	in_case(0);
	neighbours(s);
	buf_release(&all);
}
