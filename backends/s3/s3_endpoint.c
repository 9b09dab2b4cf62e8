/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_endpoint.h"

#include <errno.h>
#include <string.h>
#include "backends/base/env.h"

#define TOS_HOST_PREFIX "tos-s3-"
#define DNS_LABEL_MAX 63

bool s3_region_is_valid(const char *region)
{
	size_t len = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len && !region[len] && len < S3_REGION_SIZE;
}

static int tos_region(struct s3_endpoint *e, const struct uri *uri,
		      struct err *err)
{
	const char *p = uri->host + strlen(TOS_HOST_PREFIX);
	size_t len;

	if (strncmp(uri->host, TOS_HOST_PREFIX, strlen(TOS_HOST_PREFIX)) != 0)
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: the host names no region: write "
			       "tos://tos-s3-REGION.volces.com/BUCKET",
			       uri->text);
	len = strcspn(p, ".");
	if (len >= S3_REGION_SIZE)
		len = S3_REGION_SIZE - 1;
	memcpy(e->region, p, len);
	e->region[len] = '\0';
	if (!s3_region_is_valid(e->region))
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: the host names no region: '%s' is not one",
			       uri->text, e->region);
	e->is_region_fixed = true;
	return 0;
}

static int choose_region(struct s3_endpoint *e, const struct backend_spec *spec,
			 struct err *err)
{
	const struct uri *uri = spec->location;
	const char *region = spec->region;

	if (uri->scheme == URI_TOS)
		return tos_region(e, uri, err);
	if (region && !*region)
		region = NULL;
	if (!region && uri->scheme == URI_S3)
		region = env_get("AWS_REGION");
	if (!region && uri->scheme == URI_S3)
		region = env_get("AWS_DEFAULT_REGION");
	if (!region)
		region = uri->scheme == URI_GS ? "us-east1" : S3_REGION_DEFAULT;
	if (!s3_region_is_valid(region))
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: the region may hold a-z, 0-9 and '-' only",
			       uri->text);
	(void)strcpy(e->region, region);
	return 0;
}

/* storage.googleapis.com, and its regional, private and mTLS siblings. */
static bool is_google_host(const char *authority)
{
	static const char domain[] = ".googleapis.com";
	size_t len = strcspn(authority, ":"), domain_len = strlen(domain);

	return len > domain_len &&
	       !strncasecmp(authority + len - domain_len, domain, domain_len);
}

/* The variable is of Google's own clients: what it names speaks as Google. */
static int google_host(struct s3_endpoint *e, struct err *err)
{
	const char *url = env_get("STORAGE_EMULATOR_HOST");

	e->is_google = true;
	return address_parse(&e->at, "STORAGE_EMULATOR_HOST",
			     url ? url : "https://storage.googleapis.com", err);
}

static bool is_true(const char *value)
{
	return value && (!strcasecmp(value, "true") || !strcmp(value, "1") ||
			 !strcasecmp(value, "yes"));
}

static int choose_host(struct s3_endpoint *e, const struct backend_spec *spec,
		       struct err *err)
{
	const struct uri *uri = spec->location;
	const char *url = spec->override_url;

	if (url && !*url)
		url = NULL;
	if (!url && uri->scheme == URI_S3)
		url = env_get("AWS_ENDPOINT_URL_S3");
	if (!url && uri->scheme == URI_S3)
		url = env_get("AWS_ENDPOINT_URL");
	if (!url && uri->scheme == URI_GS)
		return google_host(e, err);
	if (url)
		return address_parse(&e->at, "override_url", url, err);
	if (uri->host)
		return address_of_host(&e->at, uri, err);

	e->at.is_https = true;
	e->is_aws = true;
	e->is_dualstack = spec->s3.dualstack ||
			  is_true(env_get("AWS_USE_DUALSTACK_ENDPOINT"));
	e->at.base_path = strdup("");
	return e->at.base_path ? 0 : err_nomem(err);
}

