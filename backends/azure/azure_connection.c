/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/azure/azure_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backends/auth/azure_key.h"
#include "backends/base/buf.h"
#include "backends/object/address.h"

#define SUFFIX_DEFAULT "core.windows.net"
/* Of the emulator; published, and no secret. */
#define EMULATOR_ACCOUNT "devstoreaccount1"
#define EMULATOR_KEY                                                           \
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"       \
	"K1SZFPTOtr/KBHBeksoGMGw=="
#define EMULATOR_ENDPOINT "http://127.0.0.1:10000/" EMULATOR_ACCOUNT

#define WHAT_TO_WRITE                                                          \
	"write DefaultEndpointsProtocol=https;AccountName=ACCOUNT;"            \
	"AccountKey=KEY;EndpointSuffix=core.windows.net"

enum field {
	FIELD_PROTOCOL,
	FIELD_ACCOUNT,
	FIELD_KEY,
	FIELD_SUFFIX,
	FIELD_ENDPOINT,
	FIELD_SAS,
	FIELD_EMULATOR,
	FIELDS
};

static const char *const names[FIELDS] = {
	[FIELD_PROTOCOL] = "DefaultEndpointsProtocol",
	[FIELD_ACCOUNT] = "AccountName",
	[FIELD_KEY] = "AccountKey",
	[FIELD_SUFFIX] = "EndpointSuffix",
	[FIELD_ENDPOINT] = "BlobEndpoint",
	[FIELD_SAS] = "SharedAccessSignature",
	[FIELD_EMULATOR] = "UseDevelopmentStorage",
};

/* The values point into a copy of the text. */
struct fields {
	char *text;
	const char *values[FIELDS];	/* NULL: not given, or empty */
};

static void wipe_free(char *text)
{
	if (!text)
		return;
	explicit_bzero(text, strlen(text));
	free(text);
}

static int refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_USAGE, EINVAL,
		       "the connection string in access_key %s", why);
}

static int take_pair(struct fields *f, char *pair, struct err *err)
{
	char *value = strchr(pair, '=');

	if (!*pair)
		return 0;
	if (!value)
		return refuse(err, "has a part without '=': " WHAT_TO_WRITE);
	*value++ = '\0';
	for (size_t i = 0; i < FIELDS; i++) {
		if (strcasecmp(pair, names[i]) != 0)
			continue;
		if (f->values[i])
			return err_set(err, ERR_USAGE, EINVAL,
				       "the connection string in access_key "
				       "has %s twice", names[i]);
		f->values[i] = *value ? value : NULL;
	}
	return 0;
}

static int check_bytes(const char *text, struct err *err)
{
	size_t len = strlen(text);

	if (!len || len > AZURE_CONNECTION_MAX)
		return err_set(err, ERR_USAGE, EINVAL,
			       "a connection string of %zu bytes in "
			       "access_key, the limit is %d", len,
			       AZURE_CONNECTION_MAX);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= 0x20 ||
		    (unsigned char)text[i] >= 0x7f)
			return err_set(err, ERR_USAGE, EINVAL,
				       "the connection string in access_key "
				       "has a byte that none has, at position "
				       "%zu", i + 1);
	return 0;
}

static int split(struct fields *f, const char *text, struct err *err)
{
	char *rest, *pair;
	int r = check_bytes(text, err);

	if (r < 0)
		return r;
	f->text = strdup(text);
	if (!f->text)
		return err_nomem(err);
	for (rest = f->text; r == 0 && (pair = strsep(&rest, ";"));)
		r = take_pair(f, pair, err);
	return r;
}

/* The emulator's short form becomes the long one; true: it is declared. */
static bool expand_emulator(struct fields *f)
{
	const char *short_form = f->values[FIELD_EMULATOR];

	if (short_form && !strcasecmp(short_form, "true")) {
		f->values[FIELD_ACCOUNT] = EMULATOR_ACCOUNT;
		f->values[FIELD_KEY] = EMULATOR_KEY;
	}
	if (!f->values[FIELD_ACCOUNT] ||
	    strcmp(f->values[FIELD_ACCOUNT], EMULATOR_ACCOUNT) != 0)
		return false;
	if (!f->values[FIELD_ENDPOINT])
		f->values[FIELD_ENDPOINT] = EMULATOR_ENDPOINT;
	return true;
}

/* The whole name up to a separator. */
static bool names_account(const char *text, char separator, const char *account)
{
	size_t len = strlen(account);

	return !strncmp(text, account, len) &&
	       (!text[len] || text[len] == separator);
}

/*
 * https://ACCOUNT.blob.SUFFIX, or a path that begins with /ACCOUNT; a domain
 * of the customer's own says nothing, so AccountName must have.
 */
static int check_endpoint(const struct fields *f, const char *account,
			  struct err *err)
{
	struct address at;
	bool is_named, is_blob_host;
	int r = address_parse(&at, "BlobEndpoint", f->values[FIELD_ENDPOINT],
			      err);

