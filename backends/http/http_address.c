/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a request may be sent to.  A name that somebody else controls
 * must not lead to what listens on this machine, or to its metadata service.
 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include "backends/base/env.h"

/* The address in the end of an IPv6 one, as far as it is one of IPv4. */
static bool mapped_v4(const struct sockaddr_in6 *v6, uint32_t *v4)
{
	if (!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return false;
	memcpy(v4, v6->sin6_addr.s6_addr + 12, sizeof(*v4));
	*v4 = ntohl(*v4);
	return true;
}

static enum http_reach v4_reach(uint32_t v4)
{
	if (v4 >> 16 == 0xa9fe)
		return HTTP_REACH_LINK;
	/* 0.0.0.0 is connected to this machine, too. */
	return v4 >> 24 == 127 || v4 >> 24 == 0 ? HTTP_REACH_MACHINE :
						  HTTP_REACH_ANY;
}

enum http_reach http_address_reach(const struct sockaddr *sa)
{
	/* AWS's metadata service over IPv6: fd00:ec2::/32 */
	static const uint8_t ec2[] = { 0xfd, 0x00, 0x0e, 0xc2 };
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *v6 = (const void *)sa;
	uint32_t v4;

	if (sa->sa_family == AF_INET)
		return v4_reach(ntohl(in->sin_addr.s_addr));
	if (sa->sa_family != AF_INET6)
		return HTTP_REACH_ANY;
	if (mapped_v4(v6, &v4))
		return v4_reach(v4);
	if (IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) ||
	    !memcmp(v6->sin6_addr.s6_addr, ec2, sizeof(ec2)))
		return HTTP_REACH_LINK;
	if (IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
	    IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
		return HTTP_REACH_MACHINE;
	return HTTP_REACH_ANY;
}

/* The host of "host[:port]", without the brackets of IPv6; "" if too long. */
static void cut_port(char out[HTTP_HOST_SIZE], const char *authority)
{
	bool is_v6 = *authority == '[';
	size_t len = strcspn(authority + is_v6, is_v6 ? "]" : ":");

	if (len >= HTTP_HOST_SIZE)
		len = 0;
	memcpy(out, authority + is_v6, len);
	out[len] = '\0';
}

/* "localhost" and what lies below it are this machine by RFC 6761. */
static bool is_localhost(const char *host)
{
	static const char name[] = "localhost";
	size_t len = strlen(host);
	size_t name_len = sizeof(name) - 1;

	if (len < name_len || strcasecmp(host + len - name_len, name) != 0)
		return false;
	return len == name_len || host[len - name_len - 1] == '.';
}

enum http_reach http_host_reach(const char *authority)
{
	char host[HTTP_HOST_SIZE];
	struct in6_addr address;

	cut_port(host, authority);
	if (inet_pton(AF_INET, host, &address) == 1 ||
	    inet_pton(AF_INET6, host, &address) == 1)
		return HTTP_REACH_LINK;
	return is_localhost(host) ? HTTP_REACH_MACHINE : HTTP_REACH_ANY;
}

static unsigned proxy_port(const char *url)
{
	CURLU *parts = curl_url();
	char *host = NULL;
	char *port = NULL;
	unsigned n = 0;

	if (parts &&
	    !curl_url_set(parts, CURLUPART_URL, url,
			  CURLU_GUESS_SCHEME | CURLU_NON_SUPPORT_SCHEME) &&
	    !curl_url_get(parts, CURLUPART_HOST, &host, 0) &&
	    http_host_reach(host) != HTTP_REACH_ANY) {
		/* libcurl's own, where the variable has none */
		if (curl_url_get(parts, CURLUPART_PORT, &port, 0))
			n = 1080;
		else
			n = (unsigned)strtoul(port, NULL, 10);
	}
	curl_free(host);
	curl_free(port);
	curl_url_cleanup(parts);
	return n;
}

void http_proxy_ports(unsigned ports[HTTP_PROXIES_MAX])
{
	/* http_proxy in capitals can be somebody's header: not libcurl's. */
	static const char *const names[HTTP_PROXIES_MAX] = {
		"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
		"ALL_PROXY",
	};

	for (size_t i = 0; i < HTTP_PROXIES_MAX; i++) {
		const char *url = env_get(names[i]);

		ports[i] = url ? proxy_port(url) : 0;
	}
}

static bool is_proxy(const struct http_engine *engine, const struct sockaddr *sa)
{
	const struct sockaddr_in *in = (const void *)sa;
	unsigned port = ntohs(in->sin_port);	/* where sin6_port lies, too */

	for (size_t i = 0; i < HTTP_PROXIES_MAX; i++)
		if (engine->proxy_ports[i] == port && port)
			return true;
	return false;
}

bool http_address_is_allowed(const struct http_transfer *t,
			     const struct sockaddr *sa)
{
	enum http_reach reach = http_address_reach(sa);

	if (reach <= t->reach)
		return true;
	return reach == HTTP_REACH_MACHINE && !t->rq.is_metadata &&
	       is_proxy(t->thread->engine, sa);
}
