/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include "backends/base/clock.h"

/* Above it, the server may refuse before the body travels. */
#define EXPECT_BYTES (1 << 20)

static int refuse(struct http_transfer *t, struct err *err, const char *why)
{
	return err_set(err, ERR_USAGE, EINVAL, "%s %s: %s",
		       http_method_name(t->rq.method), t->host, why);
}

/* t->host, the origin for curl, and where the target begins. */
static int split_url(struct http_transfer *t, struct buf *origin,
		     const char **target, struct err *err)
{
	const char *url = t->rq.url.data ? t->rq.url.data : "";
	const char *host = strstr(url, "://");
	size_t len;

	if (strncmp(url, "http://", 7) && strncmp(url, "https://", 8))
		return refuse(t, err, "the URL is not http or https");
	host += 3;
	len = strcspn(host, "/");
	if (len == 0 || len >= sizeof(t->host) || host[len] != '/')
		return refuse(t, err, "the URL has no host or no path");
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)host[i]) &&
		    !strchr("-._:[]", host[i]))
			return refuse(t, err, "odd bytes in the host");
	memcpy(t->host, host, len);
	t->host[len] = '\0';
	t->reach = t->rq.is_metadata ? HTTP_REACH_LINK :
				       http_host_reach(t->host);
	*target = host + len;
	for (const char *p = *target; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return refuse(t, err, "odd bytes in the path");
	buf_bytes(origin, url, (size_t)(host - url) + len);
	buf_char(origin, '/');
	return buf_failed(origin) ? err_nomem(err) : 0;
}

static int add_header(struct http_transfer *t, const char *line,
		      struct err *err)
{
	struct curl_slist *list = curl_slist_append(t->headers, line);

	if (!list)
		return err_nomem(err);
	t->headers = list;
	return 0;
}

/* What frames the body is curl's business alone. */
static bool is_framing(const char *line, size_t name_len)
{
	static const char *const names[] = { "content-length",
					     "transfer-encoding", "connection",
					     "host", "expect" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == name_len &&
		    !strncasecmp(line, names[i], name_len))
			return true;
	return false;
}

/* line: "name: value", terminated. */
static int convert_header(struct http_transfer *t, char *line, struct err *err)
{
	char *colon = strstr(line, ": ");
	int r;

	if (!colon || colon == line)
		return refuse(t, err, "a header without name or colon");
	for (const char *p = line; *p; p++)
		if (((unsigned char)*p < ' ' && *p != '\t') || *p == 0x7f ||
		    (p < colon && (*p == ' ' || *p == ';')))
			return refuse(t, err, "odd bytes in a header");
	if (is_framing(line, (size_t)(colon - line)))
		return refuse(t, err, "a header that is the engine's");
	if (colon[2])
		return add_header(t, line, err);

	/* curl's spelling of a header with an empty value */
	*colon = ';';
	colon[1] = '\0';
	r = add_header(t, line, err);
	colon[0] = ':';
	colon[1] = ' ';
	return r;
}

static bool has_header(const struct http_transfer *t, const char *name)
{
	size_t len = strlen(name);

	for (const struct curl_slist *h = t->headers; h; h = h->next)
		if (!strncasecmp(h->data, name, len) &&
		    (h->data[len] == ':' || h->data[len] == ';'))
			return true;
	return false;
}

static int convert_headers(struct http_transfer *t, struct err *err)
{
	char *line = t->rq.headers.data;
	int r = 0;

	if (buf_failed(&t->rq.headers) || buf_failed(&t->rq.url))
		return err_nomem(err);
	while (line && *line && r == 0) {
		char *end = strchr(line, '\n');

		if (!end)
			return refuse(t, err, "a header without end");
		*end = '\0';
		r = convert_header(t, line, err);
		*end = '\n';
		line = end + 1;
	}
	if (r == 0 && line && line != t->rq.headers.data + t->rq.headers.len)
		return refuse(t, err, "odd bytes in a header");

	/* What curl would add of its own. */
	if (r == 0 && !has_header(t, "accept"))
		r = add_header(t, "Accept:", err);
	if (r == 0 && t->rq.body_len && !has_header(t, "content-type"))
		r = add_header(t, "Content-Type:", err);
	if (r == 0 &&
	    (t->rq.method != HTTP_PUT || t->rq.body_len <= EXPECT_BYTES))
		r = add_header(t, "Expect:", err);
	return r;
}

static curl_socket_t open_socket(void *arg, curlsocktype purpose,
				 struct curl_sockaddr *address)
{
	struct http_transfer *t = arg;
	int fd;

	(void)purpose;
	if (!http_address_is_allowed(t, &address->addr)) {
		t->cut = HTTP_CUT_ADDRESS;
		return CURL_SOCKET_BAD;
	}
	fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
		    address->protocol);
	http_watch_opened(t->thread, fd);
	return fd;
}

struct setup {
	CURL *easy;
	CURLcode code;
};
#define SET(s, option, value)                                                  \
	do {                                                                   \
		if ((s)->code == CURLE_OK)                                     \
			(s)->code = curl_easy_setopt((s)->easy, option,        \
						     value);                   \
	} while (0)

