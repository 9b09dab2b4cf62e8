/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/backend/scripted.h"

#include <time.h>

#define OK_STEP                                                                \
	{                                                                      \
		"206 Partial Content",                                         \
			"ETag: \"e1\"\nContent-Range: bytes 0-3/4\n", "0123"   \
	}
#define ERROR(code) "<Error><Code>" code "</Code></Error>"

static int get(struct scene *sc)
{
	return scene_get(sc, 0, 4, NULL, 4);
}

static void trouble(void)
{
	static const struct {
		const char *name;
		struct script_step step;
	} cases[] = {
		{ "503 SlowDown", { "503 Slow Down", NULL, ERROR("SlowDown") } },
		{ "503 without a word", { "503 Service Unavailable" } },
		{ "500", { "500 Oops", NULL, "<html>" } },
		{ "502 of a proxy", { "502 Bad Gateway", NULL, "<html>" } },
		{ "429", { "429 Too Many Requests" } },
		{ "400 RequestTimeout",
		  { "400 Bad Request", NULL, ERROR("RequestTimeout") } },
		{ "404 SlowDown", { "404 What", NULL, ERROR("SlowDown") } },
		{ "a connection that is closed", { NULL } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct script_step steps[] = { cases[i].step,
						     cases[i].step, OK_STEP };
		struct scene sc;
		int r;

		in_case(!strcmp(cases[i].name, "400 RequestTimeout") ? 32 : 31);
		scene_begin(&sc, NULL, NULL, steps, ARRAY_SIZE(steps));
		r = get(&sc);
		check_scene(&sc, r, 0, 3, cases[i].name);
		scene_end(&sc);
	}
}

static void storm(void)
{
	SCENE(sc, { "503 Slow Down", "x-amz-request-id: REQ-1\n",
		    "<Error><Code>SlowDown</Code><StringToSign>" SECRET_KEY
		    "</StringToSign></Error>" });
	char got[4];
	const struct backend_get rq = {
		.key = "k",
		.dst = got,
		.len = 4,
		.expect_size = 4,
		.deadline_ms = clock_ms() + 700,
	};
	int r = backend_sync_get(sc.b, &rq, &sc.info, &sc.err);
	int64_t took_ms = clock_ms() - sc.begun_ms;

	check(r == -EIO && sc.err.class == ERR_RETRY && took_ms < 1200 &&
		      script_count(sc.server) > 1,
	      "a storm ends at the deadline (%lld ms, %zu requests)",
	      (long long)took_ms, script_count(sc.server));
	check(strstr(sc.err.text, "503 SlowDown") &&
		      strstr(sc.err.text, "s3://bkt/p/k") &&
		      strstr(sc.err.text, "REQ-1") &&
		      !strstr(sc.err.text, SECRET_KEY),
	      "... with its name and nothing that the store quotes: %s",
	      sc.err.text);
	scene_end(&sc);
}

static void told_regions(void)
{
	SCENE(by_header, { "301 Moved Permanently",
			   "x-amz-bucket-region: eu-west-3\n",
			   ERROR("PermanentRedirect") },
	      OK_STEP);
	SCENE(by_body,
	      { "400 Bad Request", NULL,
		"<Error><Code>AuthorizationHeaderMalformed</Code>"
		"<Region>eu-west-3</Region></Error>" },
	      OK_STEP);
	struct scene *both[] = { &by_header, &by_body };

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		struct scene *sc = both[i];
		int r = get(sc);

		check_scene(sc, r, 0, 2, "the region of a refusal is taken");
		check(asked(sc, 0, "/us-east-1/s3/aws4_request") &&
			      asked(sc, 1, "/eu-west-3/s3/aws4_request"),
		      "... and signed for");
		r = get(sc);
		check_scene(sc, r, 0, 3, "... and remembered");
		check(asked(sc, 2, "/eu-west-3/s3/aws4_request"),
		      "... by the bucket");
		scene_end(sc);
	}
}

