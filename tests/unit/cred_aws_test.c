/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/aws/aws.h"

#include <stdio.h>
#include <stdlib.h>
#include "tests/unit/cred_ask.h"

#define ROLE "/latest/meta-data/iam/security-credentials/"
#define KEYS(id, more)                                                        \
	"{" more "\"AccessKeyId\":\"" id "\",\"SecretAccessKey\":\"s3cr3t\","  \
	"\"Token\":\"t0k3n\",\"Expiration\":\"2099-01-01T00:00:00Z\"}"
#define SUCCESS "\"Code\":\"Success\","
#define STS(action, id)                                                       \
	"<" action "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">" \
	"<" action "Result><Credentials><AccessKeyId>" id "</AccessKeyId>"    \
	"<SecretAccessKey>s3cr3t</SecretAccessKey><SessionToken>t0k3n"        \
	"</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>"        \
	"</Credentials></" action "Result></" action "Response>"
#define STS_ERROR(code)                                                       \
	"<ErrorResponse><Error><Code>" code "</Code><Message>the token "      \
	"JWT-1 is bad</Message></Error></ErrorResponse>"

static char dir[] = "/tmp/cred_aws_test.XXXXXX";

static void start(void)
{
	ask_start();
	cr_assert(mkdtemp(dir));
}

static void stop(void)
{
	char command[64];

	ask_stop();
	(void)snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_assert(system(command) == 0);
}

TestSuite(cred_aws, .init = start, .fini = stop);

static const char *in_dir(const char *name)
{
	static char paths[4][64];
	static unsigned next;
	char *out = paths[next++ % 4];

	(void)snprintf(out, 64, "%s/%s", dir, name);
	return out;
}

static const char *file(const char *name, const char *text)
{
	const char *path = in_dir(name);
	FILE *f = fopen(path, "w");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
	return path;
}

static struct cred_source *make(int (*fn)(struct cred_source **,
					  struct http_engine *, struct err *))
{
	struct cred_source *src = NULL;
	struct err err = ERR_INIT;

	cr_assert(fn(&src, engine, &err) == 0, "%s", err.text);
	return src;
}

/*
 * EC2's metadata service.
 */

static struct cred_source *imds(void)
{
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url("/"), 1);
	return make(cred_source_imds);
}

Test(cred_aws, case_38_imds_asks_for_a_token_a_role_and_its_keys)
{
	struct cred_source *src = imds();

	say("PUT /latest/api/token ", 200, "TOKEN-1");
	say("GET " ROLE " ", 200, "node-role\nother");
	say("GET " ROLE "node-role ", 200, KEYS("AKID", SUCCESS));
	has_keys(src, "AKID", "s3cr3t", "t0k3n");
	cr_assert(asked(0, "x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n", ""));
	cr_assert(asked(1, "x-aws-ec2-metadata-token: TOKEN-1\r\n", ""));
	cr_assert(asked(2, "x-aws-ec2-metadata-token: TOKEN-1\r\n", ""));
	cr_assert(n_asked() == 3);
	cred_source_put_ref(src);
}

Test(cred_aws, case_38_imds_behind_a_hop_limit_is_given_up_fast_and_named)
{
	struct cred_source *src = imds();
	int64_t start_ms = clock_ms();

	say("PUT /latest/api/token ", 0, "");
	fails(src, -EACCES,
	      "EC2's metadata service gave no answer within 1000 ms: this is no "
	      "EC2 instance, or a container behind a hop limit of 1 (aws ec2 "
	      "modify-instance-metadata-options --http-put-response-hop-limit "
	      "2)");
	cr_assert(clock_ms() - start_ms < 5000);
	cr_assert(n_asked() == 2);
	cred_source_put_ref(src);
}

Test(cred_aws, case_38_imds_version_1_is_used_only_where_it_is_allowed)
{
	struct cred_source *src = imds();

	say("GET " ROLE " ", 200, "r");
	say("GET " ROLE "r ", 200, KEYS("AKID", SUCCESS));
	fails(src, -EACCES,
	      "EC2's metadata service knows no version 2 (status 404); "
	      "AWS_EC2_METADATA_V1_DISABLED=false allows version 1");
	cr_assert(n_asked() == 1);
	cred_source_put_ref(src);

	setenv("AWS_EC2_METADATA_V1_DISABLED", "false", 1);
	src = imds();
	has_keys(src, "AKID", "s3cr3t", "t0k3n");
	cred_source_put_ref(src);
}

