/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/aws/aws.h"

typedef int (*make_fn)(struct cred_source **out, struct http_engine *engine,
		       struct err *err);

static int make_env(struct cred_source **out, struct http_engine *engine,
		    struct err *err)
{
	(void)engine;
	return cred_source_env(out, err);
}

static int make_files(struct cred_source **out, struct http_engine *engine,
		      struct err *err)
{
	(void)engine;
	return cred_source_shared_files(out, err);
}

static int make_anonymous(struct cred_source **out, struct http_engine *engine,
			  struct err *err)
{
	(void)engine;
	return cred_source_anonymous(out, err);
}

/* Without make: the profile's, where that is its place. */
static const struct {
	make_fn make;
	enum aws_place place;
} order[] = {
	{ .make = make_env },
	{ .place = AWS_PLACE_ROLE },
	{ .make = cred_source_web_identity },
	{ .place = AWS_PLACE_WEB_IDENTITY },
	{ .make = make_files },
	{ .place = AWS_PLACE_PROCESS },
	{ .make = cred_source_container },
	{ .make = cred_source_imds },
	{ .make = make_anonymous },
};

int cred_source_aws(struct cred_source **out, struct http_engine *engine,
		    struct err *err)
{
	struct cred_source *sources[ARRAY_SIZE(order)];
	struct cred_source *profile;
	enum aws_place place;
	size_t n = 0;
	int r = cred_source_profile(&profile, &place, engine, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(order); i++) {
		struct cred_source *src = NULL;

		if (order[i].make)
			r = order[i].make(&src, engine, err);
		else if (order[i].place == place)
			src = steal_pointer(&profile);
		if (r == 0 && src)
			sources[n++] = src;
	}
	if (r == 0)
		return cred_source_chain(out, sources, n, err);
	while (n > 0)
		cred_source_put_ref(sources[--n]);
	if (profile)
		cred_source_put_ref(profile);
	return r;
}