/* A HEAD is refused without a body: the bucket is asked, unsigned. */
static void asked_region(void)
{
	SCENE(sc, { "400 Bad Request", NULL, NULL },
	      { "403 Forbidden", "x-amz-bucket-region: eu-west-3\n", NULL },
	      { "200 OK", "ETag: \"e\"\nContent-Length: 4\n",
		.is_head = true });
	int r = backend_sync_head(sc.b, "k", &sc.info, soon(), &sc.err);

	check_scene(&sc, r, 0, 3, "a refusal without a region: it is asked");
	check(asked(&sc, 1, "HEAD /bkt HTTP") &&
		      asked(&sc, 1, "!authorization"),
	      "... of the bucket, by an unsigned request");
	check(asked(&sc, 2, "HEAD /bkt/p/k ") &&
		      asked(&sc, 2, "/eu-west-3/s3/"),
	      "... and the call goes on");
	scene_end(&sc);
}

static void hopeless_regions(void)
{
	SCENE(mute, { "301 Moved Permanently", NULL, NULL });
	SCENE(evil, { "301 Moved Permanently",
		      "x-amz-bucket-region: evil.example/\n",
		      "<Error><Code>PermanentRedirect</Code>"
		      "<Region>../x</Region></Error>" });
	SCENE(circle,
	      { "301 Moved Permanently", "x-amz-bucket-region: a-1\n" },
	      { "301 Moved Permanently", "x-amz-bucket-region: b-1\n" });
	struct scene tos;
	int r = get(&mute);

	check_scene(&mute, r, -EIO, 2, "no region to be had: refused");
	check(strstr(mute.err.text, "region") != NULL, "... with advice: %s",
	      mute.err.text);
	scene_end(&mute);

	r = get(&evil);
	check_scene(&evil, r, -EIO, 2, "what is no region is not used");
	scene_end(&evil);

	r = get(&circle);
	check_scene(&circle, r, -EIO, 2, "regions in a circle end");
	scene_end(&circle);

	scene_begin(&tos, "tos://tos-s3-cn-beijing.volces.com/bkt/p", NULL,
		    steps_circle, 1);
	r = get(&tos);
	check_scene(&tos, r, -EIO, 1, "tos: the region of the host is final");
	check(asked(&tos, 0, "/cn-beijing/s3/") &&
		      asked(&tos, 0, "host: bkt.localhost"),
	      "... and its style virtual");
	scene_end(&tos);
}

static void redirects(void)
{
	static const char *const statuses[] = { "301 Moved", "302 Found",
						"303 See Other",
						"307 Temporary Redirect",
						"308 Permanent Redirect" };
	static const struct script_step ok = OK_STEP;
	struct script_server *thief = script_start(&ok, 1);

	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		char location[128];
		const struct script_step step = { statuses[i], location,
						  NULL };
		struct scene sc;
		int r;

		(void)snprintf(location, sizeof(location),
			       "Location: http://127.0.0.1:%u/bkt/p/k\n",
			       script_port(thief));
		scene_begin(&sc, NULL, NULL, &step, 1);
		r = get(&sc);
		check(r < 0 && script_count(sc.server) <= 2,
		      "a redirect (%s) is an error: %s", statuses[i],
		      sc.err.text);
		scene_end(&sc);
	}
	check(script_count(thief) == 0, "... and never followed");
	script_stop(thief);
}

static void date_in(char *out, size_t size, int64_t off_s)
{
	time_t t = (time_t)(clock_wall_s() + off_s);
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	(void)strftime(out, size, "Date: %a, %d %b %Y %H:%M:%S GMT\n", &tm);
}

