/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/azure/azure_connection.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEY "c2VjcmV0LWtleQ==" /* secret-key */
#define SAS "sv=2020-12-06&sp=rl&sig=a%2Bb%3D"
#define EMULATOR_KEY                                                           \
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"       \
	"K1SZFPTOtr/KBHBeksoGMGw=="

/* Of the account "acct". */
static void expect(const char *text, const char *account, const char *key,
		   const char *sas, const char *endpoint)
{
	cleanup_azure_connection struct azure_connection conn;
	struct err err = ERR_INIT;

	cr_assert_eq(azure_connection_parse(&conn, text, "acct", &err), 0,
		     "%s: %s", text, err.text);
	cr_expect_str_eq(conn.account ? conn.account : "-", account, "%s",
			 text);
	cr_expect_str_eq(conn.key ? conn.key : "-", key, "%s", text);
	cr_expect_str_eq(conn.sas ? conn.sas : "-", sas, "%s", text);
	cr_expect_str_eq(conn.endpoint, endpoint, "%s", text);
}

Test(azure_connection, the_portals_forms_are_read)
{
	expect("DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=" KEY
	       ";EndpointSuffix=core.windows.net",
	       "acct", KEY, "-", "https://acct.blob.core.windows.net");
	expect("AccountName=acct;AccountKey=" KEY, "acct", KEY, "-",
	       "https://acct.blob.core.windows.net");
	expect("DefaultEndpointsProtocol=http;AccountName=acct;AccountKey=" KEY
	       ";EndpointSuffix=core.chinacloudapi.cn;",
	       "acct", KEY, "-", "http://acct.blob.core.chinacloudapi.cn");
	expect("BlobEndpoint=https://acct.blob.core.windows.net/;"
	       "QueueEndpoint=https://acct.queue.core.windows.net/;"
	       "SharedAccessSignature=" SAS,
	       "-", "-", SAS, "https://acct.blob.core.windows.net/");
	expect("SharedAccessSignature=?" SAS, "-", "-", SAS,
	       "https://acct.blob.core.windows.net");
	expect("accountname=acct;ACCOUNTKEY=" KEY ";SharedAccessSignature=" SAS,
	       "acct", KEY, "-", "https://acct.blob.core.windows.net");
	expect("AccountName=acct;AccountKey=" KEY
	       ";BlobEndpoint=http://127.0.0.1:10000/acct",
	       "acct", KEY, "-", "http://127.0.0.1:10000/acct");
	expect("AccountName=acct;AccountKey=" KEY
	       ";BlobEndpoint=https://data.example.com",
	       "acct", KEY, "-", "https://data.example.com");
}

Test(azure_connection, the_emulator_stands_for_any_account)
{
	expect("UseDevelopmentStorage=true", "devstoreaccount1", EMULATOR_KEY,
	       "-", "http://127.0.0.1:10000/devstoreaccount1");
	expect("AccountName=devstoreaccount1;AccountKey=" KEY
	       ";BlobEndpoint=http://azurite:1/devstoreaccount1",
	       "devstoreaccount1", KEY, "-",
	       "http://azurite:1/devstoreaccount1");
	expect("AccountName=devstoreaccount1;AccountKey=" KEY,
	       "devstoreaccount1", KEY, "-",
	       "http://127.0.0.1:10000/devstoreaccount1");
}

