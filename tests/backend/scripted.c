/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/scripted.h"

static struct http_engine *engine;
static struct cred_source *own_creds;

void scene_begin(struct scene *sc, const char *uri, struct cred_source *creds,
		 const struct script_step *steps, size_t n)
{
	struct opening how = {
		.uri = uri ? uri : "s3://bkt/p",
		.override_url = sc->url,
		.creds = creds ? creds : own_creds,
	};

	memset(sc, 0, sizeof(*sc));
	sc->server = script_start(steps, n);
	/* tos insists on a name in front of the host. */
	(void)snprintf(sc->url, sizeof(sc->url), "http://%s:%u",
		       strncmp(how.uri, "tos://", 6) ? "127.0.0.1" :
						       "localhost",
		       script_port(sc->server));
	sc->b = must_open(&how, engine);
	sc->begun_ms = clock_ms();
}

void scene_options(struct scene *sc, const struct backend_s3_options *s3)
{
	struct opening how = {
		.uri = "s3://bkt/p",
		.override_url = sc->url,
		.creds = own_creds,
		.s3 = *s3,
	};

	backend_put_ref(sc->b);
	sc->b = must_open(&how, engine);
}

void scene_end(struct scene *sc)
{
	backend_put_ref(sc->b);
	script_stop(sc->server);
}

int scene_get(struct scene *sc, uint64_t offset, size_t len,
	      const char *if_match, uint64_t expect_size)
{
	memset(sc->bytes, 0, sizeof(sc->bytes));
	return get_range(sc->b, "k", sc->bytes, offset, len, if_match,
			 expect_size, &sc->info, &sc->err);
}

bool asked(struct scene *sc, size_t i, const char *text)
{
	const char *rq = script_request(sc->server, i);

	return *text == '!' ? !strcasestr(rq, text + 1) :
			      strcasestr(rq, text) != NULL;
}

bool check_scene(struct scene *sc, int r, int want, size_t n_requests,
		 const char *name)
{
	size_t n = script_count(sc->server);

	if (check(r == want && n == n_requests, "%s", name))
		return true;
	printf("#   got %d, want %d: %s\n#   %zu requests, want %zu\n", r,
	       want, sc->err.text, n, n_requests);
	for (size_t i = 0; i < n && i < 8; i++) {
		const char *rq = script_request(sc->server, i);

		printf("#   %.*s\n", (int)strcspn(rq, "\r"), rq);
	}
	return false;
}

int main(void)
{
	const struct http_options options = { .threads = 1 };
	struct err err = ERR_INIT;

	/* The machine's own region is not the scripts'. */
	(void)unsetenv("AWS_REGION");
	(void)unsetenv("AWS_DEFAULT_REGION");
	must(http_engine_new(&engine, &options, &err), &err, "engine");
	must(cred_source_static(&own_creds, "test", ACCESS_KEY, SECRET_KEY,
				NULL, &err),
	     &err, "credential");
	scripted_reads();
	scripted_refusals();
	scripted_lists();
	scripted_writes();
	scripted_google();
	scripted_azure();
	http_engine_free(engine);
	cred_source_put_ref(own_creds);
	return cases_done();
}
