/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/cli/check/bucket_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "backends/backend_look.h"
#include "backends/backend_sync.h"
#include "backends/base/clock.h"
#include "backends/base/encode.h"

#define CHECK_KEY ".datasetfs/probe/check-"
#define CHECK_SEEN_MAX 1000	/* entries that are passed over */

/* What the store's own words ask for, whatever was tried. */
static const struct {
	const char *code, *advice;
} advices[] = {
	{ "InvalidAccessKeyId",
	  "the store knows no such access_key_id: correct it in the Secret" },
	{ "SignatureDoesNotMatch",
	  "the access_key does not belong to the access_key_id: correct the Secret" },
	{ "AuthenticationFailed",
	  "the account's key or the SAS is not right: correct the Secret" },
	{ "ExpiredToken", "the session is over: renew the credential" },
	{ "RequestTimeTooSkewed",
	  "set this machine's clock: timedatectl set-ntp true" },
	{ "AuthorizationHeaderMalformed",
	  "write the region that the store names as the bucket's region" },
	{ "NoSuchBucket",
	  "there is no such bucket: is its name in dataset_path right, and the account the credential's?" },
	{ "ContainerNotFound",
	  "there is no such container: is its name in dataset_path right?" },
};

static int64_t now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct backend *backend_of(const struct bucket_check *c)
{
	return bucket_backend(c->bucket);
}

/* asked: what did not answer as it should, the content's place or another. */
static void fix_of(const struct bucket_check *c, const struct backend *asked,
		   enum backend_need need, const struct err *err,
		   struct buf *fix)
{
	const struct settings_cred *cred = bucket_settings(c->bucket)->cred;

	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (strstr(err->text, advices[i].code)) {
			buf_str(fix, advices[i].advice);
			return;
		}
	switch (err->class) {
	case ERR_AUTH:
		buf_printf(fix, "%s needs ", cred && cred->origin ?
			   cred->origin : "the identity above");
		backend_need_text(asked, need, fix);
		if (cred)
			buf_str(fix, " (or its key is wrong: some stores, as Ceph, say the same of both)");
		if (!cred)
			buf_str(fix, "; or give the bucket a default_credential: {secretName: NAME}");
		break;
	case ERR_RETRY:
		buf_str(fix, "can this machine reach the store? (name, route, proxy; region and override_url of the bucket)");
		break;
	case ERR_MISSING:
		buf_printf(fix, "is the %s %s right?",
			   asked == backend_of(c) ? "dataset_path" : "catalog",
			   backend_name(asked));
		break;
	default:
		buf_printf(fix, "more is told by: datasetfs -v dataset list %s",
			   c->name);
		break;
	}
}

static void tell_failed_with(struct bucket_check *c, const char *check,
			     int64_t us, const char *fix, const struct err *err)
{
	const struct step step = {
		.check = check,
		.us = us,
		.verdict = VERDICT_FAILED,
		.code = cli_exit_code(err),
		.fix = fix,
	};

	bucket_check_tell(c, &step, "%s", err->text);
}

static void tell_failed(struct bucket_check *c, const char *check, int64_t us,
			const struct backend *asked, enum backend_need need,
			const struct err *err)
{
	cleanup_buf struct buf fix = BUF_INIT;

	fix_of(c, asked, need, err, &fix);
	tell_failed_with(c, check, us, fix.data, err);
}

/* --- the way there ---------------------------------------------------- */

static void tell_step(struct bucket_check *c, const char *check, int64_t us,
		      const char *text)
{
	const struct step step = { .check = check, .us = us };

	if (us >= 0)
		bucket_check_tell(c, &step, "%s", text);
}