/* Lower-case letters, digits and dashes; dots between such labels. */
static bool is_dns_name(const char *bucket)
{
	size_t len = strlen(bucket);

	if (len < 3 || len > DNS_LABEL_MAX || bucket[0] == '-' ||
	    bucket[0] == '.' || bucket[len - 1] == '-' ||
	    bucket[len - 1] == '.' || strstr(bucket, ".."))
		return false;
	return bucket[strspn(bucket,
			     "abcdefghijklmnopqrstuvwxyz0123456789-.")] == '\0';
}

static bool can_be_virtual(const struct s3_endpoint *e, bool is_wanted)
{
	if (e->at.authority && address_is_number(e->at.authority))
		return false;
	if (!is_dns_name(e->bucket))
		return false;
	return is_wanted || !e->at.is_https || !strchr(e->bucket, '.');
}

static enum addressing env_addressing(void)
{
	const char *style = env_get("OSMO_S3_ADDRESSING_STYLE");

	if (style && !strcasecmp(style, "path"))
		return ADDRESSING_PATH;
	if (style && !strcasecmp(style, "virtual"))
		return ADDRESSING_VIRTUAL;
	if (!style && is_true(env_get("AWS_S3_FORCE_PATH_STYLE")))
		return ADDRESSING_PATH;
	return ADDRESSING_AUTO;
}

static int choose_style(struct s3_endpoint *e, const struct backend_spec *spec,
			struct err *err)
{
	enum uri_scheme scheme = spec->location->scheme;
	enum addressing style = spec->addressing;

	if (scheme == URI_TOS) {
		if (style == ADDRESSING_PATH || !can_be_virtual(e, false))
			return err_set(err, ERR_USAGE, EINVAL,
				       "%s: tos has virtual addressing only, "
				       "which needs a bucket name of a-z, 0-9 "
				       "and '-', and a host name",
				       spec->location->text);
		e->is_virtual = true;
		return 0;
	}
	if (style == ADDRESSING_AUTO && scheme != URI_SWIFT)
		style = env_addressing();
	if (style == ADDRESSING_AUTO && scheme == URI_SWIFT)
		style = ADDRESSING_PATH;
	e->is_virtual = style != ADDRESSING_PATH &&
			can_be_virtual(e, style == ADDRESSING_VIRTUAL);
	return 0;
}

int s3_endpoint_init(struct s3_endpoint *out, const struct backend_spec *spec,
		     struct err *err)
{
	cleanup_s3_endpoint struct s3_endpoint e = { .bucket = NULL };
	int r;

	memset(out, 0, sizeof(*out));
	e.bucket = strdup(spec->location->container);
	if (!e.bucket)
		return err_nomem(err);
	r = choose_host(&e, spec, err);
	if (r == 0 && e.at.authority && is_google_host(e.at.authority))
		e.is_google = true;
	if (r == 0)
		r = choose_region(&e, spec, err);
	if (r == 0)
		r = choose_style(&e, spec, err);
	if (r < 0)
		return r;
	*out = e;
	memset(&e, 0, sizeof(e));
	return 0;
}

void s3_endpoint_release(struct s3_endpoint *endpoint)
{
	address_release(&endpoint->at);
	free(endpoint->bucket);
	memset(endpoint, 0, sizeof(*endpoint));
}

void s3_endpoint_locate(const struct s3_endpoint *endpoint, const char *region,
			const char *key, struct buf *host, struct buf *path)
{
	if (endpoint->is_virtual) {
		buf_str(host, endpoint->bucket);
		buf_char(host, '.');
	}
	if (endpoint->is_aws)
		buf_printf(host, "s3.%s%s.amazonaws.com%s",
			   endpoint->is_dualstack ? "dualstack." : "", region,
			   !strncmp(region, "cn-", 3) ? ".cn" : "");
	else
		buf_str(host, endpoint->at.authority);

	buf_str(path, endpoint->at.base_path);
	if (!endpoint->is_virtual) {
		buf_char(path, '/');
		buf_str(path, endpoint->bucket);
	}
	if (key || !path->len)
		buf_char(path, '/');
	if (key)
		buf_str(path, key);
}
