/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/cred_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOBODY (-1)

struct cred_chain {
	struct cred_source base;
	atomic_int chosen;	/* index of the one that answered, or NOBODY */
	size_t n;
	struct cred_source *sources[];
};

static int ask(struct cred_chain *chain, struct cred *out, struct err *err)
{
	struct err all = ERR_INIT;

	(void)err_set(&all, ERR_AUTH, ENOENT, "no credential");
	for (size_t i = 0; i < chain->n; i++) {
		int nobody = NOBODY;
		int r = chain->sources[i]->ops->get(chain->sources[i], out,
						    err);

		if (r == 0) {
			/*
			 * Somebody else may have found another one meanwhile;
			 * ours was good when we asked.
			 */
			(void)atomic_compare_exchange_strong(
				&chain->chosen, &nobody, (int)i);
			return 0;
		}
		if (r != -ENOENT)
			return r;
		(void)err_set(&all, ERR_AUTH, ENOENT, "%.*s%s%.*s",
			      (int)(sizeof(all.text) / 2), all.text,
			      i ? "; " : ": ", (int)(sizeof(err->text) / 2),
			      err->text);
	}
	err_copy(err, &all);
	return -ENOENT;
}

/*
 * The chosen one stays, even where it has none any more: what was signed must
 * not become unsigned because a file went away.
 */
static int chain_get(struct cred_source *src, struct cred *out, struct err *err)
{
	struct cred_chain *chain = (struct cred_chain *)src;
	int chosen = atomic_load(&chain->chosen);
	int r;

	if (chosen == NOBODY)
		return ask(chain, out, err);
	r = chain->sources[chosen]->ops->get(chain->sources[chosen], out, err);
	return r == -ENOENT ? -EACCES : r;
}

typedef void (*tell_fn)(struct cred_source *src, uint64_t generation);

static void chain_tell(struct cred_source *src, uint64_t generation,
		       tell_fn tell)
{
	struct cred_chain *chain = (struct cred_chain *)src;
	int chosen = atomic_load(&chain->chosen);

	if (chosen == NOBODY)
		return;
	tell(chain->sources[chosen], generation);

	/* Unsigned was not enough: there may be a credential by now. */
	if (chain->sources[chosen]->is_anonymous &&
	    tell != cred_source_accepted)
		(void)atomic_compare_exchange_strong(&chain->chosen, &chosen,
						     NOBODY);
}

static void chain_refused(struct cred_source *src, uint64_t generation)
{
	chain_tell(src, generation, cred_source_refused);
}

static void chain_denied(struct cred_source *src, uint64_t generation)
{
	chain_tell(src, generation, cred_source_denied);
}

static void chain_accepted(struct cred_source *src, uint64_t generation)
{
	chain_tell(src, generation, cred_source_accepted);
}

static const char *chain_name(struct cred_source *src)
{
	struct cred_chain *chain = (struct cred_chain *)src;
	int chosen = atomic_load(&chain->chosen);

	return chosen == NOBODY ? src->name :
				  cred_source_name(chain->sources[chosen]);
}

static void chain_state(struct cred_source *src, struct cred_state *out)
{
	struct cred_chain *chain = (struct cred_chain *)src;
	int chosen = atomic_load(&chain->chosen);

	out->is_known = chosen != NOBODY;
	if (chosen != NOBODY)
		cred_source_state(chain->sources[chosen], out);
}

static void chain_release(struct cred_source *src)
{
	struct cred_chain *chain = (struct cred_chain *)src;

	for (size_t i = 0; i < chain->n; i++)
		cred_source_put_ref(chain->sources[i]);
}

int cred_source_chain(struct cred_source **out, struct cred_source **sources,
		      size_t n, struct err *err)
{
	static const struct cred_source_ops ops = {
		.get = chain_get,
		.refused = chain_refused,
		.denied = chain_denied,
		.accepted = chain_accepted,
		.name = chain_name,
		.state = chain_state,
		.release = chain_release,
	};
	struct cred_chain *chain;
	int r = 0;

	chain = calloc(1, sizeof(*chain) + n * sizeof(chain->sources[0]));
	if (chain)
		r = cred_source_init(&chain->base, &ops, "ambient", err);
	if (!chain || r < 0) {
		free(chain);
		while (n > 0)
			cred_source_put_ref(sources[--n]);
		return err_nomem(err);
	}
	atomic_init(&chain->chosen, NOBODY);
	chain->n = n;
	if (n)
		memcpy(chain->sources, sources, n * sizeof(sources[0]));
	*out = &chain->base;
	return 0;
}