static bool look_at_way(struct bucket_check *c)
{
	struct backend_reach reach;
	struct err err = ERR_INIT;
	int r = backend_reach(backend_of(c), clock_ms() + CHECK_STEP_MS, &reach,
			      &err);
	const struct http_timing *t = &reach.timing;

	if (r == -ENOTSUP)	/* a local directory */
		return true;
	tell_step(c, "resolve", t->resolve_us, reach.origin);
	tell_step(c, "connect", t->connect_us, "a connection");
	tell_step(c, "tls", t->tls_us, "its certificate is trusted");
	if (r == 0) {
		tell_step(c, "answer", t->answer_us, "HTTP");
		return true;
	}
	if (t->resolve_us < 0)
		tell_failed_with(c, "resolve", -1, "is the host right (override_url, region of the bucket), and this machine's DNS?",
				  &err);
	else if (t->is_tls_failed)
		tell_failed_with(c, "tls", -1, "for an authority of your own datasetfs: {ca_file: FILE.pem}; where no TLS is spoken, http:// in the bucket's override_url",
				  &err);
	else if (t->connect_us < 0)
		tell_failed_with(c, "connect", -1, "does a store listen at that port (override_url)? Is there a route, a firewall, a proxy (https_proxy, no_proxy)?",
				  &err);
	else
		tell_failed_with(c, "answer", -1, "does a store listen there? (override_url of the bucket)",
				  &err);
	return false;
}

static bool look_at_identity(struct bucket_check *c)
{
	struct step step = { .check = "identity", .us = -1 };
	struct backend_identity id;
	struct err err = ERR_INIT;
	char until[CLOCK_ISO_MAX] = "";
	int64_t begun_us = now_us();

	if (bucket_settings(c->bucket)->location.scheme == URI_FILE)
		return true;
	if (backend_identity(backend_of(c), clock_ms() + 2 * CHECK_STEP_MS,
			     &id, &err) < 0) {
		step.verdict = VERDICT_FAILED;
		step.code = cli_exit_code(&err);
		step.fix = "give the bucket a default_credential: {secretName: NAME}, or this node an identity, see datasetfs.conf(5)";
		bucket_check_tell(c, &step, "%s", err.text);
		return false;
	}
	if (id.is_anonymous) {
		step.verdict = VERDICT_WARNING;
		step.fix = "right for a public bucket; else give it a default_credential: {secretName: NAME}, or this node an identity";
		bucket_check_tell(c, &step, "none was found: requests are unsigned");
		return true;
	}
	step.us = now_us() - begun_us;
	if (id.expires_s != INT64_MAX)
		clock_format_iso(id.expires_s, until);
	bucket_check_tell(c, &step, "%s%s%s", id.name, *until ? " until " : "",
			  until);
	return true;
}

/* --- reading ---------------------------------------------------------- */

struct first_object {
	struct buf key;
	struct object_info info;
	unsigned n_seen;
};

/*
 * One object is enough, of content rather than of our own; markers of
 * directories are none.
 */
static int take_first(void *arg, const struct list_entry *entry,
		      struct err *err)
{
	static const char own[] = ".datasetfs/";
	struct first_object *first = arg;
	bool is_own = strncmp(entry->key, own, sizeof(own) - 1) == 0;
	size_t len = strlen(entry->key);

	(void)err;
	if (entry->is_prefix || entry->info.size == 0 ||
	    entry->key[len - 1] == '/' || (is_own && first->key.len))
		return ++first->n_seen >= CHECK_SEEN_MAX;
	buf_clear(&first->key);
	buf_str(&first->key, entry->key);
	first->info = entry->info;
	return !is_own;
}

/* False: there is no such bucket, so nothing else can be right. */
static bool look_at_list(struct bucket_check *c, struct first_object *first)
{
	struct step step = { .check = "list" };
	struct err err = ERR_INIT;
	int64_t begun_us = now_us();
	int r = backend_sync_list(backend_of(c), "", NULL, CHECK_STEP_MS,
				  take_first, first, &err);

	step.us = now_us() - begun_us;
	if (r < 0)
		tell_failed(c, step.check, step.us, backend_of(c),
			    BACKEND_NEED_LIST, &err);
	else
		bucket_check_tell(c, &step, first->key.len ?
				  "objects are there" : "no object is there");
	return r == 0 || err.class != ERR_MISSING;
}

