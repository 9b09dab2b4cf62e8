/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/object/address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "backends/base/encode.h"

/* Shown in messages: an address is no secret, but its user part may be. */
static int refuse(struct err *err, const char *what, const char *url,
		  const char *why)
{
	cleanup_buf struct buf shown = BUF_INIT;
	const char *at = strrchr(url, '@');

	encode_printable(&shown, at ? at + 1 : url, strlen(at ? at + 1 : url),
			 200);
	return err_set(err, ERR_USAGE, EINVAL, "%s %s%s %s", what,
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

static int parse(struct address *a, const char *what, const char *url,
		 struct err *err)
{
	const char *rest = url, *end;
	size_t len, host_len;

	a->is_https = true;
	if (!strncasecmp(url, "https://", 8)) {
		rest = url + 8;
	} else if (!strncasecmp(url, "http://", 7)) {
		rest = url + 7;
		a->is_https = false;
	} else if (strstr(url, "://")) {
		return refuse(err, what, url,
			      "is neither http:// nor https://");
	}

	len = strcspn(rest, "/");
	if (memchr(rest, '@', len))
		return refuse(err, what, url,
			      "holds a user: a credential does "
			      "not belong into an address");
	if (!check_authority(rest, len, &host_len))
		return refuse(err, what, url,
			      "has no usable host: write "
			      "https://HOST[:PORT][/BASE]");
	end = rest + strlen(rest);
	while (end > rest + len && end[-1] == '/')
		end--;
	for (const char *p = rest + len; p < end; p++)
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f ||
		    strchr("?#%\\\"", *p))
			return refuse(err, what, url,
				      "has a byte in its path "
				      "that may not be there");

	a->authority = make_authority(rest, len, host_len, a->is_https);
	a->base_path = strndup(rest + len, (size_t)(end - rest) - len);
	return a->authority && a->base_path ? 0 : err_nomem(err);
}

int address_parse(struct address *out, const char *what, const char *url,
		  struct err *err)
{
	int r;

	memset(out, 0, sizeof(*out));
	r = parse(out, what, url, err);
	if (r < 0)
		address_release(out);
	return r;
}

int address_of_host(struct address *out, const struct uri *uri, struct err *err)
{
	size_t len = strlen(uri->host), host_len;

	memset(out, 0, sizeof(*out));
	if (!check_authority(uri->host, len, &host_len))
		return err_set(err, ERR_USAGE, EINVAL,
			       "%s: its host cannot be used", uri->text);
	out->is_https = true;
	out->authority = make_authority(uri->host, len, host_len, true);
	out->base_path = strdup("");
	if (out->authority && out->base_path)
		return 0;
	address_release(out);
	return err_nomem(err);
}

void address_release(struct address *address)
{
	free(address->authority);
	free(address->base_path);
	memset(address, 0, sizeof(*address));
}

bool address_is_number(const char *authority)
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
