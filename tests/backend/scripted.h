/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The S3 dialect against a server that keeps to a script: what real stores do
 * only on bad days, and real attackers on good ones.
 */
#ifndef DATASETFS_TESTS_BACKEND_SCRIPTED_H
#define DATASETFS_TESTS_BACKEND_SCRIPTED_H

#include "tests/backend/case.h"
#include "tests/backend/fixture.h"
#include "tests/backend/script_server.h"

/* A step says what matters in it; what it leaves out is zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define ACCESS_KEY "the-access-key"
#define SECRET_KEY "the-secret-key"

/* A store and a backend of its own for one case. */
struct scene {
	struct script_server *server;
	struct backend *b;
	struct err err;
	struct object_info info;
	char url[64];
	char bytes[64];		/* where ranges go */
	int64_t begun_ms;
};

/* uri NULL: s3://bkt/p; creds NULL: ACCESS_KEY. */
void scene_begin(struct scene *sc, const char *uri, struct cred_source *creds,
		 const struct script_step *steps, size_t n);
#define SCENE(sc, ...)                                                         \
	static const struct script_step steps_##sc[] = { __VA_ARGS__ };        \
	struct scene sc;                                                       \
	scene_begin(&sc, NULL, NULL, steps_##sc, ARRAY_SIZE(steps_##sc))
/* Before the first request: the same store, with these. */
void scene_options(struct scene *sc, const struct backend_s3_options *s3);
void scene_end(struct scene *sc);

/* One range of the object "k"; its bytes land in sc->bytes. */
int scene_get(struct scene *sc, uint64_t offset, size_t len,
	      const char *if_match, uint64_t expect_size);

/* The i-th request holds this text; text with a leading '!': it does not. */
bool asked(struct scene *sc, size_t i, const char *text);

/* r and the number of requests, or the case fails and shows all of it. */
bool check_scene(struct scene *sc, int r, int want, size_t n_requests,
		 const char *name);

void scripted_reads(void);
void scripted_refusals(void);
void scripted_lists(void);
void scripted_writes(void);
void scripted_google(void);
void scripted_azure(void);

#endif