static void clocks(void)
{
	char ahead[64], now[64], stamp[64];
	const struct script_step skewed[] = {
		{ "403 Forbidden", ahead, ERROR("RequestTimeTooSkewed") },
		OK_STEP,
	};
	const struct script_step mute[] = {
		{ "403 Forbidden", ahead, NULL },
		{ "200 OK", "Content-Length: 4\n", .is_head = true },
	};
	const struct script_step denied[] = { { "403 Forbidden", now, NULL } };
	struct scene sc;
	time_t t;
	struct tm tm;
	int r;

	date_in(ahead, sizeof(ahead), 7200);
	date_in(now, sizeof(now), 0);
	t = (time_t)(clock_wall_s() + 7200);
	(void)gmtime_r(&t, &tm);
	(void)strftime(stamp, sizeof(stamp), "x-amz-date: %Y%m%dT%H%M", &tm);

	scene_begin(&sc, NULL, NULL, skewed, 2);
	r = get(&sc);
	check_scene(&sc, r, 0, 2, "the store's clock is taken");
	check(asked(&sc, 0, "x-amz-date") && asked(&sc, 1, stamp),
	      "... and signed with");
	r = get(&sc);
	check_scene(&sc, r, 0, 3, "... and remembered");
	scene_end(&sc);

	scene_begin(&sc, NULL, NULL, mute, 2);
	r = backend_sync_head(sc.b, "k", &sc.info, soon(), &sc.err);
	check_scene(&sc, r, 0, 2, "... also where a HEAD cannot say why");
	scene_end(&sc);

	scene_begin(&sc, NULL, NULL, denied, 1);
	r = backend_sync_head(sc.b, "k", &sc.info, soon(), &sc.err);
	check_scene(&sc, r, -EACCES, 1, "a right clock is no reason to ask "
					"again");
	scene_end(&sc);
}

static char keys_path[] = "/tmp/datasetfs-scripted-XXXXXX";

static void write_keys(void *id)
{
	FILE *f = fopen(keys_path, "w");

	if (!f || fprintf(f,
			  "[default]\naws_access_key_id = %s\n"
			  "aws_secret_access_key = x\n"
			  "aws_session_token = token-of-%s\n",
			  (char *)id, (char *)id) < 0 ||
	    fclose(f) != 0)
		exit(99);
}

static void rotation(void)
{
	const struct script_step steps[] = {
		{ "400 Bad Request", NULL, ERROR("ExpiredToken"),
		  .before = write_keys, .arg = (char[]){ "second" } },
		OK_STEP,
	};
	const struct script_step always[] = {
		{ "400 Bad Request", NULL, ERROR("ExpiredToken") },
	};
	struct cred_source *creds = NULL;
	struct err err = ERR_INIT;
	struct scene sc;
	int r, fd = mkstemp(keys_path);

	(void)close(fd);
	write_keys((char[]){ "first" });
	(void)setenv("AWS_SHARED_CREDENTIALS_FILE", keys_path, 1);
	must(cred_source_shared_files(&creds, &err), &err, "credential");
	scene_begin(&sc, NULL, creds, steps, 2);
	r = get(&sc);
	check_scene(&sc, r, 0, 2, "an expired credential is read anew");
	check(asked(&sc, 0, "Credential=first/") &&
		      asked(&sc, 0, "x-amz-security-token: token-of-first") &&
		      asked(&sc, 1, "Credential=second/") &&
		      asked(&sc, 1, "x-amz-security-token: token-of-second"),
	      "... and its token with it");
	scene_end(&sc);

	scene_begin(&sc, NULL, creds, always, 1);
	r = get(&sc);
	check_scene(&sc, r, -EACCES, 1, "... but not asked again with the "
					"same");
	scene_end(&sc);
	cred_source_put_ref(creds);
	(void)unlink(keys_path);
}

static void nobody(void)
{
	static const struct script_step ok = OK_STEP;
	struct cred_source *creds = NULL;
	struct err err = ERR_INIT;
	struct scene sc;
	int r;

	must(cred_source_anonymous(&creds, &err), &err, "credential");
	scene_begin(&sc, NULL, creds, &ok, 1);
	r = get(&sc);
	check_scene(&sc, r, 0, 1, "without a credential");
	check(asked(&sc, 0, "!authorization") && asked(&sc, 0, "!x-amz-"),
	      "... nothing is signed");
	scene_end(&sc);
	cred_source_put_ref(creds);
}

void scripted_refusals(void)
{
	trouble();
	in_case(31);
	storm();
	in_case(7);
	told_regions();
	asked_region();
	hopeless_regions();
	in_case(9);
	redirects();
	in_case(6);
	clocks();
	in_case(37);
	rotation();
	in_case(0);
	nobody();
}
