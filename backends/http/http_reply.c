/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/http/http_impl.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include "backends/base/clock.h"

static void progress(struct http_transfer *t, size_t n)
{
	t->progress_ms = clock_ms();
	atomic_fetch_add(&t->thread->engine->bytes_in, n);
}

/* "HTTP/1.1 206 Partial Content"; curl has checked the form. */
static void read_status(struct http_transfer *t, const char *line, size_t n)
{
	const char *space = memchr(line, ' ', n);
	int status = 0;

	for (size_t i = 1; space && i <= 3 && space + i < line + n; i++) {
		if (!isdigit((unsigned char)space[i]))
			break;
		status = status * 10 + (space[i] - '0');
	}
	t->rs.status = status;
	t->is_chunked = false;
	t->has_length = false;
	buf_clear(&t->rs.headers);
}

static bool is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!s[i] || (!isalnum((unsigned char)s[i]) &&
			      !strchr("!#$%&'*+-.^_`|~", s[i])))
			return false;
	return n > 0;
}

static bool has_controls(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] < 0x20 && s[i] != '\t') ||
		    s[i] == 0x7f)
			return true;
	return false;
}

/* Names a server could not mean (and folded lines) are left out. */
static void read_header(struct http_transfer *t, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	const char *value;
	size_t name_len;
	size_t len;

	if (!colon || !is_token(line, (size_t)(colon - line)))
		return;
	name_len = (size_t)(colon - line);
	value = colon + 1;
	len = n - name_len - 1;
	while (len && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	if (has_controls(value, len))
		return;
	if (name_len == 17 && !strncasecmp(line, "transfer-encoding", 17))
		t->is_chunked = true;
	if (name_len == 14 && !strncasecmp(line, "content-length", 14))
		t->has_length = true;
	for (size_t i = 0; i < name_len; i++)
		buf_char(&t->rs.headers, (char)tolower((unsigned char)line[i]));
	buf_str(&t->rs.headers, ": ");
	buf_bytes(&t->rs.headers, value, len);
	buf_char(&t->rs.headers, '\n');
}

/*
 * False where two framings contradict each other (RFC 9112 6.3: an attack, or
 * a proxy that is broken): read by the wrong one, a body is other bytes.
 */
static bool head_end(struct http_transfer *t)
{
	t->is_head_done = t->rs.status >= 200;
	if (!t->is_chunked || !t->has_length || t->rq.method == HTTP_HEAD)
		return true;
	t->cut = HTTP_CUT_FRAMING;
	return false;
}

/*
 * Each line of each response to the request: interim ones (1xx), the final
 * one, and behind its body the trailers, which nobody here believes.
 */
size_t http_reply_header(char *data, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	size_t len = n;

	(void)size;
	progress(t, n);
	t->header_bytes += n;
	if (t->header_bytes > HTTP_HEADER_BYTES_MAX) {
		t->cut = HTTP_CUT_HEADERS;
		return 0;
	}
	while (len && (data[len - 1] == '\n' || data[len - 1] == '\r'))
		len--;
	if (t->is_head_done)
		return n;
	if (len == 0)
		return head_end(t) ? n : 0;
	if (len > 5 && !memcmp(data, "HTTP/", 5))
		read_status(t, data, len);
	else
		read_header(t, data, len);
	return n;
}

static size_t add_error_body(struct http_transfer *t, const char *data,
			     size_t n)
{
	size_t room = HTTP_ERROR_BODY_MAX - t->rs.error_body.len;

	buf_bytes(&t->rs.error_body, data, n < room ? n : room);
	if (n <= room)
		return n;
	t->cut = HTTP_CUT_ERROR_BODY;
	return 0;
}

size_t http_reply_body(char *data, size_t size, size_t n, void *arg)
{
	struct http_transfer *t = arg;
	struct http_request *rq = &t->rq;
	size_t limit = HTTP_ERROR_BODY_MAX;
	struct err err;

	(void)size;
	progress(t, n);
	if (t->rs.status < 200 || t->rs.status > 299)
		return add_error_body(t, data, n);
	if (rq->dst || t->is_loser)
		limit = rq->dst_len;
	else if (rq->grow)
		limit = rq->grow_limit;
	if (n > limit - t->rs.body_len) {
		t->cut = HTTP_CUT_BODY;
		return 0;
	}
	if (rq->dst) {
		memcpy((char *)rq->dst + t->rs.body_len, data, n);
	} else if (rq->grow && buf_add(rq->grow, data, n, &err) < 0) {
		t->cut = err.code == ENOMEM ? HTTP_CUT_MEMORY : HTTP_CUT_BODY;
		return 0;
	}
	t->rs.body_len += n;
	return n;
}