Test(azure_connection, another_account_and_what_is_none_are_refused_silently)
{
	static const struct {
		const char *text;
		const char *why;
	} bad[] = {
		{ "AccountName=other;AccountKey=" KEY, "another account" },
		{ "AccountName=acct;AccountKey=" KEY
		  ";BlobEndpoint=https://other.blob.core.windows.net",
		  "another account" },
		{ "AccountName=acct;AccountKey=" KEY
		  ";BlobEndpoint=https://acct-evil.blob.core.windows.net",
		  "another account" },
		{ "AccountName=acct;AccountKey=" KEY
		  ";BlobEndpoint=http://127.0.0.1:10000/other",
		  "another account" },
		{ "BlobEndpoint=https://data.example.com;"
		  "SharedAccessSignature=" SAS, "another account" },
		{ "AccountName=acct;AccountKey=" KEY
		  ";BlobEndpoint=https://u:p@acct.blob.core.windows.net",
		  "BlobEndpoint" },
		{ "AccountName=acct;AccountKey=" KEY
		  ";BlobEndpoint=ftp://acct.blob.core.windows.net",
		  "BlobEndpoint" },
		{ "AccountKey=" KEY, "without an AccountName" },
		{ "AccountName=acct", "neither AccountKey nor" },
		{ "AccountName=acct;AccountKey=", "neither AccountKey nor" },
		{ KEY, "neither AccountKey nor" },
		{ "secret-key", "without '='" },
		{ "AccountName=acct;AccountKey=secret!key", "base64" },
		{ "AccountName=acct;AccountKey=" KEY ";AccountKey=" KEY,
		  "twice" },
		{ "AccountName=acct;AccountKey=" KEY
		  ";DefaultEndpointsProtocol=ftp", "Protocol" },
		{ "AccountName=acct;AccountKey=" KEY
		  ";EndpointSuffix=a/b?c", "endpoint" },
		{ "SharedAccessSignature=sv=1", "SharedAccessSignature" },
		{ "SharedAccessSignature=" SAS "#x", "SharedAccessSignature" },
		{ "AccountName=acct; AccountKey=" KEY, "position 18" },
		{ "AccountName=acct;AccountKey=" KEY "\n", "position 45" },
		{ "", "0 bytes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct azure_connection conn;
		struct err err = ERR_INIT;

		cr_expect_eq(azure_connection_parse(&conn, bad[i].text, "acct",
						    &err),
			     -EINVAL, "%s", bad[i].text);
		cr_expect_eq(err.class, ERR_USAGE);
		cr_expect(strstr(err.text, bad[i].why), "%s: %s", bad[i].text,
			  err.text);
		cr_expect(!strstr(err.text, KEY) && !strstr(err.text, "sig=a") &&
				  !strstr(err.text, "secret") &&
				  !strstr(err.text, "u:p"),
			  "%s", err.text);
		cr_expect(!conn.key && !conn.sas && !conn.endpoint);
	}
}

Test(azure_connection, the_length_is_bounded)
{
	struct azure_connection conn;
	struct err err = ERR_INIT;
	char *text = malloc(AZURE_CONNECTION_MAX + 2);

	memset(text, 'a', AZURE_CONNECTION_MAX + 1);
	text[AZURE_CONNECTION_MAX + 1] = '\0';
	memcpy(text, "SharedAccessSignature=sig=", 26);
	cr_expect_eq(azure_connection_parse(&conn, text, "acct", &err),
		     -EINVAL);
	text[AZURE_CONNECTION_MAX] = '\0';
	cr_expect_eq(azure_connection_parse(&conn, text, "acct", &err), 0);
	azure_connection_release(&conn);
	free(text);
}

Test(azure_connection, a_source_gives_a_key_or_a_sas)
{
	struct cred_source *key, *sas;
	cleanup_cred struct cred a = { 0 }, b = { 0 };
	struct err err = ERR_INIT;

	cr_assert_eq(azure_connection_source(
			     &key, "secret x",
			     "AccountName=acct;AccountKey=" KEY, "acct", &err),
		     0);
	cr_assert_eq(azure_connection_source(&sas, "secret y",
					     "SharedAccessSignature=" SAS,
					     "acct", &err),
		     0);
	cr_assert_eq(cred_source_get(key, &a, &err), 0);
	cr_assert_eq(cred_source_get(sas, &b, &err), 0);
	cr_expect_eq(a.kind, CRED_AZURE_KEY);
	cr_expect_str_eq(a.access_key_id, "acct");
	cr_expect_str_eq(a.secret_key, KEY);
	cr_expect_eq(b.kind, CRED_AZURE_SAS);
	cr_expect_str_eq(b.token, SAS);
	cr_expect(a.generation && b.generation &&
		  a.generation != b.generation);
	cr_expect_str_eq(cred_source_name(key), "secret x");
	cred_source_put_ref(key);
	cred_source_put_ref(sas);
}