	if (r < 0)
		return r;
	is_blob_host = strstr(at.authority, ".blob.") != NULL;
	is_named = names_account(at.authority, '.', account) ||
		   (!is_blob_host && *at.base_path &&
		    names_account(at.base_path + 1, '/', account));
	if (!is_named && !is_blob_host && !*at.base_path)
		is_named = f->values[FIELD_ACCOUNT] != NULL;
	address_release(&at);
	if (is_named)
		return 0;
	return err_set(err, ERR_USAGE, EINVAL,
		       "the connection string in access_key has a BlobEndpoint "
		       "of another account than %s", account);
}

static int check_account(const struct fields *f, const char *account,
			 struct err *err)
{
	const char *given = f->values[FIELD_ACCOUNT];

	if (given && strcmp(given, account) != 0)
		return err_set(err, ERR_USAGE, EINVAL,
			       "the connection string in access_key is for "
			       "another account than %s: its AccountName must "
			       "be the URI's", account);
	return f->values[FIELD_ENDPOINT] ? check_endpoint(f, account, err) : 0;
}

static int make_endpoint(struct azure_connection *out, const struct fields *f,
			 const char *account, struct err *err)
{
	const char *protocol = f->values[FIELD_PROTOCOL];
	const char *suffix = f->values[FIELD_SUFFIX];
	cleanup_buf struct buf url = BUF_INIT;
	struct address at;
	int r;

	if (protocol && strcasecmp(protocol, "https") &&
	    strcasecmp(protocol, "http"))
		return refuse(err, "has a DefaultEndpointsProtocol other than "
				   "https and http");
	if (f->values[FIELD_ENDPOINT])
		buf_str(&url, f->values[FIELD_ENDPOINT]);
	else
		buf_printf(&url, "%s://%s.blob.%s",
			   protocol && !strcasecmp(protocol, "http") ? "http"
								     : "https",
			   account, suffix ? suffix : SUFFIX_DEFAULT);
	if (buf_failed(&url))
		return err_nomem(err);
	r = address_parse(&at, "the connection string's endpoint", url.data,
			  err);
	if (r < 0)
		return r;
	address_release(&at);
	out->endpoint = buf_steal(&url);
	return out->endpoint ? 0 : err_nomem(err);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* A SAS is sent as it is, behind "?" or "&": a query, and nothing else. */
static int check_sas(const char **sas, struct err *err)
{
	if (**sas == '?')
		(*sas)++;
	if (!**sas || strpbrk(*sas, "?#\\\"<>") || !strstr(*sas, "sig="))
		return refuse(err, "has a SharedAccessSignature that is none "
				   "(it holds sig=...)");
	return 0;
}

static int check_secret(const struct fields *f, struct err *err)
{
	const char *key = f->values[FIELD_KEY];
	struct err why = ERR_INIT;

	if (!key && !f->values[FIELD_SAS])
		return refuse(err, "has neither AccountKey nor "
				   "SharedAccessSignature: " WHAT_TO_WRITE);
	if (key && !f->values[FIELD_ACCOUNT])
		return refuse(err, "has an AccountKey without an AccountName");
	if (key && azure_key_check(key, &why) < 0)
		return refuse(err, "has an AccountKey that is not the base64 "
				   "of a key");
	return 0;
}

/* With a key and a SAS, the key: it may do more. */
static int fill(struct azure_connection *out, struct fields *f,
		const char *account, struct err *err)
{
	const char *sas;
	int r = 0;

	if (!expand_emulator(f))
		r = check_account(f, account, err);
	if (r == 0)
		r = check_secret(f, err);
	sas = f->values[FIELD_SAS];
	if (r == 0 && !f->values[FIELD_KEY])
		r = check_sas(&sas, err);
	if (r == 0)
		r = make_endpoint(out, f, account, err);
	if (r < 0)
		return r;
	out->account = copy(f->values[FIELD_ACCOUNT]);
	out->key = copy(f->values[FIELD_KEY]);
	out->sas = f->values[FIELD_KEY] ? NULL : copy(sas);
	return (out->key && out->account) || out->sas ? 0 : err_nomem(err);
}

int azure_connection_parse(struct azure_connection *out, const char *text,
			   const char *account, struct err *err)
{
	struct fields f = { .text = NULL };
	int r;

	memset(out, 0, sizeof(*out));
	r = split(&f, text, err);
	if (r == 0)
		r = fill(out, &f, account, err);
	if (r < 0)
		azure_connection_release(out);
	if (f.text)
		explicit_bzero(f.text, strlen(text));
	free(f.text);
	return r;
}

void azure_connection_release(struct azure_connection *conn)
{
	free(conn->account);
	free(conn->endpoint);
	wipe_free(conn->key);
	wipe_free(conn->sas);
	memset(conn, 0, sizeof(*conn));
}

int azure_connection_source(struct cred_source **out, const char *name,
			    const char *text, const char *account,
			    struct err *err)
{
	cleanup_azure_connection struct azure_connection conn;
	struct cred cred = { .expires_s = INT64_MAX };
	int r = azure_connection_parse(&conn, text, account, err);

	if (r < 0)
		return r;
	cred.kind = conn.key ? CRED_AZURE_KEY : CRED_AZURE_SAS;
	cred.access_key_id = conn.key ? conn.account : NULL;
	cred.secret_key = conn.key;
	cred.token = conn.sas;
	return cred_source_fixed(out, name, &cred, err);
}