Test(cred_aws, case_38_imds_answers_that_are_none)
{
	static const struct {
		const char *role;
		const char *keys;
		const char *want;
	} cases[] = {
		{ "r", "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}",
		  "EC2's metadata service: the role's keys have Code "
		  "AssumeRoleUnauthorizedAccess" },
		{ "r", KEYS("AKID", ""),
		  "EC2's metadata service: the role's keys have Code none" },
		{ "r", "{\"Code\":\"Success\",\"SecretAccessKey\":\"SECRET\"",
		  "EC2's metadata service: the answer is no JSON (44 bytes)" },
		{ "r", "[]", "EC2's metadata service: the answer is no JSON object" },
		{ "r", "{\"Code\":\"Success\",\"AccessKeyId\":\"A\"}",
		  "EC2's metadata service has no secret key" },
		{ "r", "{" SUCCESS "\"AccessKeyId\":\"A\\n\",\"SecretAccessKey\":\"S\"}",
		  "EC2's metadata service: the access key id has a byte that no "
		  "key has, at position 2" },
		{ "a b", "", "EC2's metadata service: a role's name that is none" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cred_source *src = imds();
		struct err err = ERR_INIT;
		struct cred cred;
		int r = -EAGAIN;

		forget_said();
		say("PUT /latest/api/token ", 200, "T");
		say("GET " ROLE " ", 200, cases[i].role);
		say("GET " ROLE "r ", 200, cases[i].keys);
		for (int n = 0; n < 200 && !strstr(err.text, cases[i].want);
		     n++) {
			r = cred_source_get(src, &cred, &err);
			(void)usleep(5000);
		}
		cr_assert(strstr(err.text, cases[i].want), "%s", err.text);
		cr_assert(r == -EAGAIN || r == -EACCES);
		cr_assert(!strstr(err.text, "SECRET"));
		cred_source_put_ref(src);
	}
}

Test(cred_aws, case_38_imds_that_is_off_or_without_a_role_is_absent)
{
	struct cred_source *src = imds();

	say_first(1, "PUT /latest/api/token ", 403, "");
	fails(src, -EACCES,
	      "EC2's metadata service is turned off (status 403)");
	cred_source_put_ref(src);
	src = imds();
	say("PUT /latest/api/token ", 200, "T");
	fails(src, -EACCES, "EC2's metadata service: the instance has no role");
	cred_source_put_ref(src);

	setenv("AWS_EC2_METADATA_DISABLED", "TRUE", 1);
	cr_assert(!make(cred_source_imds));
}

/*
 * Containers.
 */

Test(cred_aws, case_38_a_container_shows_the_token_of_a_file_read_each_time)
{
	struct cred_source *src;
	struct err err = ERR_INIT;
	struct cred cred;

	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url("/v1/credentials"), 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "not-this", 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file("t", "JWT-1"), 1);
	say_first(1, "GET /v1/credentials ", 200, KEYS("A1", ""));
	say("GET /v1/credentials ", 200, KEYS("A2", ""));
	src = make(cred_source_container);
	has_keys(src, "A1", "s3cr3t", "t0k3n");
	cr_assert(asked(0, "authorization: JWT-1\r\n", ""));

	(void)file("t", "JWT-2");
	cr_assert(cred_source_get(src, &cred, &err) == 0);
	cred_source_refused(src, cred.generation);
	cred_release(&cred);
	has_keys(src, "A2", "s3cr3t", "t0k3n");
	cr_assert(asked(1, "authorization: JWT-2\r\n", ""));
	cred_source_put_ref(src);
}

Test(cred_aws, case_38_a_container_token_with_a_line_break_is_not_sent)
{
	struct cred_source *src;

	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url("/c"), 1);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "x\r\nx-evil: 1", 1);
	src = make(cred_source_container);
	fails(src, -EACCES, "the container's credentials: the authorization "
			    "token has a line break");
	cr_assert(n_asked() == 0);
	cred_source_put_ref(src);
}

