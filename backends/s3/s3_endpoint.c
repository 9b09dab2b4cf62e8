/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/s3/s3_endpoint.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "backends/base/encode.h"
#include "backends/base/env.h"

#define TOS_HOST_PREFIX "tos-s3-"
#define DNS_LABEL_MAX 63

bool s3_region_is_valid(const char *region)
{
	size_t len = strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len && !region[len] && len < S3_REGION_SIZE;
}

/* Shown in messages: an address is no secret, but its user part may be. */
static int refuse_url(struct err *err, const char *url, const char *why)
{
	cleanup_buf struct buf shown = BUF_INIT;
	const char *at = strrchr(url, '@');

	encode_printable(&shown, at ? at + 1 : url, strlen(at ? at + 1 : url),
			 200);
	return err_set(err, ERR_USAGE, EINVAL, "override_url %s%s %s",
		       at ? "...@" : "", shown.data ? shown.data : "", why);
}

static bool is_host_byte(unsigned char c)
{
	return isalnum(c) || c == '.' || c == '-' || c == '_';
}

/* host[:port] or [v6][:port]; *host_len is without the port. */
static bool check_authority(const char *s, size_t len, size_t *host_len)
{
	size_t i = 0;
	unsigned long port;

	if (len && s[0] == '[') {
		for (i = 1; i < len && s[i] != ']'; i++)
			if (!isxdigit((unsigned char)s[i]) && s[i] != ':' &&
			    s[i] != '.')
				return false;
		if (i < 3 || i == len)
			return false;
		i++;
	} else {
		while (i < len && is_host_byte((unsigned char)s[i]))
			i++;
		if (!i)
			return false;
	}
	*host_len = i;
	if (i == len)
		return true;
	if (s[i] != ':' || len - i < 2 || len - i > 6)
		return false;
	for (size_t j = i + 1; j < len; j++)
		if (!isdigit((unsigned char)s[j]))
			return false;
	port = strtoul(s + i + 1, NULL, 10);
	return port > 0 && port < 65536;
}

/* As sent in Host: a scheme's own port is left out. */
static char *make_authority(const char *s, size_t len, size_t host_len,
			    bool is_https)
{
	const char *port = is_https ? ":443" : ":80";

	if (len - host_len == strlen(port) &&
	    !strncmp(s + host_len, port, strlen(port)))
		len = host_len;
	return strndup(s, len);
}

static int parse_url(struct s3_endpoint *e, const char *url, struct err *err)
{
	const char *rest = url, *end;
	size_t len, host_len;

	e->is_https = true;
	if (!strncasecmp(url, "https://", 8)) {
		rest = url + 8;
	} else if (!strncasecmp(url, "http://", 7)) {
		rest = url + 7;
		e->is_https = false;
	} else if (strstr(url, "://")) {
		return refuse_url(err, url, "is neither http:// nor https://");
	}

	len = strcspn(rest, "/");
	if (memchr(rest, '@', len))
		return refuse_url(err, url, "holds a user: a credential does "
					    "not belong into an address");
	if (!check_authority(rest, len, &host_len))
		return refuse_url(err, url, "has no usable host: write "
					    "https://HOST[:PORT][/BASE]");
	end = rest + strlen(rest);
	while (end > rest + len && end[-1] == '/')
		end--;
	for (const char *p = rest + len; p < end; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f ||
		    strchr("?#%\\\"", *p))
			return refuse_url(err, url, "has a byte in its path "
						    "that may not be there");

	e->authority = make_authority(rest, len, host_len, e->is_https);
	e->base_path = strndup(rest + len, (size_t)(end - rest) - len);
	return e->authority && e->base_path ? 0 : err_nomem(err);
}

/* The URI's host, which has no scheme or path. */
static int take_host(struct s3_endpoint *e, const struct uri *uri,
		     struct err *err)
{
	size_t len = strlen(uri->host), host_len;

	if (!check_authority(uri->host, len, &host_len))
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: its host cannot be used", uri->text);
	e->is_https = true;
	e->authority = make_authority(uri->host, len, host_len, true);
	e->base_path = strdup("");
	return e->authority && e->base_path ? 0 : err_nomem(err);
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
		url = "https://storage.googleapis.com";
	if (url)
		return parse_url(e, url, err);
	if (uri->host)
		return take_host(e, uri, err);

	e->is_https = true;
	e->is_aws = true;
	e->base_path = strdup("");
	return e->base_path ? 0 : err_nomem(err);
}

static bool is_address(const char *authority)
{
	char host[INET6_ADDRSTRLEN];
	size_t len = strcspn(authority, ":");
	struct in_addr v4;

	if (authority[0] == '[')
		return true;
	if (len >= sizeof(host))
		return false;
	memcpy(host, authority, len);
	host[len] = '\0';
	return inet_pton(AF_INET, host, &v4) == 1;
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
	if (e->authority && is_address(e->authority))
		return false;
	if (!is_dns_name(e->bucket))
		return false;
	return is_wanted || !e->is_https || !strchr(e->bucket, '.');
}

static bool is_true(const char *value)
{
	return value && (!strcasecmp(value, "true") || !strcmp(value, "1") ||
			 !strcasecmp(value, "yes"));
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
	cleanup_s3_endpoint struct s3_endpoint e = { .authority = NULL };
	int r;

	memset(out, 0, sizeof(*out));
	e.bucket = strdup(spec->location->container);
	if (!e.bucket)
		return err_nomem(err);
	r = choose_host(&e, spec, err);
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
	free(endpoint->authority);
	free(endpoint->base_path);
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
		buf_printf(host, "s3.%s.amazonaws.com%s", region,
			   !strncmp(region, "cn-", 3) ? ".cn" : "");
	else
		buf_str(host, endpoint->authority);

	buf_str(path, endpoint->base_path);
	if (!endpoint->is_virtual) {
		buf_char(path, '/');
		buf_str(path, endpoint->bucket);
	}
	if (key || !path->len)
		buf_char(path, '/');
	if (key)
		buf_str(path, key);
}
