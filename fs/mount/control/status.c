/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>

#include "fs/mount/control/status.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "backends/auth/cred.h"
#include "backends/base/clock.h"
#include "backends/base/encode.h"
#include "backends/base/log.h"
#include "backends/http/http.h"
#include "fs/mount/fuse/xattr.h"
#include "fs/mount/reload.h"

/* Whatever the bytes are: what is not UTF-8 is shown escaped. */
static json_t *text(const char *s)
{
	cleanup_buf struct buf shown = BUF_INIT;
	json_t *value;

	if (!s)
		return json_null();
	value = json_string(s);
	if (value)
		return value;
	encode_printable(&shown, s, strlen(s), 4 * strlen(s) + 4);
	return json_string(shown.data ? shown.data : "");
}

static json_t *date(int64_t seconds)
{
	char iso[CLOCK_ISO_MAX];

	if (!seconds)
		return json_null();
	clock_format_iso(seconds, iso);
	return json_string(iso);
}

static json_t *plain_uri(const char *uri)
{
	cleanup_buf struct buf plain = BUF_INIT;

	if (!uri)
		return json_null();
	xattr_plain_uri(&plain, uri);
	return text(plain.data ? plain.data : "");
}

static json_t *catalog_status(struct fs *fs, struct bucket *b)
{
	json_t *o = json_object();
	struct catalog *known = view_known(fs_view(fs, b));
	int64_t age = bucket_catalog_age_ms(b);
	char problem[ERR_TEXT_MAX];
	size_t versions = 0;

	bucket_catalog_problem(b, problem, sizeof(problem));
	for (size_t i = 0; known && i < known->n_datasets; i++)
		versions += known->datasets[i].n_versions;
	json_object_set_new(o, "age_ms",
			    age < 0 ? json_null() : json_integer(age));
	json_object_set_new(o, "stale", json_boolean(problem[0] != '\0'));
	json_object_set_new(o, "problem", problem[0] ? text(problem) :
						       json_null());
	json_object_set_new(o, "datasets",
			    known ? json_integer((json_int_t)known->n_datasets) :
				    json_null());
	json_object_set_new(o, "versions",
			    known ? json_integer((json_int_t)versions) :
				    json_null());
	if (known)
		catalog_put(known);
	return o;
}

/* Never a key: who it is, and until when. */
static json_t *identity_status(struct bucket *b)
{
	struct cred_state state;
	json_t *o;

	if (!bucket_identity(b, &state))
		return json_null();
	o = json_object();
	json_object_set_new(o, "name", text(state.name));
	json_object_set_new(o, "known", json_boolean(state.is_known));
	json_object_set_new(o, "expires",
			    state.is_known && state.expires_s != INT64_MAX ?
				    date(state.expires_s) :
				    json_null());
	json_object_set_new(o, "problem",
			    text(state.problem[0] ? state.problem : NULL));
	return o;
}

static void add_bucket_owner_part(struct fs *fs, struct bucket *b,
				  const struct settings_bucket *sb, json_t *o)
{
	json_object_set_new(o, "problem", text(bucket_problem(b)));
	json_object_set_new(o, "dataset_path", plain_uri(sb->dataset_path));
	json_object_set_new(o, "catalog_uri", plain_uri(sb->catalog));
	json_object_set_new(o, "credential",
			    text(sb->cred ? sb->cred->origin : NULL));
	json_object_set_new(o, "identity", identity_status(b));
	json_object_set_new(o, "catalog", catalog_status(fs, b));
}

/* NULL: it is gone. */
static json_t *bucket_status(struct fs *fs, struct bucket *b, bool is_owner)
{
	struct bucket_set *hold;
	const struct settings_bucket *sb = bucket_settings_get(b, &hold);
	json_t *o;

	if (!sb)
		return NULL;
	o = json_object();
	json_object_set_new(o, "name", text(bucket_name(b)));
	json_object_set_new(o, "usable", json_boolean(!bucket_problem(b)));
	json_object_set_new(o, "mode", text(sb->mode_text));
	if (is_owner)
		add_bucket_owner_part(fs, b, sb, o);
	bucket_settings_put(hold);
	return o;
}

static void add_open(void *arg, const struct slot_ref *ref)
{
	json_t *o = json_object();
	struct tree_info info;

	tree_info(ref->tree, &info);
	json_object_set_new(o, "bucket", text(bucket_name(ref->bucket)));
	json_object_set_new(o, "dataset", text(ref->ds->name));
	json_object_set_new(o, "version", json_integer(ref->v->number));
	json_object_set_new(o, "files", json_integer(info.n_files));
	json_object_set_new(o, "size", json_integer((json_int_t)info.total_size));
	json_object_set_new(o, "duplicates", json_integer(info.n_duplicates));
	json_object_set_new(o, "clashes", json_integer(info.n_clashes));
	json_object_set_new(o, "rejected", json_integer(info.n_rejected));
	json_object_set_new(o, "repaired", json_integer(info.n_repaired));
	json_object_set_new(o, "unreadable", json_integer(info.n_faults));
	json_array_append_new(arg, o);
}