Test(cred_aws, case_38_a_container_url_without_tls_leads_only_to_neighbours)
{
	static const struct {
		const char *name;
		const char *value;
		const char *want;
	} cases[] = {
		{ "AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/x",
		  "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to example.com "
		  "without TLS: only to this machine, 169.254.170.2, "
		  "169.254.170.23 and fd00:ec2::23 it may" },
		{ "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		  "http://169.254.169.254/x",
		  "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to 169.254.169.254 "
		  "without TLS: only to this machine, 169.254.170.2, "
		  "169.254.170.23 and fd00:ec2::23 it may" },
		{ "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		  "http://127.0.0.1@example.com/x",
		  "AWS_CONTAINER_CREDENTIALS_FULL_URI is no URL" },
		{ "AWS_CONTAINER_CREDENTIALS_FULL_URI",
		  "http://127.0.0.1.example.com/x",
		  "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to "
		  "127.0.0.1.example.com without TLS: only to this machine, "
		  "169.254.170.2, 169.254.170.23 and fd00:ec2::23 it may" },
		{ "AWS_CONTAINER_CREDENTIALS_FULL_URI", "file:///etc/passwd",
		  "AWS_CONTAINER_CREDENTIALS_FULL_URI is no http URL" },
		{ "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@example.com/x",
		  "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is no path that begins "
		  "with a slash" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cred_source *src;

		setenv(cases[i].name, cases[i].value, 1);
		src = make(cred_source_container);
		fails(src, -EACCES, cases[i].want);
		cred_source_put_ref(src);
	}
	cr_assert(n_asked() == 0);
}

Test(cred_aws, case_38_a_container_refusal_is_told_by_its_code)
{
	struct cred_source *src;

	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url("/c"), 1);
	say("GET /c ", 401, "{\"code\":\"AccessDenied\",\"message\":\"SECRET\"}");
	src = make(cred_source_container);
	fails(src, -EACCES,
	      "the container's credentials: status 401 AccessDenied");
	cr_assert(n_asked() == 1);
	cred_source_put_ref(src);
}

/*
 * Web identities.
 */

static struct cred_source *web_identity(void)
{
	setenv("AWS_ENDPOINT_URL_STS", url(""), 1);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file("jwt", "JWT-1\n"), 1);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
	setenv("AWS_ROLE_SESSION_NAME", "me", 1);
	return make(cred_source_web_identity);
}

Test(cred_aws, case_38_a_web_identity_is_posted_unsigned_and_never_in_the_url)
{
	struct cred_source *src = web_identity();

	say("POST / ", 200, STS("AssumeRoleWithWebIdentity", "ASIA1"));
	has_keys(src, "ASIA1", "s3cr3t", "t0k3n");
	cr_assert(asked(0, "POST / HTTP/1.1\r\n",
			"Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
			"&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr"
			"&RoleSessionName=me&WebIdentityToken=JWT-1"));
	cr_assert(!strcasestr(talk.heads[0], "authorization"));
	cred_source_put_ref(src);
}

Test(cred_aws, case_38_a_provider_that_is_away_is_asked_three_times)
{
	struct cred_source *src = web_identity();

	say_first(2, "POST / ", 400, STS_ERROR("IDPCommunicationError"));
	say("POST / ", 200, STS("AssumeRoleWithWebIdentity", "ASIA1"));
	has_keys(src, "ASIA1", "s3cr3t", "t0k3n");
	cr_assert(n_asked() == 3);
	cred_source_put_ref(src);

	src = web_identity();
	forget_said();
	say("POST / ", 400, STS_ERROR("InvalidIdentityToken"));
	fails(src, -EACCES,
	      "STS refuses AssumeRoleWithWebIdentity of arn:aws:iam::1:role/r: "
	      "status 400 InvalidIdentityToken");
	cr_assert(n_asked() == 6);
	cred_source_put_ref(src);
}

Test(cred_aws, a_refusal_of_sts_is_final)
{
	struct cred_source *src = web_identity();

	say("POST / ", 403, STS_ERROR("AccessDenied"));
	fails(src, -EACCES,
	      "STS refuses AssumeRoleWithWebIdentity of arn:aws:iam::1:role/r: "
	      "status 403 AccessDenied");
	cr_assert(n_asked() == 1);
	cred_source_put_ref(src);
}

Test(cred_aws, what_is_configured_and_broken_ends_the_search)
{
	struct cred_source *src;

	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", in_dir("none"), 1);
	src = make(cred_source_aws);
	fails(src, -EACCES,
	      "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not");
	cred_source_put_ref(src);
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
	src = make(cred_source_aws);
	{
		struct err err = ERR_INIT;
		struct cred cred;

		cr_assert(await(src, &cred, &err) == -EACCES);
		cr_assert(strstr(err.text, "the web identity's token: "));
		cr_assert(strstr(err.text, "no such file"), "%s", err.text);
	}
	cred_source_put_ref(src);
}

