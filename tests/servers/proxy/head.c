/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "tests/servers/proxy/head.h"

#include <strings.h>

size_t head_length(const char *data, size_t len)
{
	const char *end = len ? memmem(data, len, "\r\n\r\n", 4) : NULL;

	return end ? (size_t)(end - data) + 4 : 0;
}

/* The line of a header, from its name to behind its CRLF. */
static const char *find_line(const char *head, size_t len, const char *name,
			     size_t *line_len)
{
	size_t name_len = strlen(name);
	const char *end = head + len;
	const char *p = memmem(head, len, "\r\n", 2);

	while (p && p + 2 < end) {
		const char *next;

		p += 2;
		next = memmem(p, end - p, "\r\n", 2);
		if (!next)
			return NULL;
		if ((size_t)(next - p) > name_len && p[name_len] == ':' &&
		    strncasecmp(p, name, name_len) == 0) {
			*line_len = next + 2 - p;
			return p;
		}
		p = next;
	}
	return NULL;
}

bool head_value(const char *head, size_t len, const char *name, char *out,
		size_t size)
{
	size_t n;
	const char *line = find_line(head, len, name, &n);

	if (!line)
		return false;
	n -= strlen(name) + 1 + 2;
	line += strlen(name) + 1;
	while (n && (*line == ' ' || *line == '\t'))
		line++, n--;
	while (n && (line[n - 1] == ' ' || line[n - 1] == '\t'))
		n--;
	if (n >= size)
		n = size - 1;
	memcpy(out, line, n);
	out[n] = '\0';
	return true;
}

void head_set(struct buf *head, const char *name, const char *value)
{
	struct buf changed = BUF_INIT;
	size_t line_len = 0;
	const char *line = find_line(head->data, head->len, name, &line_len);
	size_t before = line ? (size_t)(line - head->data) : head->len - 2;

	buf_bytes(&changed, head->data, before);
	if (value)
		buf_printf(&changed, "%s: %s\r\n", name, value);
	buf_bytes(&changed, head->data + before + line_len,
		  head->len - before - line_len);
	buf_release(head);
	*head = changed;
}

static bool is_chunked(const char *head, size_t len)
{
	char value[64];

	return head_value(head, len, "transfer-encoding", value,
			  sizeof(value)) &&
	       strcasestr(value, "chunked");
}

struct body body_of_request(const char *head, size_t len)
{
	struct body body = { .kind = BODY_LENGTH };
	char value[32];

	if (is_chunked(head, len))
		body.kind = BODY_CHUNKED;
	else if (head_value(head, len, "content-length", value, sizeof(value)))
		body.left = strtoull(value, NULL, 10);
	body.ended = body.kind == BODY_LENGTH && !body.left;
	return body;
}

struct body body_of_response(const char *head, size_t len, bool head_only)
{
	struct body body = body_of_request(head, len);
	char value[32];

	if (head_only) {
		body = (struct body){ .kind = BODY_LENGTH, .ended = true };
	} else if (body.kind == BODY_LENGTH &&
		   !head_value(head, len, "content-length", value,
			       sizeof(value))) {
		body.kind = BODY_UNTIL_CLOSE;
		body.ended = false;
	}
	return body;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Everything of a chunked body but its data, one byte. */
static void chunk_byte(struct body *body, char c)
{
	switch (body->state) {
	case CHUNK_SIZE:
		if (hex_digit(c) >= 0)
			body->left = body->left << 4 | (unsigned)hex_digit(c);
		else
			body->state = CHUNK_EXTENSION;
		if (c != '\n')
			break;
		/* fall through */
	case CHUNK_EXTENSION:
		if (c == '\n')
			body->state = body->left ? CHUNK_DATA : CHUNK_TRAILER;
		break;
	case CHUNK_DATA_END:
		if (c == '\n')
			body->state = CHUNK_SIZE;
		break;
	case CHUNK_TRAILER:
		if (c == '\n')
			body->ended = true;
		else if (c != '\r')
			body->state = CHUNK_TRAILER_LINE;
		break;
	case CHUNK_TRAILER_LINE:
		if (c == '\n')
			body->state = CHUNK_TRAILER;
		break;
	case CHUNK_DATA:
		break;
	}
}

static size_t take_chunked(struct body *body, const char *data, size_t len)
{
	size_t used = 0;

	while (used < len && !body->ended) {
		size_t n = len - used;

		if (body->state != CHUNK_DATA) {
			chunk_byte(body, data[used++]);
			continue;
		}
		if (n > body->left)
			n = body->left;
		used += n;
		body->left -= n;
		if (!body->left)
			body->state = CHUNK_DATA_END;
	}
	return used;
}

size_t body_take(struct body *body, const char *data, size_t len)
{
	if (body->kind == BODY_CHUNKED)
		return take_chunked(body, data, len);
	if (body->kind == BODY_LENGTH && len > body->left)
		len = body->left;
	body_pass(body, len);
	return len;
}

void body_pass(struct body *body, size_t len)
{
	if (body->kind != BODY_LENGTH)
		return;
	body->left -= len;
	body->ended = !body->left;
}
