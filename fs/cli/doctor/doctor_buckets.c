/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each bucket: is it configured rightly, does its store answer, does it take
 * the credential, and does it have the same time?
 */
#include <config.h>

#include <stdio.h>

#include "backends/auth/cred.h"
#include "backends/backend_sync.h"
#include "backends/base/clock.h"
#include "fs/cli/doctor/doctor.h"

#define STORE_TIMEOUT_MS 15000	/* of one question to a store */

static const char *credential_of(const struct bucket *b)
{
	const struct settings_cred *cred = bucket_settings(b)->cred;

	return cred && cred->origin ? cred->origin : NULL;
}

/* Who it is when the ambient chain has found somebody, and until when. */
static void identity_of(struct bucket *b, struct buf *out)
{
	char until[CLOCK_ISO_MAX];
	struct cred_state state;

	if (credential_of(b)) {
		buf_str(out, credential_of(b));
		return;
	}
	buf_str(out, "no credential of its own");
	if (!bucket_identity(b, &state) || !state.is_known)
		return;
	buf_printf(out, ", %s", state.name);
	if (state.expires_s == INT64_MAX)
		return;
	clock_format_iso(state.expires_s, until);
	buf_printf(out, " until %s", until);
}

static void fix_of(const struct bucket *b, const struct err *err,
		   struct buf *fix)
{
	const char *path = bucket_settings(b)->dataset_path;
	const char *cred = credential_of(b);

	switch (err->class) {
	case ERR_AUTH:
		if (cred)
			buf_printf(fix, "may the key of %s read and list %s?",
				   cred, path);
		else
			buf_printf(fix, "give the bucket a default_credential, see datasetfs.conf(5)");
		break;
	case ERR_RETRY:
		buf_printf(fix, "can this machine reach the store? (name, route, proxy, certificate; region and override_url of the bucket)");
		break;
	case ERR_MISSING:
		buf_printf(fix, "is the dataset_path %s right?", path);
		break;
	default:
		buf_printf(fix, "more is told by: datasetfs -v dataset list %s",
			   bucket_name(b));
		break;
	}
}

/* One entry is enough of an answer. */
static int stop_at_first(void *arg, const struct list_entry *entry,
			 struct err *err)
{
	(void)arg;
	(void)entry;
	(void)err;
	return 1;
}

/* The catalog, then the content where that lies elsewhere. */
static int ask(struct bucket *b, struct catalog **catalog, struct err *err)
{
	int r = catalog_store_load(bucket_store(b), catalog,
				   clock_ms() + STORE_TIMEOUT_MS, err);

	if (r < 0 || !bucket_settings(b)->catalog)
		return r;
	r = backend_sync_list(bucket_backend(b), "", "/", STORE_TIMEOUT_MS,
			      stop_at_first, NULL, err);
	return r < 0 ? err_wrap(err, "content") : 0;
}

static void look_at_clock(struct doctor *d, struct bucket *b)
{
	struct clock_finding clock;
	char check[128];
	int64_t skew_s;

	if (!backend_clock_skew(bucket_backend(b), &skew_s))
		return;
	clock = findings_of_clock(skew_s);
	snprintf(check, sizeof(check), "clock of %.64s", bucket_name(b));
	doctor_tell(d, clock.verdict, check, clock.fix, "%s", clock.text);
}

static void look_at_bucket(struct doctor *d, struct bucket *b)
{
	const struct settings_bucket *sb = bucket_settings(b);
	cleanup_buf struct buf fix = BUF_INIT;
	cleanup_buf struct buf who = BUF_INIT;
	struct catalog *catalog = NULL;
	struct err err = ERR_INIT;
	int64_t begun_ms = clock_ms();
	char check[128];

	snprintf(check, sizeof(check), "bucket %.64s", bucket_name(b));
	if (bucket_problem(b)) {
		buf_printf(&fix, "correct it at %s:%u; datasetfs.conf(5) describes each key",
			   d->cli->settings->path, sb->line);
		doctor_tell(d, VERDICT_FAILED, check, fix.data, "%s",
			    bucket_problem(b));
		return;
	}
	if (ask(b, &catalog, &err) < 0) {
		fix_of(b, &err, &fix);
		doctor_tell(d, VERDICT_FAILED, check, fix.data, "%s",
			    err.text);
	} else if (!catalog->n_datasets) {
		buf_printf(&fix, "datasetfs dataset import osmo %s SOURCE, or is the dataset_path right?",
			   bucket_name(b));
		doctor_tell(d, VERDICT_WARNING, check, fix.data,
			    "%s answers, but has no catalog",
			    sb->dataset_path);
	} else {
		identity_of(b, &who);
		doctor_tell(d, VERDICT_OK, check, NULL,
			    "%s: %zu datasets, %s, answered in %lld ms",
			    sb->dataset_path, catalog->n_datasets,
			    who.data ? who.data : "",
			    (long long)(clock_ms() - begun_ms));
	}
	if (catalog)
		catalog_put(catalog);
	look_at_clock(d, b);
}

void doctor_look_at_buckets(struct doctor *d)
{
	const struct buckets_options opt = { .sync_only = true };
	struct err err = ERR_INIT;

	if (buckets_new(&d->cli->buckets, d->cli->settings, &opt, &err) < 0) {
		doctor_tell(d, VERDICT_FAILED, "buckets",
			    "give this process more memory or threads", "%s",
			    err.text);
		return;
	}
	for (size_t i = 0; i < buckets_count(d->cli->buckets); i++)
		look_at_bucket(d, buckets_at(d->cli->buckets, i));
}