static int read_one(struct bucket_check *c, const struct first_object *first,
		    struct err *err)
{
	const char *validator = object_validator(&first->info);
	struct object_info info;
	char byte;
	const struct backend_get get = {
		.key = first->key.data,
		.len = 1,
		.dst = &byte,
		.if_match = *validator ? validator : NULL,
		.expect_size = first->info.size,
		.deadline_ms = clock_ms() + CHECK_STEP_MS,
	};
	int r;

	if (first->key.len)
		return backend_sync_get(backend_of(c), &get, &info, err);
	/* A store that hides what is not there hides what is there as well. */
	r = backend_sync_head(backend_of(c), CHECK_KEY "none", &info,
			      get.deadline_ms, err);
	if (r < 0 && err->class == ERR_MISSING) {
		err_clear(err);
		return 0;
	}
	return r;
}

static void look_at_read(struct bucket_check *c,
			 const struct first_object *first)
{
	struct step step = { .check = "read" };
	struct err err = ERR_INIT;
	int64_t begun_us = now_us();
	int r = read_one(c, first, &err);

	step.us = now_us() - begun_us;
	if (r < 0)
		tell_failed(c, step.check, step.us, backend_of(c),
			    BACKEND_NEED_READ, &err);
	else
		bucket_check_tell(c, &step, first->key.len ?
				  "a byte of an object" :
				  "a missing object is said to be missing");
}

static void look_at_catalog(struct bucket_check *c)
{
	cleanup_catalog struct catalog *catalog = NULL;
	cleanup_buf struct buf fix = BUF_INIT;
	struct step step = { .check = "catalog" };
	struct err err = ERR_INIT;
	int64_t begun_us = now_us();
	int r = catalog_store_load(bucket_store(c->bucket), &catalog,
				   clock_ms() + CHECK_STEP_MS, &err);

	step.us = now_us() - begun_us;
	if (r < 0) {
		tell_failed(c, step.check, step.us,
			    bucket_catalog_backend(c->bucket),
			    BACKEND_NEED_LIST, &err);
		return;
	}
	if (catalog->n_datasets) {
		bucket_check_tell(c, &step, "%zu datasets",
				  catalog->n_datasets);
		return;
	}
	buf_printf(&fix, "datasetfs dataset import osmo %s SOURCE, or import objects %s/NAME URI; or is the dataset_path right?",
		   c->name, c->name);
	step.verdict = VERDICT_WARNING;
	step.fix = fix.data;
	bucket_check_tell(c, &step, "no dataset is known there yet");
}

/* --- region and clock -------------------------------------------------- */

static void look_at_region(struct bucket_check *c)
{
	const struct settings_bucket *sb = bucket_settings(c->bucket);
	cleanup_buf struct buf fix = BUF_INIT;
	struct step step = { .check = "region", .us = -1 };
	char region[BACKEND_REGION_MAX];

	if (!backend_region(backend_of(c), region))
		return;
	if (!sb->region_given || strcmp(sb->region, region) == 0) {
		bucket_check_tell(c, &step, "%s", region);
		return;
	}
	buf_printf(&fix, "write region: %s at %s:%u (until then one request of each process is refused first)",
		   region, c->cli->settings->path, sb->line);
	step.verdict = VERDICT_WARNING;
	step.fix = fix.data;
	bucket_check_tell(c, &step, "the store says %s, the configuration %s",
			  region, sb->region);
}

static void look_at_clock(struct bucket_check *c)
{
	struct step step = { .check = "clock", .us = -1,
			     .code = EXIT_ENVIRONMENT };
	struct clock_finding clock;
	int64_t skew_s;

	if (!backend_clock_skew(backend_of(c), &skew_s))
		return;
	clock = findings_of_clock(skew_s);
	step.verdict = clock.verdict;
	step.fix = clock.fix;
	bucket_check_tell(c, &step, "%s", clock.text);
}

/* --- writing ---------------------------------------------------------- */

static int make_key(char key[64], struct err *err)
{
	uint8_t random[8];
	char hex[2 * sizeof(random) + 1];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return err_errno(err, errno, "getrandom");
	encode_hex(hex, random, sizeof(random));
	snprintf(key, 64, CHECK_KEY "%s", hex);
	return 0;
}

