/* SPDX-License-Identifier: Apache-2.0 */
#include <config.h>
#include "backends/auth/azure_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "backends/base/digest.h"
#include "backends/base/encode.h"

#define KEY_BYTES_MAX 1024

/* In the order of the text; a length stands between the first and the rest. */
static const char *const before_length[] = { "content-encoding",
					     "content-language" };
static const char *const behind_length[] = {
	"content-md5",	     "content-type", "date",
	"if-modified-since", "if-match",     "if-none-match",
	"if-unmodified-since", "range",
};

static const char *find(const struct azure_key_request *rq, const char *name)
{
	for (size_t i = 0; i < rq->n_headers; i++)
		if (!strcmp(rq->headers[i].name, name))
			return rq->headers[i].value;
	return "";
}

static int compare_pairs(const void *a, const void *b)
{
	const struct azure_pair *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->value, y->value);
}

static int check_headers(const struct azure_key_request *rq, struct err *err)
{
	if (rq->n_headers > AZURE_KEY_PAIRS_MAX ||
	    rq->n_query > AZURE_KEY_PAIRS_MAX)
		return err_set(err, ERR_USAGE, EINVAL,
			       "more than %d headers or arguments to sign",
			       AZURE_KEY_PAIRS_MAX);
	for (size_t i = 0; i < rq->n_headers; i++)
		for (const char *p = rq->headers[i].value; *p; p++)
			if ((unsigned char)*p < 0x20 || *p == 0x7f)
				return err_set(err, ERR_USAGE, EINVAL,
					       "a control character in the "
					       "header %s",
					       rq->headers[i].name);
	return 0;
}

static void add_headers(struct buf *out, const struct azure_key_request *rq)
{
	struct azure_pair sorted[AZURE_KEY_PAIRS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < rq->n_headers; i++)
		if (!strncmp(rq->headers[i].name, "x-ms-", 5))
			sorted[n++] = rq->headers[i];
	qsort(sorted, n, sizeof(*sorted), compare_pairs);
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s:%s\n", sorted[i].name, sorted[i].value);
}

/* What is there twice is one line, its values joined by commas. */
static void add_query(struct buf *out, const struct azure_key_request *rq)
{
	struct azure_pair sorted[AZURE_KEY_PAIRS_MAX];

	if (rq->n_query)
		memcpy(sorted, rq->query, rq->n_query * sizeof(*sorted));
	qsort(sorted, rq->n_query, sizeof(*sorted), compare_pairs);
	for (size_t i = 0; i < rq->n_query; i++) {
		if (i && !strcmp(sorted[i].name, sorted[i - 1].name))
			buf_char(out, ',');
		else
			buf_printf(out, "\n%s:", sorted[i].name);
		buf_str(out, sorted[i].value);
	}
}

int azure_key_string(struct buf *out, const struct azure_key_request *rq,
		     const char *account, struct err *err)
{
	int r = check_headers(rq, err);

	if (r < 0)
		return r;
	buf_printf(out, "%s\n", rq->method);
	for (size_t i = 0; i < ARRAY_SIZE(before_length); i++)
		buf_printf(out, "%s\n", find(rq, before_length[i]));
	if (rq->body_len)
		buf_printf(out, "%llu", (unsigned long long)rq->body_len);
	buf_char(out, '\n');
	for (size_t i = 0; i < ARRAY_SIZE(behind_length); i++)
		buf_printf(out, "%s\n", find(rq, behind_length[i]));
	add_headers(out, rq);
	buf_printf(out, "/%s%s", account, rq->path);
	add_query(out, rq);
	return buf_failed(out) ? err_nomem(err) : 0;
}

static int decode_key(struct buf *out, const char *key, struct err *err)
{
	struct err ignored = ERR_INIT;

	if (decode_base64(out, key, strlen(key), &ignored) == 0 && out->len &&
	    out->len <= KEY_BYTES_MAX)
		return 0;
	return err_set(err, ERR_AUTH, EACCES,
		       "the account's key is not the base64 of one");
}

static void release_key(struct buf *key)
{
	if (key->data)
		explicit_bzero(key->data, key->cap);
	buf_release(key);
}

int azure_key_check(const char *key, struct err *err)
{
	struct buf bytes = BUF_INIT;
	int r = decode_key(&bytes, key, err);

	release_key(&bytes);
	return r;
}

int azure_key_sign(struct buf *out, const struct azure_key_request *rq,
		   const char *account, const char *key, struct err *err)
{
	cleanup_buf struct buf text = BUF_INIT;
	struct buf bytes = BUF_INIT;
	uint8_t mac[SHA256_SIZE];
	int r = azure_key_string(&text, rq, account, err);

	if (r == 0)
		r = decode_key(&bytes, key, err);
	if (r == 0) {
		digest_hmac_sha256(mac, bytes.data, bytes.len, text.data,
				   text.len);
		buf_printf(out, "SharedKey %s:", account);
		encode_base64(out, mac, sizeof(mac));
		r = buf_failed(out) ? err_nomem(err) : 0;
	}
	release_key(&bytes);
	return r;
}

void azure_key_date(char out[AZURE_KEY_DATE_SIZE], int64_t s)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed",
					"Thu", "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr",
					  "May", "Jun", "Jul", "Aug",
					  "Sep", "Oct", "Nov", "Dec" };
	time_t t = (time_t)s;
	struct tm tm;

	if (!gmtime_r(&t, &tm))
		memset(&tm, 0, sizeof(tm));
	(void)snprintf(out, AZURE_KEY_DATE_SIZE,
		       "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		       days[tm.tm_wday % 7], (unsigned)tm.tm_mday % 100,
		       months[tm.tm_mon % 12],
		       (unsigned)(tm.tm_year + 1900) % 10000,
		       (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		       (unsigned)tm.tm_sec % 100);
}
