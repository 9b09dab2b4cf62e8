/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/azure/azure.h"

#include <stdio.h>
#include <stdlib.h>
#include "tests/unit/cred_ask.h"

#define IMDS "GET /metadata/identity/oauth2/token"
#define TOKEN(text)                                                           \
	"{\"access_token\":\"" text "\",\"expires_in\":3599,"                 \
	"\"token_type\":\"Bearer\"}"
#define IMDS_TOKEN                                                            \
	"{\"access_token\":\"T-3\",\"expires_in\":\"86399\","                 \
	"\"expires_on\":\"4070908800\",\"token_type\":\"Bearer\"}"

TestSuite(cred_azure, .init = ask_start, .fini = ask_stop);

static char token_file[] = "/tmp/cred_azure_test.XXXXXX";

static void write_token(const char *text)
{
	FILE *f = fopen(token_file, "w");

	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static struct cred_source *make(int (*fn)(struct cred_source **,
					  struct http_engine *, struct err *))
{
	struct cred_source *src = NULL;
	struct err err = ERR_INIT;

	cr_assert(fn(&src, engine, &err) == 0, "%s", err.text);
	return src;
}

static uint64_t bears(struct cred_source *src, const char *token,
		      int64_t expires_s)
{
	struct err err = ERR_INIT;
	struct cred cred;
	uint64_t generation;
	int r = await(src, &cred, &err);

	cr_assert(r == 0, "%d: %s", r, err.text);
	cr_assert(cred.kind == CRED_BEARER && !cred.access_key_id &&
		  !cred.secret_key);
	cr_assert(!strcmp(cred.token, token), "%s", cred.token);
	cr_assert(!expires_s || cred.expires_s == expires_s);
	generation = cred.generation;
	cred_release(&cred);
	return generation;
}

static void application(void)
{
	setenv("AZURE_AUTHORITY_HOST", url("/"), 1);
	setenv("AZURE_TENANT_ID", "tenant-1", 1);
	setenv("AZURE_CLIENT_ID", "client-1", 1);
}

Test(cred_azure, case_38_a_client_secret_is_posted)
{
	struct cred_source *src;

	application();
	setenv("AZURE_CLIENT_SECRET", "s3cr3t &x", 1);
	say("POST /tenant-1/oauth2/v2.0/token ", 200, TOKEN("T-1"));
	src = make(cred_source_azure_secret);
	(void)bears(src, "T-1", 0);
	cr_assert(asked(0, "content-type: application/x-www-form-urlencoded\r\n",
			"grant_type=client_credentials"
			"&scope=https%3A%2F%2Fstorage.azure.com%2F.default"
			"&client_id=client-1&client_secret=s3cr3t%20%26x"));
	cred_source_put_ref(src);
}

Test(cred_azure, case_38_a_federated_token_is_read_each_time)
{
	struct cred_source *src;

	application();
	cr_assert(mkstemp(token_file) >= 0);
	write_token("JWT-1\n");
	setenv("AZURE_FEDERATED_TOKEN_FILE", token_file, 1);
	say_first(1, "POST /tenant-1/", 200, TOKEN("T-1"));
	say("POST /tenant-1/", 200, TOKEN("T-2"));
	src = make(cred_source_azure_federated);
	write_token("JWT-2\n");
	cred_source_refused(src, bears(src, "T-1", 0));
	write_token("JWT-3\n");
	(void)bears(src, "T-2", 0);
	cr_assert(asked(0, "", "&client_assertion_type=urn%3Aietf%3Aparams%3A"
			       "oauth%3Aclient-assertion-type%3Ajwt-bearer"
			       "&client_assertion=JWT-2"));
	cr_assert(asked(1, "", "&client_assertion=JWT-3"));
	cred_source_put_ref(src);
	(void)unlink(token_file);
}

Test(cred_azure, case_38_a_machine_is_probed_and_then_asked)
{
	struct cred_source *src;

	setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", url("/"), 1);
	setenv("AZURE_CLIENT_ID", "one of them", 1);
	say(IMDS " ", 400, "{}");
	say(IMDS "?api-version=2018-02-01"
		 "&resource=https%3A%2F%2Fstorage.azure.com"
		 "&client_id=one%20of%20them ",
	    200, IMDS_TOKEN);
	src = make(cred_source_azure_managed);
	(void)bears(src, "T-3", 4070908800);
	cr_assert(n_asked() == 2);
	cr_assert(!strcasestr(talk.heads[0], "metadata: true"));
	cr_assert(asked(1, "metadata: true\r\n", ""));
	cred_source_put_ref(src);
}

Test(cred_azure, case_38_app_service_is_shown_its_header)
{
	struct cred_source *src;

	setenv("IDENTITY_ENDPOINT", url("/msi/token"), 1);
	setenv("IDENTITY_HEADER", "proof-1", 1);
	say("GET /msi/token?api-version=2019-08-01"
	    "&resource=https%3A%2F%2Fstorage.azure.com ",
	    200, IMDS_TOKEN);
	src = make(cred_source_azure_managed);
	(void)bears(src, "T-3", 4070908800);
	cr_assert(n_asked() == 1);
	cr_assert(asked(0, "x-identity-header: proof-1\r\n", ""));
	cred_source_put_ref(src);
}

Test(cred_azure, case_38_refusals_are_told_by_number_and_not_by_text)
{
	struct cred_source *src;

	application();
	setenv("AZURE_CLIENT_SECRET", "SECRET", 1);
	say("POST ", 401,
	    "{\"error\":\"invalid_client\",\"error_description\":"
	    "\"AADSTS7000215: Invalid client secret SECRET.\"}");
	src = make(cred_source_azure);
	fails(src, -EACCES,
	      "Azure AD: status 401 invalid_client AADSTS7000215");
	cr_assert(n_asked() == 1);
	cred_source_put_ref(src);
}

Test(cred_azure, case_38_answers_that_are_none)
{
	static const struct {
		const char *body;
		const char *want;
	} cases[] = {
		{ "", "Azure AD: the answer is no JSON (0 bytes)" },
		{ "{\"access_token\":\"SECRET\"}",
		  "Azure AD: a token without an end" },
		{ "{\"access_token\":\"SECRET\",\"expires_in\":\"x\"}",
		  "Azure AD: a token without an end" },
		{ "{\"access_token\":\"SECRET\",\"expires_in\":-5}",
		  "Azure AD: a token without an end" },
		{ "{\"access_token\":7,\"expires_in\":60}",
		  "Azure AD has no access token" },
		{ "{\"access_token\":\"SECRET\\r\\nx\",\"expires_in\":60}",
		  "Azure AD: the access token has a byte that no key has, at "
		  "position 7" },
	};

	application();
	setenv("AZURE_CLIENT_SECRET", "s", 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cred_source *src = make(cred_source_azure_secret);
		struct err err = ERR_INIT;
		struct cred cred;
		int r = 0;

		forget_said();
		say("POST ", 200, cases[i].body);
		for (int n = 0; n < 200 && !strstr(err.text, cases[i].want);
		     n++) {
			r = cred_source_get(src, &cred, &err);
			(void)usleep(5000);
		}
		cr_assert(strstr(err.text, cases[i].want), "%s", err.text);
		cr_assert(r < 0 && !strstr(err.text, "SECRET"));
		cred_source_put_ref(src);
	}
}

Test(cred_azure, what_is_set_by_half_is_named)
{
	struct cred_source *src;

	setenv("AZURE_CLIENT_SECRET", "s", 1);
	src = make(cred_source_azure);
	fails(src, -EACCES, "AZURE_TENANT_ID is not set");
	cred_source_put_ref(src);
	setenv("AZURE_TENANT_ID", "../../x", 1);
	src = make(cred_source_azure);
	fails(src, -EACCES, "AZURE_TENANT_ID is neither a GUID nor a domain");
	cred_source_put_ref(src);
	unsetenv("AZURE_CLIENT_SECRET");
	setenv("IDENTITY_ENDPOINT", url("/x"), 1);
	src = make(cred_source_azure);
	fails(src, -EACCES, "IDENTITY_ENDPOINT is set, but IDENTITY_HEADER is "
			    "not (Azure Arc is not supported)");
	cred_source_put_ref(src);
	cr_assert(n_asked() == 0);
}

Test(cred_azure, a_machine_without_an_identity_goes_unsigned)
{
	struct err err = ERR_INIT;
	struct cred_source *src;
	struct cred cred;

	setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", url(""), 1);
	say(IMDS, 400, "{\"error\":\"invalid_request\"}");
	src = make(cred_source_azure);
	cr_assert(await(src, &cred, &err) == 0, "%s", err.text);
	cr_assert(cred.kind == CRED_ANONYMOUS && n_asked() == 2);
	cred_source_put_ref(src);
}

Test(cred_azure, the_order_is_default_azure_credentials_and_can_be_cut)
{
	static const struct {
		const char *only;
		const char *name;
	} cases[] = {
		{ NULL, "Azure client secret" },
		{ "prod", "Azure client secret" },
		{ "workloadidentitycredential", "Azure workload identity" },
		{ "ManagedIdentityCredential", "Azure managed identity" },
	};
	struct err err = ERR_INIT;
	struct cred_source *src;

	application();
	cr_assert(mkstemp(token_file) >= 0);
	write_token("JWT");
	setenv("AZURE_CLIENT_SECRET", "s", 1);
	setenv("AZURE_FEDERATED_TOKEN_FILE", token_file, 1);
	setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", url(""), 1);
	say("POST ", 200, TOKEN("T-1"));
	say(IMDS " ", 400, "");
	say(IMDS "?", 200, IMDS_TOKEN);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cred cred;

		if (cases[i].only)
			setenv("AZURE_TOKEN_CREDENTIALS", cases[i].only, 1);
		src = make(cred_source_azure);
		cr_assert(await(src, &cred, &err) == 0, "%s", err.text);
		cr_assert(!strcmp(cred_source_name(src), cases[i].name), "%s",
			  cred_source_name(src));
		cred_release(&cred);
		cred_source_put_ref(src);
	}
	setenv("AZURE_TOKEN_CREDENTIALS", "dev", 1);
	cr_assert(cred_source_azure(&src, engine, &err) == -EINVAL);
	cr_assert(!strcmp(err.text,
			  "AZURE_TOKEN_CREDENTIALS is prod, "
			  "EnvironmentCredential, WorkloadIdentityCredential or "
			  "ManagedIdentityCredential"));
	(void)unlink(token_file);
}