static bool look_at_put(struct bucket_check *c, const char *key)
{
	const struct backend_put put = {
		.key = key,
		.data = "datasetfs bucket check\n",
		.len = 23,
		.content_type = "text/plain",
		.deadline_ms = clock_ms() + CHECK_STEP_MS,
	};
	struct step step = { .check = "write" };
	struct object_info info;
	struct err err = ERR_INIT;
	int64_t begun_us = now_us();
	int r = backend_sync_put(backend_of(c), &put, &info, &err);

	step.us = now_us() - begun_us;
	if (r < 0)
		tell_failed(c, step.check, step.us, backend_of(c),
			    BACKEND_NEED_WRITE, &err);
	else
		bucket_check_tell(c, &step, "a small object below .datasetfs/probe/");
	return r == 0;
}

static void look_at_delete(struct bucket_check *c, const char *key)
{
	struct step step = { .check = "delete" };
	struct err err = ERR_INIT;
	int64_t begun_us = now_us();
	int r = backend_sync_delete(backend_of(c), key, NULL,
				    clock_ms() + CHECK_STEP_MS, &err);

	step.us = now_us() - begun_us;
	if (r < 0)
		tell_failed(c, step.check, step.us, backend_of(c),
			    BACKEND_NEED_DELETE, &err);
	else
		bucket_check_tell(c, &step, "the same");
}

static void look_at_conditions(struct bucket_check *c)
{
	struct catalog_store *store = bucket_store(c->bucket);
	const struct backend_caps *caps;
	struct step step = { .check = "conditions" };
	struct err err = ERR_INIT;
	int64_t begun_us = now_us();
	int r = catalog_store_conditions(store, true,
					 clock_ms() + 2 * CHECK_STEP_MS, &err);

	step.us = now_us() - begun_us;
	if (r < 0) {
		tell_failed(c, step.check, step.us,
			    bucket_catalog_backend(c->bucket),
			    BACKEND_NEED_WRITE, &err);
		return;
	}
	caps = backend_caps(bucket_catalog_backend(c->bucket));
	if (!caps->create_only || !caps->if_match) {
		step.verdict = VERDICT_WARNING;
		step.fix = "two writers could overwrite each other unseen, so nothing is published there: keep the catalog elsewhere (datasetfs.buckets.NAME.catalog)";
	}
	bucket_check_tell(c, &step, "create-only %s, compare-and-swap %s%s, uploads %s, deletes %s, Content-MD5 %s",
			  caps->create_only ? "yes" : "no",
			  caps->if_match ? "yes" : "no",
			  caps->if_match_unquoted ? " (unquoted)" : "",
			  caps->complete_create_only ? "yes" : "no",
			  caps->delete_if_match ? "yes" : "no",
			  caps->checks_md5 ? "checked" : "not checked");
}

static void look_at_writes(struct bucket_check *c)
{
	struct step step = { .check = "write", .us = -1 };
	struct err err = ERR_INIT;
	char key[64];

	if (bucket_settings(c->bucket)->mode == BUCKET_READ_ONLY) {
		bucket_check_tell(c, &step, "not tried: the mode is read-only");
		return;
	}
	if (c->no_write) {
		bucket_check_tell(c, &step, "not tried: --no-write");
		return;
	}
	if (make_key(key, &err) < 0) {
		tell_failed(c, step.check, -1, backend_of(c),
			    BACKEND_NEED_WRITE, &err);
		return;
	}
	if (!look_at_put(c, key))
		return;
	look_at_delete(c, key);
	look_at_conditions(c);
}

void bucket_check_store(struct bucket_check *c)
{
	struct first_object first = { .key = BUF_INIT };

	if (!look_at_way(c) || !look_at_identity(c))
		return;
	if (!look_at_list(c, &first)) {
		buf_release(&first.key);
		return;
	}
	look_at_read(c, &first);
	buf_release(&first.key);
	look_at_region(c);
	look_at_clock(c);
	look_at_catalog(c);
	look_at_writes(c);
}
