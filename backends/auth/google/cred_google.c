/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/google/cred_google.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "backends/auth/ask.h"
#include "backends/auth/cred_remote.h"
#include "backends/auth/google/google_config.h"
#include "backends/auth/google/google_token.h"
#include "backends/base/env.h"
#include "backends/base/io.h"

#define FILE_VARIABLE "GOOGLE_APPLICATION_CREDENTIALS"
#define FILE_NAME "/application_default_credentials.json"
/* No name, which a resolver elsewhere might answer to. */
#define METADATA_HOST "169.254.169.254"
#define PRODUCT_FILE "/sys/class/dmi/id/product_name"

/*
 * The file.
 */

struct adc {
	char *path;
	bool is_named;	/* by the environment: it must be there */
};

static void adc_release(void *ctx)
{
	struct adc *adc = ctx;

	free(adc->path);
	free(adc);
}

static int read_config(struct google_config *out, const struct adc *adc,
		       struct err *err)
{
	struct buf text = BUF_INIT;
	int r = buf_reserve(&text, GOOGLE_CONFIG_BYTES_MAX, err);

	if (r == 0)
		r = io_read_file(adc->path, GOOGLE_CONFIG_BYTES_MAX, &text,
				 err);
	if (r == 0) {
		r = google_config_parse(out, adc->path, text.data, text.len,
					err);
	} else if (r != -ENOMEM) {
		err->class = ERR_AUTH;
		err->code = r == -ENOENT && !adc->is_named ? ENOENT : EACCES;
		r = -err->code;
	}
	ask_wipe(&text);
	return r;
}

static int adc_fetch(void *ctx, struct http_engine *engine, struct cred *out,
		     struct err *err)
{
	cleanup_google_config struct google_config config = { .token_url = NULL };
	const struct adc *adc = ctx;
	int r = read_config(&config, adc, err);

	return r < 0 ? r :
		       google_token_fetch(out, engine, &config, adc->path, err);
}

/* NULL without memory. */
static char *default_path(void)
{
	const char *folder = env_get("CLOUDSDK_CONFIG");
	struct buf path = BUF_INIT;

	if (folder) {
		buf_str(&path, folder);
	} else {
		cred_add_home(&path);
		buf_str(&path, "/.config/gcloud");
	}
	buf_str(&path, FILE_NAME);
	return buf_steal(&path);
}

static int file_source(struct cred_source **out, struct http_engine *engine,
		       struct err *err)
{
	static const struct cred_remote_ops ops = {
		.fetch = adc_fetch,
		.release = adc_release,
		.advisory_s = CRED_ADVISORY_S,
		.mandatory_s = CRED_MANDATORY_S,
	};
	const char *named = env_get(FILE_VARIABLE);
	struct adc *adc = calloc(1, sizeof(*adc));

	if (!adc)
		return err_nomem(err);
	adc->is_named = named != NULL;
	adc->path = named ? strdup(named) : default_path();
	if (!adc->path) {
		free(adc);
		return err_nomem(err);
	}
	return cred_source_remote(out, named ? FILE_VARIABLE :
				       "gcloud's application default credentials",
				  &ops, adc, engine, err);
}

/*
 * The metadata service.
 */

struct metadata {
	char *host;	/* NULL: not to be asked */
	bool is_certain;
};

static void metadata_release(void *ctx)
{
	struct metadata *md = ctx;

	free(md->host);
	free(md);
}

static int metadata_fetch(void *ctx, struct http_engine *engine,
			  struct cred *out, struct err *err)
{
	const struct metadata *md = ctx;

	if (!md->host)
		return err_set(err, ERR_AUTH, ENOENT,
			       "NO_GCE_CHECK forbids to ask Google's metadata "
			       "service");
	return google_token_metadata(out, engine, md->host, md->is_certain,
				     err);
}

/* As Google's machines say of themselves. */
static bool is_google_machine(void)
{
	char product[7] = "";
	int fd = open(PRODUCT_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = io_pread_full(fd, product, sizeof(product) - 1, 0);
	(void)close(fd);
	return n == 6 && !strcmp(product, "Google");
}

/* HOST[:PORT], nothing that would lead elsewhere in an address. */
static bool is_host(const char *host)
{
	return !host[strspn(host, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789-._:[]")];
}

static int metadata_init(struct metadata *md, struct err *err)
{
	const char *named = env_get("GCE_METADATA_HOST");
	const char *forbidden = env_get("NO_GCE_CHECK");

	if (forbidden && !strcasecmp(forbidden, "true"))
		return 0;
	if (named && !is_host(named))
		return err_set(err, ERR_USAGE, EINVAL,
			       "GCE_METADATA_HOST is no HOST[:PORT]");
	md->is_certain = named || is_google_machine();
	md->host = strdup(named ? named : METADATA_HOST);
	return md->host ? 0 : err_nomem(err);
}

static int metadata_source(struct cred_source **out,
			   struct http_engine *engine, struct err *err)
{
	static const struct cred_remote_ops ops = {
		.fetch = metadata_fetch,
		.release = metadata_release,
		.advisory_s = CRED_CACHED_ADVISORY_S,
		.mandatory_s = CRED_CACHED_MANDATORY_S,
	};
	struct metadata *md = calloc(1, sizeof(*md));
	int r = md ? metadata_init(md, err) : err_nomem(err);

	if (r < 0) {
		free(md);
		return r;
	}
	return cred_source_remote(out, "Google's metadata service", &ops, md,
				  engine, err);
}

int cred_source_google(struct cred_source **out, struct http_engine *engine,
		       struct err *err)
{
	struct cred_source *chain[3];
	size_t n = 0;
	int r = file_source(&chain[n], engine, err);

	n += r == 0;
	if (r == 0) {
		r = metadata_source(&chain[n], engine, err);
		n += r == 0;
	}
	if (r == 0) {
		r = cred_source_anonymous(&chain[n], err);
		n += r == 0;
	}
	if (r == 0)
		return cred_source_chain(out, chain, n, err);
	while (n > 0)
		cred_source_put_ref(chain[--n]);
	return r;
}