static json_t *disk_status(struct fs *fs)
{
	struct disk_cache_stats s;
	json_t *o;

	if (!fs->disk)
		return json_null();
	disk_cache_stats(fs->disk, &s);
	o = json_object();
	json_object_set_new(o, "bytes", json_integer((json_int_t)s.bytes));
	json_object_set_new(o, "size", json_integer((json_int_t)s.size));
	json_object_set_new(o, "records", json_integer((json_int_t)s.records));
	json_object_set_new(o, "segments", json_integer((json_int_t)s.segments));
	json_object_set_new(o, "written", json_integer((json_int_t)s.written));
	json_object_set_new(o, "dropped", json_integer((json_int_t)s.dropped));
	json_object_set_new(o, "damaged", json_integer((json_int_t)s.damaged));
	json_object_set_new(o, "evicted", json_integer((json_int_t)s.evicted));
	json_object_set_new(o, "longest_wait_ms",
			    json_integer(s.longest_wait_ms));
	json_object_set_new(o, "problem", s.problem[0] ? text(s.problem) :
							 json_null());
	return o;
}

static json_t *cache_status(struct fs *fs)
{
	struct fetcher_stats s;
	json_t *o = json_object();

	fetcher_stats(fs->fetcher, &s);
	json_object_set_new(o, "dir", text(fs->settings->cache_dir));
	json_object_set_new(o, "hits", json_integer((json_int_t)s.hits));
	json_object_set_new(o, "misses", json_integer((json_int_t)s.misses));
	json_object_set_new(o, "bytes_served",
			    json_integer((json_int_t)s.bytes_served));
	json_object_set_new(o, "bytes_fetched",
			    json_integer((json_int_t)s.bytes_fetched));
	json_object_set_new(o, "bytes_cached",
			    json_integer((json_int_t)s.cached_bytes));
	json_object_set_new(o, "damaged", json_integer((json_int_t)s.bad_blobs));
	json_object_set_new(o, "bytes_from_disk",
			    json_integer((json_int_t)s.bytes_from_disk));
	json_object_set_new(o, "disk", disk_status(fs));
	json_object_set_new(o, "waiting", json_integer(s.waiting));
	json_object_set_new(o, "in_flight", json_integer(s.in_flight));
	return o;
}

static json_t *endpoint_status(const struct http_endpoint_stats *s)
{
	json_t *o = json_object();

	json_object_set_new(o, "endpoint", text(s->name));
	json_object_set_new(o, "in_flight", json_integer(s->in_flight));
	json_object_set_new(o, "limit", json_integer(s->limit));
	json_object_set_new(o, "waiting", json_integer(s->waiting));
	json_object_set_new(o, "requests",
			    json_integer((json_int_t)s->requests));
	json_object_set_new(o, "throttled",
			    json_integer((json_int_t)s->throttled));
	json_object_set_new(o, "hedged", json_integer((json_int_t)s->hedged));
	json_object_set_new(o, "hedges_won",
			    json_integer((json_int_t)s->hedges_won));
	json_object_set_new(o, "replaced",
			    json_integer((json_int_t)s->replaced));
	return o;
}

/* Without memory for them there are none to see. */
static json_t *endpoints_status(struct fs *fs)
{
	cleanup_free struct http_endpoint_stats *all =
		calloc(HTTP_ENDPOINTS_MAX + 1, sizeof(*all));
	json_t *list = json_array();
	size_t n = !all ? 0 : buckets_endpoints(fs->buckets, all,
						HTTP_ENDPOINTS_MAX + 1);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, endpoint_status(&all[i]));
	return list;
}

static json_t *memory_status(struct fs *fs)
{
	json_t *o = json_object();

	json_object_set_new(o, "used", json_integer((json_int_t)
			    memory_budget_used(fs->budget)));
	json_object_set_new(o, "limit", json_integer((json_int_t)
			    memory_budget_limit(fs->budget)));
	return o;
}

static json_t *last_problem(void)
{
	char line[ERR_TEXT_MAX];
	long long when = log_last_problem(line, sizeof(line));
	json_t *o;

	if (!line[0])
		return json_null();
	o = json_object();
	json_object_set_new(o, "time", date(when));
	json_object_set_new(o, "text", text(line));
	return o;
}