/*
 * Profiles.
 */

static struct cred_source *profile(const char *text)
{
	struct cred_source *src = NULL;
	struct err err = ERR_INIT;
	enum aws_place place;

	setenv("AWS_ENDPOINT_URL_STS", url(""), 1);
	setenv("AWS_CONFIG_FILE", file("config", text), 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", in_dir("none"), 1);
	cr_assert(cred_source_profile(&src, &place, engine, &err) == 0);
	return src;
}

Test(cred_aws, case_38_a_role_is_assumed_with_the_keys_of_another_profile)
{
	struct cred_source *src = profile(
		"[default]\nrole_arn = arn:aws:iam::1:role/b\n"
		"source_profile = middle\nexternal_id = x y\n"
		"role_session_name = me\nduration_seconds = 900\n"
		"region = eu-west-1\n"
		"[profile middle]\nrole_arn = arn:aws:iam::1:role/a\n"
		"source_profile = base\n"
		"[profile base]\naws_access_key_id = AKID\n"
		"aws_secret_access_key = S\n");

	say_first(1, "POST / ", 200, STS("AssumeRole", "ASIA1"));
	say("POST / ", 200, STS("AssumeRole", "ASIA2"));
	has_keys(src, "ASIA2", "s3cr3t", "t0k3n");
	cr_assert(!strcmp(cred_source_name(src), "role of profile default"));
	cr_assert(asked(0, "Credential=AKID/", "Action=AssumeRole&Version=2011-"
					       "06-15&RoleArn=arn%3Aaws%3Aiam%3A"
					       "%3A1%3Arole%2Fa&RoleSessionName="
					       "datasetfs-"));
	cr_assert(asked(1, "Credential=ASIA1/", "&RoleSessionName=me&ExternalId="
						"x%20y&DurationSeconds=900"));
	cr_assert(asked(1, "/eu-west-1/sts/aws4_request", ""));
	cr_assert(asked(1, "x-amz-security-token: t0k3n\r\n", ""));
	cred_source_put_ref(src);
}

Test(cred_aws, profiles_that_lead_nowhere)
{
	static const struct {
		const char *text;
		const char *want;
	} cases[] = {
		{ "[default]\nrole_arn=x\nsource_profile=a\n"
		  "[profile a]\nrole_arn=y\nsource_profile=default\n",
		  "profile default: profile a: profile default: source_profile "
		  "leads in a circle" },
		{ "[default]\nrole_arn=x\nsource_profile=default\n",
		  "profile default: profile default: source_profile leads in a "
		  "circle" },
		{ "[default]\nrole_arn=x\nsource_profile=a\n",
		  "profile default: profile a: there is no such profile" },
		{ "[default]\nrole_arn=x\n",
		  "profile default: role_arn needs a source_profile, a "
		  "credential_source or a web_identity_token_file" },
		{ "[default]\nrole_arn=x\ncredential_source=Moon\n",
		  "profile default: credential_source is Environment, "
		  "Ec2InstanceMetadata or EcsContainer" },
		{ "[default]\nrole_arn=x\nsource_profile=a\n"
		  "[profile a]\nsso_session=y\n",
		  "profile default: profile a: it has neither keys nor a "
		  "role_arn nor a credential_process (for SSO: aws configure "
		  "export-credentials --format process)" },
		{ "[default]\nrole_arn=x\nmfa_serial=y\nsource_profile=a\n",
		  "profile default: mfa_serial needs a person: use a "
		  "credential_process" },
		{ "[default]\ncredential_process = /nonexistent/program\n",
		  "profile default: credential_process cannot be started: No "
		  "such file or directory" },
		{ "[default]\ncredential_process = sh -c 'exit 3'\n",
		  "profile default: credential_process failed (exit status 3): "
		  "run it by hand to see why" },
		{ "[default]\ncredential_process = sh -c \"exit 3\n",
		  "profile default: credential_process: quotes that do not end, "
		  "or more than 64 words" },
		{ "[default]\ncredential_process = echo '{\"Version\":2}'\n",
		  "profile default: credential_process: the answer is not of "
		  "Version 1" },
		{ "[default]\ncredential_process = echo SECRET\n",
		  "profile default: credential_process: the answer is no JSON (7 "
		  "bytes)" },
		{ "[default]\ncredential_process = head -c 70000 /dev/zero\n",
		  "profile default: credential_process printed more than 65536 "
		  "bytes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cred_source *src = profile(cases[i].text);

		fails(src, -EACCES, cases[i].want);
		cred_source_put_ref(src);
	}
	cr_assert(n_asked() == 0);
}

Test(cred_aws, case_38_a_role_is_assumed_with_what_the_environment_has)
{
	struct cred_source *src;

	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
	src = profile("[default]\nrole_arn=x\ncredential_source=Environment\n");
	say("POST / ", 200, STS("AssumeRole", "ASIA1"));
	has_keys(src, "ASIA1", "s3cr3t", "t0k3n");
	cr_assert(asked(0, "Credential=AKID/", ""));
	cred_source_put_ref(src);
}

Test(cred_aws, case_38_a_program_is_run_without_a_shell)
{
	struct cred_source *src = profile(
		"[default]\ncredential_process = printf "
		"'{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":"
		"\"$HOME;`id`\"}' \"A \"\\\\b\n");
	struct cred_source *good;

	/* The argument is one word, "A \b": a blank no key can have. */
	fails(src, -EACCES,
	      "profile default: credential_process: the access key id has a "
	      "byte that no key has, at position 2");
	cred_source_put_ref(src);
	good = profile("[default]\ncredential_process = printf "
		       "'{\"Version\":1,\"AccessKeyId\":\"%s\","
		       "\"SecretAccessKey\":\"$HOME;`id`\"}' \"A\"B\\C\n");
	has_keys(good, "ABC", "$HOME;`id`", NULL);
	cred_source_put_ref(good);
}

/*
 * The whole chain.
 */

Test(cred_aws, without_an_identity_requests_are_unsigned)
{
	struct cred_source *src;
	struct err err = ERR_INIT;
	struct cred cred;

	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url(""), 1);
	say("PUT /latest/api/token ", 403, "");
	src = make(cred_source_aws);
	for (int i = 0; i < 100; i++) {
		cr_assert(await(src, &cred, &err) == 0, "%s", err.text);
		cr_assert(cred.kind == CRED_ANONYMOUS);
		cred_release(&cred);
	}
	cr_assert(!strcmp(cred_source_name(src), "anonymous"));
	cr_assert(n_asked() == 1);
	cred_source_put_ref(src);
}

Test(cred_aws, the_order_is_botocores)
{
	static const char *const want[] = { "environment",
					    "role of profile default",
					    "web identity", "container",
					    "EC2 instance role" };
	struct cred_source *src;
	struct err err = ERR_INIT;
	struct cred cred;

	say("POST / ", 200, STS("AssumeRole", "ASIA1"));
	say("GET /c ", 200, KEYS("A1", ""));
	say("PUT /latest/api/token ", 200, "T");
	say("GET " ROLE " ", 200, "r");
	say("GET " ROLE "r ", 200, KEYS("A2", SUCCESS));
	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url("/c"), 1);
	cred_source_put_ref(web_identity());
	cred_source_put_ref(imds());
	cred_source_put_ref(
		profile("[default]\nrole_arn=x\nsource_profile=b\n"
			"[profile b]\naws_access_key_id=B\n"
			"aws_secret_access_key=S\n"));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		if (i == 1)
			unsetenv("AWS_ACCESS_KEY_ID");
		if (i == 1)
			unsetenv("AWS_SECRET_ACCESS_KEY");
		if (i == 2) {
			(void)file("config", "");
			forget_said();
			say("POST / ", 200,
			    STS("AssumeRoleWithWebIdentity", "ASIA2"));
			say("GET /c ", 200, KEYS("A1", ""));
			say("PUT /latest/api/token ", 200, "T");
			say("GET " ROLE " ", 200, "r");
			say("GET " ROLE "r ", 200, KEYS("A2", SUCCESS));
		}
		if (i == 3)
			unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
		if (i == 4)
			unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
		src = make(cred_source_aws);
		cr_assert(await(src, &cred, &err) == 0, "%s", err.text);
		cr_assert(!strcmp(cred_source_name(src), want[i]), "%s",
			  cred_source_name(src));
		cred_release(&cred);
		cred_source_put_ref(src);
	}
}