static void set_policy(struct setup *s, const struct http_engine *engine)
{
	SET(s, CURLOPT_NOSIGNAL, 1L);
	SET(s, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(s, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(s, CURLOPT_HTTP09_ALLOWED, 0L);
	SET(s, CURLOPT_FOLLOWLOCATION, 0L);
	SET(s, CURLOPT_PATH_AS_IS, 1L);
	/* A proxy takes no path for a target: even plain http is tunnelled. */
	SET(s, CURLOPT_HTTPPROXYTUNNEL, 1L);
	SET(s, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	SET(s, CURLOPT_CONNECTTIMEOUT_MS, (long)HTTP_CONNECT_MS);
	SET(s, CURLOPT_MAXAGE_CONN, (long)HTTP_IDLE_AGE_S);
	SET(s, CURLOPT_MAXLIFETIME_CONN, (long)HTTP_LIFETIME_S);
	SET(s, CURLOPT_DNS_CACHE_TIMEOUT, (long)HTTP_NAME_AGE_S);
	SET(s, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
	SET(s, CURLOPT_USERAGENT, engine->user_agent);
	SET(s, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	/*
	 * With a CApath, libcurl does not keep the parsed bundle: 30 ms of CPU
	 * a connection in place of 2.
	 */
	SET(s, CURLOPT_CAPATH, NULL);
	if (engine->ca_file)
		SET(s, CURLOPT_CAINFO, engine->ca_file);
	/* Else removing a handle waits for getaddrinfo(). */
	SET(s, CURLOPT_QUICK_EXIT, 1L);
}

/*
 * A metadata service is this machine's or this pod's own: never by a proxy.
 * Its connections are not kept, so that no data request ever finds one.
 */
static void set_metadata(struct setup *s)
{
	SET(s, CURLOPT_PROXY, "");
	SET(s, CURLOPT_FRESH_CONNECT, 1L);
	SET(s, CURLOPT_FORBID_REUSE, 1L);
}

/* What broke a connection may be its address. */
static void set_fresh(struct setup *s)
{
	SET(s, CURLOPT_FRESH_CONNECT, 1L);
	SET(s, CURLOPT_DNS_CACHE_TIMEOUT, 0L);
}

static void set_method(struct setup *s, struct http_transfer *t)
{
	bool has_body = t->rq.body_len || t->rq.method == HTTP_PUT ||
			t->rq.method == HTTP_POST;

	if (t->rq.method == HTTP_HEAD) {
		SET(s, CURLOPT_NOBODY, 1L);
		return;
	}
	if (has_body) {
		SET(s, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)t->rq.body_len);
		SET(s, CURLOPT_POSTFIELDS,
		    t->rq.body_len ? (const char *)t->rq.body : "");
	}
	if (!has_body)
		SET(s, CURLOPT_HTTPGET, 1L);
	SET(s, CURLOPT_CUSTOMREQUEST, http_method_name(t->rq.method));
}

/* What one of them holds with its headers need not be larger. */
static long buffer_bytes(const struct http_request *rq)
{
	if (rq->dst && rq->dst_len <= HTTP_SMALL_BUFFER_BYTES / 2)
		return HTTP_SMALL_BUFFER_BYTES;
	return rq->dst_len < HTTP_LARGE_BYTES ? HTTP_BUFFER_BYTES :
						HTTP_LARGE_BUFFER_BYTES;
}

int http_transfer_init(struct http_transfer *t, CURL *easy, struct err *err)
{
	cleanup_buf struct buf origin = BUF_INIT;
	struct setup s = { .easy = easy };
	const char *target;
	int r;

	t->easy = easy;
	t->progress_ms = clock_ms();
	r = split_url(t, &origin, &target, err);
	if (r == 0)
		r = convert_headers(t, err);
	if (r < 0)
		return r;
	if (t->rq.method == HTTP_HEAD && t->rq.body_len)
		return refuse(t, err, "HEAD with a body");

	set_policy(&s, t->thread->engine);
	if (t->rq.is_metadata)
		set_metadata(&s);
	if (t->rq.is_fresh)
		set_fresh(&s);
	if (t->rq.timing) {
		SET(&s, CURLOPT_FRESH_CONNECT, 1L);
		SET(&s, CURLOPT_FORBID_REUSE, 1L);
		*t->rq.timing = (struct http_timing){ -1, -1, -1, -1, false };
	}
	SET(&s, CURLOPT_SHARE, t->thread->share);
	SET(&s, CURLOPT_PRIVATE, t);
	SET(&s, CURLOPT_URL, origin.data);
	SET(&s, CURLOPT_REQUEST_TARGET, target);
	set_method(&s, t);
	SET(&s, CURLOPT_BUFFERSIZE, buffer_bytes(&t->rq));
	SET(&s, CURLOPT_HTTPHEADER, t->headers);
	SET(&s, CURLOPT_ERRORBUFFER, t->curl_text);
	SET(&s, CURLOPT_HEADERFUNCTION, http_reply_header);
	SET(&s, CURLOPT_HEADERDATA, t);
	SET(&s, CURLOPT_WRITEFUNCTION, http_reply_body);
	SET(&s, CURLOPT_WRITEDATA, t);
	SET(&s, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	SET(&s, CURLOPT_OPENSOCKETDATA, t);
	if (s.code != CURLE_OK)
		return err_set(err, ERR_SYSTEM, ENOMEM, "%s: libcurl: %s",
			       t->host, curl_easy_strerror(s.code));
	return 0;
}

void http_transfer_free(struct http_transfer *t)
{
	for (struct curl_slist *h = t->headers; h; h = h->next)
		explicit_bzero(h->data, strlen(h->data));
	curl_slist_free_all(t->headers);
	http_request_release(&t->rq);
	buf_release(&t->rs.headers);
	buf_release(&t->rs.error_body);
	free(t->scratch);
	free(t);
}