static void add_prefetch(void *arg, const struct fill_job_info *info)
{
	json_t *o = json_object();
	uint64_t rate = info->reading_ms > 0 ?
		(uint64_t)((double)info->bytes_read * 1000 /
			   (double)info->reading_ms) : 0;
	bool is_running = strcmp(info->state, "running") == 0;

	json_object_set_new(o, "ref", text(info->ref));
	json_object_set_new(o, "paths", json_deep_copy(info->paths));
	json_object_set_new(o, "state", text(info->state));
	json_object_set_new(o, "files", json_integer((json_int_t)info->files));
	json_object_set_new(o, "files_missing",
			    json_integer((json_int_t)info->files_missing));
	json_object_set_new(o, "bytes", json_integer((json_int_t)info->bytes));
	json_object_set_new(o, "bytes_done",
			    json_integer((json_int_t)info->bytes_done));
	json_object_set_new(o, "bytes_read",
			    json_integer((json_int_t)info->bytes_read));
	json_object_set_new(o, "bytes_per_second",
			    json_integer((json_int_t)rate));
	json_object_set_new(o, "seconds_left", is_running && rate ?
			    json_integer((json_int_t)
					 ((info->bytes - info->bytes_done) /
					  rate)) :
			    json_null());
	json_object_set_new(o, "problem", *info->problem ?
			    text(info->problem) : json_null());
	json_object_set_new(o, "started", date(info->started_s));
	json_object_set_new(o, "ended", date(info->ended_s));
	json_array_append_new(arg, o);
}

static json_t *list_of(const char *names)
{
	json_t *list = json_array();
	cleanup_free char *copy = strdup(names);
	char *rest = copy, *name;

	while (rest && (name = strsep(&rest, ",")))
		if (*name)
			json_array_append_new(list,
					      text(*name == ' ' ? name + 1 :
								  name));
	return list;
}

static json_t *refusal(const struct reload_state *state)
{
	json_t *o;

	if (!state->refused_s)
		return json_null();
	o = json_object();
	json_object_set_new(o, "since", date(state->refused_s));
	json_object_set_new(o, "reason", text(state->refused));
	return o;
}

static json_t *configuration_status(struct fs *fs)
{
	char hex[2 * SHA256_SIZE + 1];
	struct reload_state state;
	json_t *o;

	if (!fs->reload)
		return json_null();
	reload_state(fs->reload, &state);
	encode_hex(hex, state.digest, SHA256_SIZE);
	o = json_object();
	json_object_set_new(o, "file", text(fs->settings->sources[0].path));
	json_object_set_new(o, "sha256", text(hex));
	json_object_set_new(o, "loaded", date(state.loaded_s));
	json_object_set_new(o, "reloads", json_integer(state.reloads));
	json_object_set_new(o, "refused", refusal(&state));
	json_object_set_new(o, "next_mount", list_of(state.next_mount));
	json_object_set_new(o, "watched",
			    text(state.is_polled ? "poll" : "inotify"));
	return o;
}

static void add_owner_part(struct fs *fs, struct fill_jobs *jobs, json_t *doc)
{
	json_t *prefetches = json_array();
	cleanup_buf struct buf building = BUF_INIT;
	json_t *open = json_array();
	struct slots_totals totals;

	slots_totals(fs->slots, &totals);
	json_object_set_new(doc, "config", text(fs->settings->path));
	json_object_set_new(doc, "configuration", configuration_status(fs));
	json_object_set_new(doc, "versions_seen", json_integer(totals.bound));
	slots_each_open(fs->slots, add_open, open);
	json_object_set_new(doc, "versions_open", open);
	buckets_building(fs->buckets, &building);
	json_object_set_new(doc, "building",
			    building.len ? text(building.data) : json_null());
	json_object_set_new(doc, "cache", cache_status(fs));
	json_object_set_new(doc, "endpoints", endpoints_status(fs));
	json_object_set_new(doc, "memory", memory_status(fs));
	fill_jobs_each(jobs, add_prefetch, prefetches);
	json_object_set_new(doc, "prefetches", prefetches);
	json_object_set_new(doc, "last_problem", last_problem());
}

int status_build(struct fs *fs, struct fill_jobs *jobs, bool is_owner,
		 struct buf *out, struct err *err)
{
	json_t *doc = json_object(), *buckets = json_array();
	char *dumped;
	int r;

	for (size_t i = 0; i < buckets_count(fs->buckets); i++) {
		struct bucket *b = buckets_at(fs->buckets, i);
		json_t *o = b ? bucket_status(fs, b, is_owner) : NULL;

		if (o)
			json_array_append_new(buckets, o);
	}
	json_object_set_new(doc, "schema", json_string("datasetfs.status/1"));
	json_object_set_new(doc, "version", json_string(PACKAGE_VERSION));
	json_object_set_new(doc, "pid", json_integer(getpid()));
	json_object_set_new(doc, "mountpoint", text(fs->mountpoint));
	json_object_set_new(doc, "started", date(fs->started_s));
	json_object_set_new(doc, "buckets", buckets);
	if (is_owner)
		add_owner_part(fs, jobs, doc);

	dumped = json_dumps(doc, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(doc);
	if (!dumped)
		return err_nomem(err);
	r = buf_add(out, dumped, strlen(dumped), err);
	free(dumped);
	return r;
}
